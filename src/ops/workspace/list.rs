//! `workspace.list`: the workspaces there are, or those that were deleted, in pages.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    git::{Deleted, WorkspaceId},
    ops::{Context, Lane, Operation, paging, plain::Plain},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    #[serde(default = "paging::thousand")]
    limit: usize,
    after: Option<Plain>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Serialize)]
pub struct Reply {
    workspaces: Vec<Entry>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    workspace: WorkspaceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_ms: Option<u64>,
}

impl Operation for List {
    const NAME: &'static str = "workspace.list";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Survey
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let limit = paging::limit(self.limit)?;
        let workspaces = context.workspaces()?;
        if self.deleted {
            let after = self.after.as_deref().map(after_deleted).transpose()?;
            let (found, has_more) = workspaces.list_deleted(after, limit)?;
            let last = found.last().filter(|_| has_more);
            let next = last.map(|it| format!("{}@{}", it.workspace, it.deleted_ms));
            let entry = |it| {
                let Deleted { workspace, deleted_ms } = it;
                Entry { workspace, deleted_ms: Some(deleted_ms) }
            };
            return Ok(Reply { workspaces: found.into_iter().map(entry).collect(), next });
        }
        let (found, has_more) = workspaces.list(self.after.as_deref(), limit)?;
        let next = found.last().filter(|_| has_more).map(ToString::to_string);
        let entry = |workspace| Entry { workspace, deleted_ms: None };
        Ok(Reply { workspaces: found.into_iter().map(entry).collect(), next })
    }
}

/// An id and a time, as they come in `next`: one id may be deleted many times.
fn after_deleted(after: &str) -> Result<(&str, u64)> {
    let parts = after.rsplit_once('@');
    let parts = parts.and_then(|(id, time)| Some((id, time.parse().ok()?)));
    parts.ok_or_else(|| {
        Error::bad_request("`after` is no `next` of deleted workspaces").with("field", "after")
    })
}
