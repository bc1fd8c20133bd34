//! `log`: commits, newest first.

use serde::Deserialize;

use super::{Context, Lane, Operation, about, paging, plain::Plain};
use crate::{
    error::Result,
    git::{LogPage, LogQuery, RawName, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    path: RepositoryPath,
    #[serde(default = "head")]
    range: Plain,
    #[serde(default)]
    paths: Vec<RawName>,
    #[serde(default = "hundred")]
    limit: usize,
    after: Option<Plain>,
}

fn head() -> Plain {
    "HEAD".into()
}

fn hundred() -> usize {
    100
}

impl Operation for Log {
    const NAME: &'static str = "log";

    type Reply = LogPage;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<LogPage> {
        let query = LogQuery {
            range: self.range.into(),
            paths: paging::names(&self.paths)?,
            limit: paging::limit(self.limit)?,
            after: self.after.map(String::from),
        };
        context.open(&self.path)?.log(&query, context.watch).map_err(about("range"))
    }
}
