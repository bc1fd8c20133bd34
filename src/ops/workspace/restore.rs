//! `workspace.restore`: take a deleted workspace into use again.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    git::{RepositoryPath, WorkspaceId},
    ops::{Context, Lane, Operation},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    workspace: WorkspaceId,
    path: RepositoryPath,
    deleted_ms: Option<u64>,
}

#[derive(Serialize)]
pub struct Reply {
    workspace: WorkspaceId,
    /// When it had been deleted, in milliseconds since 1970.
    deleted_ms: u64,
}

impl Operation for Restore {
    const NAME: &'static str = "workspace.restore";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Write(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let deleted_ms = context.workspaces()?.restore(&self.workspace, self.deleted_ms)?;
        Ok(Reply { workspace: self.workspace, deleted_ms })
    }
}
