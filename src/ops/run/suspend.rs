//! `run.suspend`: nothing more of a run is started, and no time counts, until it is resumed.

use serde::Deserialize;

use super::{Taken, actor, run_id, with_run};
use crate::{
    engine::event::What,
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    path: RepositoryPath,
    run: Plain,
    actor: Option<Plain>,
}

impl Operation for Suspend {
    const NAME: &'static str = "run.suspend";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Taken> {
        let run = run_id(&self.run)?;
        with_run(context, &run, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            let happened = keeper.happen(&run, &actor, What::Suspend, transaction)?;
            transaction.be_durable();
            Taken::of(&run, &happened, keeper)
        })
    }
}
