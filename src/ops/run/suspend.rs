//! `run.suspend`: nothing more of a run is started, and no time counts, until it is resumed.

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
pub struct Suspend {
    path: RepositoryPath,
    run: Plain,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Suspend {
    const NAME: &'static str = "run.suspend";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Taken> {
        let run = run_id(&self.run)?;
        let reason = reason(self.reason.as_ref())?;
        with_run(context, &run, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_allowed(Act::of(Action::Suspend, &actor).on(&run).because(reason))?;
            let happened = keeper.happen(&run, &actor, What::Suspend, transaction)?;
            transaction.be_durable();
            Taken::of(&run, &happened, keeper)
        })
    }
}
