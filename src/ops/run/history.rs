//! `run.history`: what happened to a run, each with its commit.

use serde::Deserialize;

use super::{run_id, with_some};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, paging, plain::Plain},
    runs::view::{HistoryPage, history},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    path: RepositoryPath,
    run: Plain,
    #[serde(default = "paging::thousand")]
    limit: usize,
    /// The number of the commit that the page comes after.
    #[serde(default)]
    after: u64,
}

impl Operation for History {
    const NAME: &'static str = "run.history";

    type Reply = HistoryPage;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<HistoryPage> {
        let (run, limit) = (run_id(&self.run)?, paging::limit(self.limit)?);
        with_some(context, |_, transaction| {
            transaction.be_durable();
            history(&run, self.after, limit, transaction)
        })
    }
}
