//! `workspace.delete`: take a workspace out of use, so that it can be restored.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    git::{Expect, RepositoryPath, WorkspaceId, Writer},
    ops::{Context, Lane, Operation, change::Fence, plain::Plain},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    workspace: WorkspaceId,
    path: RepositoryPath,
    expect: Option<Plain>,
    fence: Option<Fence>,
}

#[derive(Serialize)]
pub struct Reply {
    workspace: WorkspaceId,
    /// Milliseconds since 1970.
    deleted_ms: u64,
}

impl Operation for Delete {
    const NAME: &'static str = "workspace.delete";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Write(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let expect = self.expect.as_deref();
        expect.map(Expect::new).transpose()?;
        let workspaces = context.workspaces()?;
        let (path, fence) = (&self.path, self.fence.as_ref());
        let deleted_ms =
            workspaces.delete(&self.workspace, expect, context.watch, |delete| match fence {
                None => {
                    let _right = Writer::of_store(path, context.watch)?;
                    delete()
                }
                Some(_) => context.store.change_alone(path, context.watch, |transaction| {
                    Fence::check(fence, transaction)?;
                    // They would go along with the workspace.
                    transaction.release_refs();
                    delete()
                }),
            })?;
        context.store.forget(&self.path);
        Ok(Reply { workspace: self.workspace, deleted_ms })
    }
}
