//! Notes that come with a sync, in the child. They are merged into ours by the daemon.

use git2::{AutotagOption, Direction, Oid};

use super::{
    Sync,
    access::Refusal,
    ask::{connect, list_by_stock, name_of},
    fetch::fetch_options,
    leftovers, stock,
};
use crate::{
    error::Result,
    git::{Repository, refs::Namespace},
    watch::Watch,
};

/// Fetches the wanted notes that moved at the remote: all of their history, since without it
/// nobody could tell what is new in them.
pub(super) fn fetch(order: &Sync, repository: &Repository, watch: &Watch) -> Result<()> {
    if !order.bring.notes.is_any() {
        return Ok(());
    }
    let refs = match order.remote.needs_stock() {
        true => list_by_stock(&order.remote, order.git.as_deref())?,
        false => list(order, repository)?,
    };
    let has_moved = |namespace: &Namespace, tip: &str| {
        let here = repository.inner.find_reference(&namespace.tracking()).ok();
        here.and_then(|it| it.target()) != Oid::from_str(tip).ok()
    };
    let namespaces = refs.iter().filter_map(|(name, tip)| Some((Namespace::of(name)?, tip)));
    let refspecs: Vec<String> = namespaces
        .filter(|(it, tip)| order.bring.notes.has(it.name()) && has_moved(it, tip))
        .map(|(it, _)| it.refspec())
        .collect();
    if refspecs.is_empty() {
        return Ok(());
    }
    let writer = leftovers::take_for_notes(repository, watch)?;
    if let Some(git) = &order.git
        && stock::is_for(order, repository)?
        && stock::fetch(git, &order.remote, repository, &refspecs, (None, false), watch)?
    {
        writer.finish();
        return Ok(());
    }
    let refusal = Refusal::default();
    let mut origin = repository.inner.remote_anonymous(&order.remote.connect_url())?;
    let mut connection = connect(&order.remote, Direction::Fetch, &mut origin, &refusal)?;
    refusal.accepted();
    let mut options = fetch_options(&order.remote, &refusal, watch, AutotagOption::None);
    let fetched = connection.remote().fetch(&refspecs, Some(&mut options), None);
    fetched.map_err(|error| refusal.explain(&order.remote.url, error))?;
    writer.finish();
    Ok(())
}

fn list(order: &Sync, repository: &Repository) -> Result<Vec<(String, String)>> {
    let (remote, refusal) = (&order.remote, Refusal::default());
    let mut origin = repository.inner.remote_anonymous(&remote.connect_url())?;
    let connection = connect(remote, Direction::Fetch, &mut origin, &refusal)?;
    let heads = connection.list().map_err(|error| refusal.explain(&remote.url, error))?;
    let named = heads.iter().filter_map(|it| Some((name_of(it)?, it.oid().to_string())));
    Ok(named.collect())
}
