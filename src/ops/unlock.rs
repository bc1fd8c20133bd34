//! `unlock`: let go of a lock.

use serde::{Deserialize, Serialize};

use super::{
    Context, Lane, Operation,
    change::{Durability, Reply},
    far::Far,
    lsremote::access,
    plain::Plain,
};
use crate::{
    error::Result,
    git::{Auth, Lease, LockName, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    path: RepositoryPath,
    name: LockName,
    token: u64,
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

#[derive(Serialize)]
pub struct Released {
    name: String,
    token: u64,
    owner: String,
}

impl Released {
    fn of(lease: Lease) -> Released {
        Released { name: lease.name, token: lease.token, owner: lease.owner }
    }
}

impl Operation for Unlock {
    const NAME: &'static str = "unlock";

    type Reply = Reply<Released>;

    fn lane(&self) -> Lane {
        Far::lane(&self.path, self.url.as_ref().or(self.remote.as_ref()))
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        if let Some(far) = self.far()? {
            self.durability.expect_usual()?;
            let lease = far.locks(context, &self.path)?.release(&self.name, self.token)?;
            return Ok(Reply::of(Released::of(lease)));
        }
        let mut transaction = context.transaction();
        let released = Released::of(transaction.release_lock(&self.name, self.token)?);
        Ok(self.durability.promise(&mut transaction, released))
    }
}

impl Unlock {
    /// The remote that keeps it, if one does.
    fn far(&self) -> Result<Option<Far>> {
        let Self { url, remote, auth, known_hosts, ca, ca_file, proxy, .. } = self;
        let access =
            access(auth.clone(), known_hosts.clone(), ca.clone(), ca_file.clone(), proxy.clone());
        Far::of(url.as_ref(), remote.as_ref(), access)
    }
}
