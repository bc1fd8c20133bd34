//! `diff`: what changed between two revisions, or between one and the worktree.

use serde::Deserialize;

use super::{Context, Lane, Operation, about, paging, plain::Plain};
use crate::{
    error::{Error, Result},
    git::{Changes, DiffQuery, RawName, RepositoryPath},
};

const CONTEXT_LINES_MAX: u32 = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    path: RepositoryPath,
    range: Option<Plain>,
    #[serde(default)]
    paths: Vec<RawName>,
    #[serde(default)]
    patch: bool,
    #[serde(default = "three")]
    context: u32,
    #[serde(default = "paging::limit_max")]
    limit: usize,
    after: Option<RawName>,
}

fn three() -> u32 {
    3
}

impl Operation for Diff {
    const NAME: &'static str = "diff";

    type Reply = Changes;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Changes> {
        if CONTEXT_LINES_MAX < self.context {
            let message = format!("`context` is at most {CONTEXT_LINES_MAX}");
            return Err(Error::bad_request(message).with("field", "context"));
        }
        let query = DiffQuery {
            range: self.range.map(String::from),
            paths: paging::names(&self.paths)?,
            patch: self.patch,
            context: self.context,
            limit: paging::limit(self.limit)?,
            after: paging::after(self.after)?,
        };
        context.open(&self.path)?.diff(&query, context.watch).map_err(about("range"))
    }
}
