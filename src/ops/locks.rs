//! `locks`: the locks that are held, and who holds them.

use serde::Deserialize;

use super::{Context, Lane, Operation, far::Far, lsremote::access, paging, plain::Plain};
use crate::{
    error::Result,
    git::{Auth, LockPage, LockQuery, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locks {
    path: RepositoryPath,
    prefix: Option<Plain>,
    #[serde(default = "paging::thousand")]
    limit: usize,
    after: Option<Plain>,
    url: Option<Plain>,
    remote: Option<Plain>,
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
}

impl Operation for Locks {
    const NAME: &'static str = "locks";

    type Reply = LockPage;

    fn lane(&self) -> Lane {
        match self.url.is_some() || self.remote.is_some() {
            true => Lane::Send(self.path.to_path_buf()),
            false => Lane::Search(self.path.to_path_buf()),
        }
    }

    fn run(self, context: &Context) -> Result<LockPage> {
        let far = self.far()?;
        let query = LockQuery {
            prefix: self.prefix.map(String::from).unwrap_or_default(),
            limit: paging::limit(self.limit)?,
            after: self.after.map(String::from),
        };
        if let Some(far) = far {
            return far.locks(context, &self.path)?.list(&query);
        }
        context.open(&self.path)?.locks(&query, context.store.locks(), context.watch)
    }
}

impl Locks {
    /// The remote that keeps it, if one does.
    fn far(&self) -> Result<Option<Far>> {
        let Self { url, remote, auth, known_hosts, ca, ca_file, proxy, .. } = self;
        let access =
            access(auth.clone(), known_hosts.clone(), ca.clone(), ca_file.clone(), proxy.clone());
        Far::of(url.as_ref(), remote.as_ref(), access)
    }
}
