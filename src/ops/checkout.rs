//! `checkout`: make a commit the checked-out one, moving no branch.

use serde::Deserialize;

use super::{Context, Lane, Operation, about, change::Fence, plain::Plain};
use crate::{error::Result, git::RepositoryPath};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkout {
    path: RepositoryPath,
    sha: Plain,
    fence: Option<Fence>,
}

impl Operation for Checkout {
    const NAME: &'static str = "checkout";

    type Reply = String;

    fn lane(&self) -> Lane {
        Lane::Write(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<String> {
        let checked_out = match &self.fence {
            None => context.open(&self.path)?.checkout(&self.sha, context.watch),
            // Nobody gets the lock before the files are there.
            fence => context.store.change_alone(&self.path, context.watch, |transaction| {
                Fence::check(fence.as_ref(), transaction)?;
                transaction.repository().checkout(&self.sha, context.watch)
            }),
        };
        checked_out.map_err(about("sha"))
    }
}
