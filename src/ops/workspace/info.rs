//! `workspace.info`: what there is to say about a workspace without reading its history.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    git::{RepositoryPath, Text, WorkspaceId},
    ops::{Context, Lane, Operation},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    workspace: WorkspaceId,
    path: RepositoryPath,
    deleted_ms: Option<u64>,
}

#[derive(Serialize)]
pub struct Reply {
    workspace: WorkspaceId,
    path: Text,
    branch: Option<Text>,
    head: Option<String>,
    branches: usize,
    tags: usize,
    bytes: u64,
    packs: usize,
    description: Option<Text>,
    created_ms: Option<u64>,
    deleted_ms: Option<u64>,
}

impl Operation for Info {
    const NAME: &'static str = "workspace.info";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let (path, described) = match self.deleted_ms {
            None => {
                let described = context.open(&self.path)?.describe(context.watch)?;
                (self.path.to_text(), described)
            }
            Some(time) => {
                let (path, deleted) = context.workspaces()?.open_deleted(&self.workspace, time)?;
                (Text::of_path(&path), deleted.describe(context.watch)?)
            }
        };
        Ok(Reply {
            workspace: self.workspace,
            path,
            branch: described.branch,
            head: described.head,
            branches: described.branches,
            tags: described.tags,
            bytes: described.bytes,
            packs: described.packs,
            description: described.description,
            created_ms: described.created_ms,
            deleted_ms: self.deleted_ms,
        })
    }
}
