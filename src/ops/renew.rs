//! `renew`: hold a lock for longer.

use serde::Deserialize;

use super::{
    Context, Lane, Operation,
    change::{Durability, Reply},
    far::Far,
    lock::ttl_ms,
    lsremote::access,
    plain::Plain,
};
use crate::{
    error::Result,
    git::{Auth, Lease, LockName, RepositoryPath},
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
    url: Option<Plain>,
    remote: Option<Plain>,
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
}

impl Operation for Renew {
    const NAME: &'static str = "renew";

    type Reply = Reply<Lease>;

    fn lane(&self) -> Lane {
        Far::lane(&self.path, self.url.as_ref().or(self.remote.as_ref()))
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let ttl_ms = ttl_ms(self.ttl_ms)?;
        if let Some(far) = self.far()? {
            self.durability.expect_usual()?;
            let locks = far.locks(context, &self.path)?;
            return locks.renew(&self.name, self.token, ttl_ms).map(Reply::of);
        }
        let mut transaction = context.transaction();
        let lease = transaction.renew_lock(&self.name, self.token, ttl_ms)?;
        Ok(self.durability.promise(&mut transaction, lease))
    }
}

impl Renew {
    /// The remote that keeps it, if one does.
    fn far(&self) -> Result<Option<Far>> {
        let Self { url, remote, auth, known_hosts, ca, ca_file, proxy, .. } = self;
        let access =
            access(auth.clone(), known_hosts.clone(), ca.clone(), ca_file.clone(), proxy.clone());
        Far::of(url.as_ref(), remote.as_ref(), access)
    }
}
