//! `run.get`: how a run stands, with its data and what can be done in it.

use serde::{Deserialize, Serialize};

use super::{run_id, with_run};
use crate::{
    error::{Error, Result},
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain},
    runs::{children::CalledOverview, view::Overview, work::TaskId},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    path: RepositoryPath,
    /// A run, or one that it calls: `<run>/<number>`.
    run: Plain,
    /// As it was with the commit of this number.
    seq: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    Run(Box<Overview>),
    Called(Box<CalledOverview>),
}

impl Operation for Get {
    const NAME: &'static str = "run.get";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        // Together with what is being written: what is told is on disk.
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        // A process that a run calls is named as a task is.
        let called = TaskId::new(&self.run, "run").ok();
        let run = called.as_ref().map_or_else(|| run_id(&self.run), |it| Ok(it.run.clone()))?;
        with_run(context, &run, |keeper, transaction| {
            transaction.be_durable();
            let Some(TaskId { item, .. }) = called else {
                return keeper
                    .overview(&run, self.seq, transaction)
                    .map(|it| Reply::Run(Box::new(it)));
            };
            let called = keeper.run_at(&run, self.seq, transaction)?.child(item);
            let none = || Error::not_found(format!("the run `{run}` calls nothing at {item}"));
            called.map(|it| Reply::Called(Box::new(it))).ok_or_else(none)
        })
    }
}
