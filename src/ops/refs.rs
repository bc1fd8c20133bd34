//! `refs`: all that there are, in the order of their names.

use serde::Deserialize;

use super::{Context, Lane, Operation, paging};
use crate::{
    error::Result,
    git::{RawName, RefPage, RefQuery, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refs {
    path: RepositoryPath,
    #[serde(default = "everything")]
    prefix: RawName,
    #[serde(default = "paging::limit_max")]
    limit: usize,
    after: Option<RawName>,
}

fn everything() -> RawName {
    RawName(Vec::new())
}

impl Operation for Refs {
    const NAME: &'static str = "refs";

    type Reply = RefPage;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<RefPage> {
        let query = RefQuery {
            prefix: self.prefix.0,
            pattern: None,
            limit: paging::limit(self.limit)?,
            after: paging::after(self.after)?,
        };
        context.open(&self.path)?.refs(&query, context.watch)
    }
}
