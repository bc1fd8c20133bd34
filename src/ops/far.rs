//! Where a lock is kept: in the repository of the request unless it names a remote.

use super::{Context, Lane, plain::Plain, push::place, sync::network};
use crate::{
    error::{Error, Result},
    git::{Access, Remote, RemoteLocks, RepositoryPath},
};

/// What a request says of the remote that keeps its lock.
pub struct Far {
    url: Option<Plain>,
    name: Option<Plain>,
    access: Access,
}

impl Far {
    /// None where it is not on a remote.
    pub fn of(url: Option<&Plain>, name: Option<&Plain>, access: Access) -> Result<Option<Far>> {
        if url.is_some() || name.is_some() {
            return Ok(Some(Far { url: url.cloned(), name: name.cloned(), access }));
        }
        match access.is_usual() {
            true => Ok(None),
            false => {
                let message = "a way to a remote is given, and no `remote` or `url`";
                Err(Error::bad_request(message).with("field", "remote"))
            }
        }
    }

    /// Where a request runs that changes a lock, which is at `remote` if that is given.
    pub fn lane(path: &RepositoryPath, remote: Option<&Plain>) -> Lane {
        match remote {
            Some(_) => Lane::Send(path.to_path_buf()),
            None => Lane::Change(path.resolved()),
        }
    }

    pub fn locks<'a>(
        self,
        context: &'a Context,
        path: &'a RepositoryPath,
    ) -> Result<RemoteLocks<'a>> {
        let repository = context.open(path)?;
        let (url, _) = place(&repository, self.url, self.name)?;
        let remote = Remote::new(&url, self.access)?;
        context.store.root().confine_remote(&remote)?;
        let (network, locks) = (network(context), context.store.locks());
        Ok(RemoteLocks { network, remote, path, locks, author: repository.owner() })
    }
}
