//! `task.list`: what there is to do, and who does what.

use serde::Deserialize;

use super::types;
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{
        Context, Lane, Operation, paging,
        plain::Plain,
        run::{run_id, with},
    },
    runs::{
        listing::{TaskPage, TaskQuery},
        work::TaskId,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    path: RepositoryPath,
    run: Option<Plain>,
    queue: Option<Plain>,
    types: Option<Vec<Plain>>,
    /// Who does it.
    worker: Option<Plain>,
    #[serde(default = "paging::thousand")]
    limit: usize,
    /// The task that the page comes after.
    after: Option<Plain>,
}

impl Operation for List {
    const NAME: &'static str = "task.list";

    type Reply = TaskPage;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<TaskPage> {
        let after = self.after.as_ref().map(|it| TaskId::new(it, "after"));
        let query = TaskQuery {
            run: self.run.as_ref().map(run_id).transpose()?,
            queue: self.queue.map(String::from),
            types: types(self.types),
            worker: self.worker.map(String::from),
            limit: paging::limit(self.limit)?,
            after: after.transpose()?,
        };
        with(context, |keeper, transaction| {
            transaction.be_durable();
            Ok(keeper.list_tasks(&query))
        })
    }
}
