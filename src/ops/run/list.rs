//! `run.list`: the runs of a repository, in pages.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::with;
use crate::{
    error::{Error, Result},
    git::RepositoryPath,
    ops::{Context, Lane, Operation, paging, plain::Plain},
    runs::view::{RunPage, RunQuery, STATUSES},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    path: RepositoryPath,
    process: Option<Plain>,
    version: Option<Plain>,
    status: Option<Plain>,
    step: Option<Plain>,
    actor: Option<Plain>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    #[serde(default = "paging::thousand")]
    limit: usize,
    after: Option<Plain>,
}

impl Operation for List {
    const NAME: &'static str = "run.list";

    type Reply = RunPage;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<RunPage> {
        if let Some(status) = self.status.as_deref().filter(|it| !STATUSES.contains(it)) {
            let message = format!("`{status}` is none of: {}", STATUSES.join(", "));
            return Err(Error::bad_request(message).with("field", "status"));
        }
        let query = RunQuery {
            process: self.process.map(String::from),
            version: self.version.map(String::from),
            status: self.status.map(String::from),
            step: self.step.map(String::from),
            actor: self.actor.map(String::from),
            attributes: self.attributes,
            since_ms: self.since_ms,
            until_ms: self.until_ms,
            limit: paging::limit(self.limit)?,
            after: self.after.map(String::from),
        };
        with(context, |keeper, transaction| {
            transaction.be_durable();
            keeper.look_around(transaction)?;
            Ok(keeper.list(&query))
        })
    }
}
