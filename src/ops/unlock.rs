//! `unlock`: let go of a lock.

use serde::{Deserialize, Serialize};

use super::{
    Context, Lane, Operation,
    change::{Durability, Reply},
};
use crate::{
    error::Result,
    git::{LockName, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    path: RepositoryPath,
    name: LockName,
    token: u64,
    #[serde(default)]
    durability: Durability,
}

#[derive(Serialize)]
pub struct Released {
    name: String,
    token: u64,
    owner: String,
}

impl Operation for Unlock {
    const NAME: &'static str = "unlock";

    type Reply = Reply<Released>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let mut transaction = context.transaction();
        let lease = transaction.release_lock(&self.name, self.token)?;
        let released = Released { name: lease.name, token: lease.token, owner: lease.owner };
        Ok(self.durability.promise(&mut transaction, released))
    }
}
