//! `status`: what differs between `HEAD`, the index and the worktree.

use serde::Deserialize;

use super::{Context, Lane, Operation, paging};
use crate::{
    error::Result,
    git::{RawName, RepositoryPath, StatusQuery},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    path: RepositoryPath,
    #[serde(default)]
    paths: Vec<RawName>,
    #[serde(default = "yes")]
    untracked: bool,
    #[serde(default)]
    ignored: bool,
    #[serde(default = "paging::limit_max")]
    limit: usize,
    after: Option<RawName>,
}

fn yes() -> bool {
    true
}

impl Operation for Status {
    const NAME: &'static str = "status";

    type Reply = crate::git::Status;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<crate::git::Status> {
        let query = StatusQuery {
            paths: paging::names(&self.paths)?,
            untracked: self.untracked,
            ignored: self.ignored,
            limit: paging::limit(self.limit)?,
            after: paging::after(self.after)?,
        };
        context.open(&self.path)?.status(&query)
    }
}
