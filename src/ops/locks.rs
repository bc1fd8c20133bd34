//! `locks`: the locks that are held, and who holds them.

use serde::Deserialize;

use super::{Context, Lane, Operation, paging, plain::Plain};
use crate::{
    error::Result,
    git::{LockPage, LockQuery, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locks {
    path: RepositoryPath,
    prefix: Option<Plain>,
    #[serde(default = "thousand")]
    limit: usize,
    after: Option<Plain>,
}

fn thousand() -> usize {
    1000
}

impl Operation for Locks {
    const NAME: &'static str = "locks";

    type Reply = LockPage;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<LockPage> {
        let query = LockQuery {
            prefix: self.prefix.map(String::from).unwrap_or_default(),
            limit: paging::limit(self.limit)?,
            after: self.after.map(String::from),
        };
        context.open(&self.path)?.locks(&query, context.store.locks(), context.watch)
    }
}
