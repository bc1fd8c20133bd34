//! `run.prune`: runs that ended long ago, or are too many, are folded away or dropped.

use serde::{Deserialize, Serialize};

use super::{actor, reason, run_id, with};
use crate::{
    error::{Error, Result},
    git::{RepositoryPath, Text},
    ops::{Context, Lane, Operation, paging, plain::Plain, workspace::export::place},
    runs::{
        policy::{Act, Action},
        prune::Retention,
        view::{ENDED, Summary},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    path: RepositoryPath,
    runs: Option<Vec<Plain>>,
    process: Option<Plain>,
    status: Option<Plain>,
    keep_ms: Option<u64>,
    keep: Option<usize>,
    /// The file that they are folded into.
    to: Option<RepositoryPath>,
    #[serde(default)]
    overwrite: bool,
    #[serde(default = "paging::thousand")]
    limit: usize,
    #[serde(default)]
    dry_run: bool,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    /// Those that went, or would.
    runs: Vec<Gone>,
    /// Whether the rule takes others away, too, once it is asked again.
    more: bool,
    file: Option<Text>,
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct Gone {
    run: String,
    process: String,
    status: &'static str,
    commit: String,
}

impl Operation for Prune {
    const NAME: &'static str = "run.prune";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let retention = self.retention()?;
        let archive = match &self.to {
            Some(to) => Some(place(to, self.overwrite, context)?),
            None => None,
        };
        let reason = reason(self.reason.as_ref())?;
        with(context, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.look_around(transaction)?;
            let (found, more) = keeper.outdated(&retention)?;
            let runs = found.iter().filter_map(|it| keeper.summary(it)).map(Gone::of).collect();
            let mut bytes = None;
            if !self.dry_run {
                for run in &found {
                    let act = Act::of(Action::Prune, &actor).on(run).because(reason);
                    keeper.expect_allowed(act)?;
                }
                bytes = keeper.prune(&found, archive, &actor, transaction)?;
            }
            transaction.be_durable();
            let file = bytes.and(self.to.as_ref()).map(RepositoryPath::to_text);
            Ok(Reply { runs, more, file, bytes })
        })
    }
}

impl Gone {
    fn of(it: Summary) -> Gone {
        Gone { run: it.run, process: it.process, status: it.status, commit: it.commit }
    }
}

impl Prune {
    fn retention(&self) -> Result<Retention> {
        let bad = |message: String, field: &'static str| {
            Err(Error::bad_request(message).with("field", field))
        };
        if self.runs.is_none() && self.keep_ms.is_none() && self.keep.is_none() {
            let message = "say what goes: `runs`, or all beyond `keep_ms` or `keep`".to_owned();
            return bad(message, "keep_ms");
        }
        if self.runs.is_some() && (self.keep_ms.is_some() || self.keep.is_some()) {
            return bad("`runs` go whenever they ended".to_owned(), "runs");
        }
        if let Some(status) = self.status.as_deref().filter(|it| !ENDED.contains(it)) {
            let message = format!("`{status}` is none of: {}", ENDED.join(", "));
            return bad(message, "status");
        }
        let runs = self.runs.as_ref().map(|it| it.iter().map(run_id).collect()).transpose();
        Ok(Retention {
            process: self.process.as_deref().map(str::to_owned),
            status: self.status.as_deref().map(str::to_owned),
            runs: runs.map_err(|it: Error| it.with("field", "runs"))?,
            keep_ms: self.keep_ms,
            keep: self.keep,
            limit: paging::limit(self.limit)?,
        })
    }
}
