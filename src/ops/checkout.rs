//! `checkout`: make a commit the checked-out one, moving no branch.

use serde::Deserialize;

use super::{Context, Lane, Operation, about, plain::Plain};
use crate::{error::Result, git::RepositoryPath};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkout {
    path: RepositoryPath,
    sha: Plain,
}

impl Operation for Checkout {
    const NAME: &'static str = "checkout";

    type Reply = String;

    fn lane(&self) -> Lane {
        Lane::Write(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<String> {
        context.open(&self.path)?.checkout(&self.sha, context.watch).map_err(about("sha"))
    }
}
