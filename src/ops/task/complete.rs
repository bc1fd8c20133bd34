//! `task.complete`: a worker has done what it claimed.

use serde::Deserialize;

use super::{Ended, holding};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{
        Context, Lane, Operation,
        json::Object,
        plain::Plain,
        run::{reason, with_run},
    },
    runs::policy::Action,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    path: RepositoryPath,
    task: Plain,
    token: Plain,
    worker: Option<Plain>,
    outcome: Option<Plain>,
    #[serde(default)]
    data: Object,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Complete {
    const NAME: &'static str = "task.complete";

    type Reply = Ended;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Ended> {
        let holding = holding(&self.task, self.token, self.worker.as_ref())?;
        let (outcome, Object(data)) = (self.outcome.map(String::from), self.data);
        let reason = reason(self.reason.as_ref())?;
        with_run(context, &holding.task.run, |keeper, transaction| {
            keeper.expect_may_end(Action::Complete, &holding, reason)?;
            let commit = keeper.complete(&holding, outcome, data, transaction)?;
            transaction.be_durable();
            Ended::of(&holding, commit, keeper)
        })
    }
}
