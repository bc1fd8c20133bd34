//! Submodules of what was synced: from the same kinds of places, with credentials for one host.

use super::{
    Remote, Sync, Transport,
    access::Refusal,
    fetch::{confine_source, fetch_options},
};
use crate::{
    error::{Code, Error, Result},
    git::Repository,
    watch::Watch,
};

pub(super) const DEPTH_MAX: u32 = 8;

pub(super) fn update(order: &Sync, repository: &Repository, level: u32) -> Result<()> {
    if level == DEPTH_MAX {
        let message = format!("submodules are nested deeper than {DEPTH_MAX}");
        return Err(Error::unsupported(message).with("feature", "submodule"));
    }
    for mut submodule in repository.inner.submodules()? {
        let (refusal, watch) = (Refusal::default(), Watch::default());
        let name = String::from_utf8_lossy(submodule.name_bytes()).into_owned();
        let unsound = |error| match Error::from(error) {
            error if error.code == Code::Locked => error,
            _ => Error::invalid(format!("the submodule {name:?} has no sound name or url")),
        };
        submodule.init(false).map_err(unsound)?;
        let config = repository.inner.config()?;
        let url = config.get_string(&format!("submodule.{name}.url")).map_err(unsound)?;
        let remote = Remote::new(&url, order.remote.access.clone())?;
        if !order.transports.contains(&remote.url.transport) || is_local_trick(order, &remote) {
            return Err(super::url::not_allowed(remote.url.transport.name()));
        }
        confine_source(&order.root, &remote)?;
        // Credentials are for the host they were given for.
        let owner = Remote { url: order.remote.url.clone(), access: remote.access };
        let mut options = git2::SubmoduleUpdateOptions::new();
        options.fetch(fetch_options(&owner, &refusal, &watch, git2::AutotagOption::Auto));
        let updated = submodule.update(true, Some(&mut options));
        drop(options);
        updated.map_err(|error| {
            refusal.explain(&remote.url, error).while_doing(format!("submodule {name}"))
        })?;
        let inner = Repository::from(submodule.open()?);
        update(order, &inner, level + 1)?;
    }
    Ok(())
}

/// Whether a repository from far away names one of ours as its submodule.
fn is_local_trick(order: &Sync, submodule: &Remote) -> bool {
    submodule.url.transport == Transport::File && order.remote.url.transport != Transport::File
}
