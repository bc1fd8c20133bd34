//! `task.heartbeat`: a worker is still at what it claimed.

use serde::{Deserialize, Serialize};

use super::{holding, lease_ms};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain, run::with_run},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    path: RepositoryPath,
    task: Plain,
    token: Plain,
    worker: Option<Plain>,
    /// For how long from now; as long as before where it is not said.
    lease_ms: Option<u64>,
}

#[derive(Serialize)]
pub struct Reply {
    task: String,
    lease_ms: u64,
}

impl Operation for Heartbeat {
    const NAME: &'static str = "task.heartbeat";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let holding = holding(&self.task, self.token, self.worker.as_ref())?;
        let wanted = self.lease_ms.map(lease_ms).transpose()?;
        with_run(context, &holding.task.run, |keeper, transaction| {
            let lease = keeper.heartbeat(&holding, wanted, transaction)?;
            transaction.be_durable();
            Ok(Reply { task: self.task.into(), lease_ms: lease.lease_ms })
        })
    }
}
