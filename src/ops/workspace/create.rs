//! `workspace.create`: make an empty repository that is named by an id.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    git::{Branch, RepositoryPath, Text, WorkspaceId},
    ops::{Context, Lane, Operation, plain::Plain},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    workspace: WorkspaceId,
    path: RepositoryPath,
    #[serde(default = "main")]
    branch: Plain,
    description: Option<Plain>,
}

fn main() -> Plain {
    "main".into()
}

#[derive(Serialize)]
pub struct Reply {
    workspace: WorkspaceId,
    path: Text,
    branch: String,
    /// Milliseconds since 1970.
    created_ms: u64,
}

impl Operation for Create {
    const NAME: &'static str = "workspace.create";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Write(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let branch = Branch::new_one(&self.branch, "branch")?;
        let workspaces = context.workspaces()?;
        let description = self.description.as_deref();
        let created_ms = workspaces.create(&self.workspace, &branch, description)?;
        let (path, branch) = (self.path.to_text(), branch.name().to_owned());
        Ok(Reply { workspace: self.workspace, path, branch, created_ms })
    }
}
