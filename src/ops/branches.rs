//! `branches`: those there are, in the order of their names.

use serde::Deserialize;

use super::{Context, Lane, Operation, paging, plain::Plain};
use crate::{
    error::Result,
    git::{BranchPage, Pattern, RawName, RefQuery, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branches {
    path: RepositoryPath,
    pattern: Option<Plain>,
    #[serde(default = "paging::limit_max")]
    limit: usize,
    after: Option<RawName>,
}

impl Operation for Branches {
    const NAME: &'static str = "branches";

    type Reply = BranchPage;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<BranchPage> {
        let query = RefQuery {
            prefix: Vec::new(),
            pattern: self.pattern.as_deref().map(Pattern::new).transpose()?,
            limit: paging::limit(self.limit)?,
            after: paging::after(self.after)?,
        };
        context.open(&self.path)?.branches(query, context.watch)
    }
}
