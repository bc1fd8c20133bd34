//! `receipt.list`: what became of tasks, in pages, also as lines or as a table.

use serde::{Deserialize, Serialize};

use super::{commit_id, opened, with_all};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, paging, plain::Plain, run::run_id},
    runs::receipt::{Page, Query, Receipt, csv, page, page_of},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    path: RepositoryPath,
    run: Option<Plain>,
    process: Option<Plain>,
    version: Option<Plain>,
    step: Option<Plain>,
    actor: Option<Plain>,
    worker: Option<Plain>,
    outcome: Option<Plain>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    #[serde(default = "paging::thousand")]
    limit: usize,
    /// The commit that the page comes after.
    after: Option<Plain>,
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(try_from = "String")]
enum Format {
    #[default]
    Records,
    Jsonl,
    Csv,
}

impl TryFrom<String> for Format {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Format, &'static str> {
        match &*word {
            "records" => Ok(Format::Records),
            "jsonl" => Ok(Format::Jsonl),
            "csv" => Ok(Format::Csv),
            _ => Err("a format is `records`, `jsonl` or `csv`"),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    Records { receipts: Vec<Receipt>, next: Option<String> },
    Text { text: String, next: Option<String> },
}

impl Operation for List {
    const NAME: &'static str = "receipt.list";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        // A long list keeps nobody waiting who writes.
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let run = self.run.as_ref().map(run_id).transpose()?;
        let query = Query {
            run: self.run.map(String::from),
            process: self.process.map(String::from),
            version: self.version.map(String::from),
            step: self.step.map(String::from),
            actor: self.actor.map(String::from),
            worker: self.worker.map(String::from),
            outcome: self.outcome.map(String::from),
            since_ms: self.since_ms,
            until_ms: self.until_ms,
        };
        let limit = paging::limit(self.limit)?;
        let after = self.after.map(|it| commit_id(&it, "after")).transpose()?;
        let is_first = after.is_none();
        let commits = with_all(&self.path, context, |keeper, transaction| match &run {
            Some(run) => keeper.commits_of(run, transaction),
            None => Ok(None),
        })?;
        let repository = opened(&self.path, context)?;
        let found = match commits {
            Some(commits) => {
                let after = after.as_deref();
                page_of(&commits, &repository, &query, limit, after, context.watch)?
            }
            None => page(&repository, &query, limit, after, context.watch)?,
        };
        Ok(Reply::of(found, self.format, is_first))
    }
}

impl Reply {
    fn of(page: Page, format: Format, is_first: bool) -> Reply {
        let Page { receipts, next } = page;
        match format {
            Format::Records => Reply::Records {
                receipts: receipts.into_iter().map(|it| it.receipt).collect(),
                next,
            },
            Format::Jsonl => {
                Reply::Text { text: receipts.into_iter().map(|it| it.line + "\n").collect(), next }
            }
            Format::Csv => {
                Reply::Text { text: csv(receipts.iter().map(|it| &it.receipt), is_first), next }
            }
        }
    }
}
