//! `task.release`: a worker gives back what it claimed, for another one.

use serde::Deserialize;

use super::{Ended, holding};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain, run::with_run},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    path: RepositoryPath,
    task: Plain,
    token: Plain,
    worker: Option<Plain>,
}

impl Operation for Release {
    const NAME: &'static str = "task.release";

    type Reply = Ended;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Ended> {
        let holding = holding(&self.task, self.token, self.worker.as_ref())?;
        with_run(context, &holding.task.run, |keeper, transaction| {
            let commit = keeper.release(&holding, transaction)?;
            transaction.be_durable();
            Ended::of(&holding, commit, keeper)
        })
    }
}
