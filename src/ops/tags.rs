//! `tags`: those there are, in the order of their names.

use serde::Deserialize;

use super::{Context, Lane, Operation, paging, plain::Plain};
use crate::{
    error::Result,
    git::{Pattern, RawName, RefQuery, RepositoryPath, TagPage},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tags {
    path: RepositoryPath,
    pattern: Option<Plain>,
    #[serde(default = "paging::limit_max")]
    limit: usize,
    after: Option<RawName>,
}

impl Operation for Tags {
    const NAME: &'static str = "tags";

    type Reply = TagPage;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<TagPage> {
        let query = RefQuery {
            prefix: Vec::new(),
            pattern: self.pattern.as_deref().map(Pattern::new).transpose()?,
            limit: paging::limit(self.limit)?,
            after: paging::after(self.after)?,
        };
        context.open(&self.path)?.tags(query, context.watch)
    }
}
