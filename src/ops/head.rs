//! `head`: the commit of `HEAD`.

use serde::{Deserialize, Serialize};

use super::{Context, Lane, Operation};
use crate::{
    error::Result,
    git::{RepositoryPath, Text},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    path: RepositoryPath,
}

#[derive(Serialize)]
pub struct Reply {
    sha: String,
    author: Text,
    email: Text,
    message: Text,
    /// Seconds since 1970 when it was committed.
    timestamp: i64,
}

impl Operation for Head {
    const NAME: &'static str = "head";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Read(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let commit = context.open(&self.path)?.commit("HEAD")?;
        Ok(Reply {
            sha: commit.sha,
            author: commit.author.name,
            email: commit.author.email,
            message: commit.message,
            timestamp: commit.committer.time,
        })
    }
}
