//! `run.resume`: a run that was suspended goes on.

use serde::Deserialize;

use super::{Taken, actor, reason, run_id, with_run};
use crate::{
    engine::event::What,
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain},
    runs::policy::{Act, Action},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    path: RepositoryPath,
    run: Plain,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Resume {
    const NAME: &'static str = "run.resume";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Taken> {
        let run = run_id(&self.run)?;
        let reason = reason(self.reason.as_ref())?;
        with_run(context, &run, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_allowed(Act::of(Action::Resume, &actor).on(&run).because(reason))?;
            let happened = keeper.happen(&run, &actor, What::Resume, transaction)?;
            transaction.be_durable();
            Taken::of(&run, &happened, keeper)
        })
    }
}
