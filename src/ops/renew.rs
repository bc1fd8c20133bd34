//! `renew`: hold a lock for longer.

use serde::Deserialize;

use super::{
    Context, Lane, Operation,
    change::{Durability, Reply},
    lock::ttl_ms,
};
use crate::{
    error::Result,
    git::{Lease, LockName, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    path: RepositoryPath,
    name: LockName,
    token: u64,
    ttl_ms: u64,
    #[serde(default)]
    durability: Durability,
}

impl Operation for Renew {
    const NAME: &'static str = "renew";

    type Reply = Reply<Lease>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let ttl_ms = ttl_ms(self.ttl_ms)?;
        let mut transaction = context.transaction();
        let lease = transaction.renew_lock(&self.name, self.token, ttl_ms)?;
        Ok(self.durability.promise(&mut transaction, lease))
    }
}
