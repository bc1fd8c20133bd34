//! Locks of a remote, in the child: where their refs are and what their commits say. Nothing of it
//! is written into a repository here.

use git2::{AutotagOption, Direction, Oid};
use serde_bytes::ByteBuf;

use super::{
    Look, Shown, Wanted,
    access::Refusal,
    ask::{connect, list_by_stock, name_of},
    fetch::{confine_source, fetch_options, prepare},
    scratch, stock,
};
use crate::{
    error::{Error, Result},
    git::{Repository, locks::LockName},
    watch::{Progress, Stage, Watch},
};

pub(super) fn look(order: &Look, watch: &Watch) -> Result<Vec<Shown>> {
    prepare(&order.remote)?;
    confine_source(&order.root, &order.remote)?;
    watch.tell(&Progress { stage: Stage::Connecting, done: 0, total: 0, bytes: 0 });
    let mut scratch = None;
    let refs = match order.remote.needs_stock() {
        true => by_stock(order, &mut scratch, watch)?,
        false => on_a_connection(order, &mut scratch, watch)?,
    };
    let shown = refs.into_iter().map(|(reference, id)| {
        let is_known = order.known.contains(&id);
        let content =
            (!is_known).then(|| content(scratch.as_ref(), &reference, &id)).transpose()?;
        Ok(Shown { reference, id, content })
    });
    shown.collect()
}

type Refs = Vec<(String, String)>;

fn by_stock(order: &Look, scratch: &mut Option<Repository>, watch: &Watch) -> Result<Refs> {
    let refs = wanted(order, list_by_stock(&order.remote, order.git.as_deref())?);
    let specs = missing(order, &refs);
    if !specs.is_empty() {
        let repository = scratch.insert(scratch::empty(&order.folder)?);
        let git = order.git.as_deref().unwrap_or_default();
        stock::fetch(git, &order.remote, repository, &specs, (Some(1), true), watch)?;
    }
    Ok(refs)
}

fn on_a_connection(order: &Look, scratch: &mut Option<Repository>, watch: &Watch) -> Result<Refs> {
    let (remote, refusal) = (&order.remote, Refusal::default());
    let explain = |error| refusal.explain(&remote.url, error);
    let repository = &*scratch.insert(scratch::empty(&order.folder)?);
    let mut origin = repository.inner.remote_anonymous(&remote.connect_url())?;
    let mut again = repository.inner.remote_anonymous(&remote.connect_url())?;
    let mut connection = match connect(remote, Direction::Fetch, &mut origin, &refusal) {
        Err(error) if remote.was_led_to_https(&error)? => {
            connect(remote, Direction::Fetch, &mut again, &refusal)?
        }
        connected => connected?,
    };
    let heads = connection.list().map_err(explain)?;
    let heads = heads.iter().filter_map(|it| Some((name_of(it)?, it.oid().to_string())));
    let refs = wanted(order, heads.collect());
    let specs = missing(order, &refs);
    if !specs.is_empty() {
        refusal.accepted();
        let mut options = fetch_options(remote, &refusal, watch, AutotagOption::None);
        if !remote.url.is_local() {
            options.depth(1);
        }
        connection.remote().download(&specs, Some(&mut options)).map_err(explain)?;
    }
    Ok(refs)
}

/// Those that were asked for, in the order of the locks' names.
fn wanted(order: &Look, refs: Refs) -> Refs {
    let (prefix, after, count) = match &order.wanted {
        Wanted::One(wanted) => return refs.into_iter().filter(|(it, _)| it == wanted).collect(),
        Wanted::Some { prefix, after, count } => (prefix, after.as_deref(), *count),
    };
    let locks = refs.into_iter().filter_map(|it| Some((LockName::of_reference(&it.0)?, it)));
    let is_wanted = |name: &str| name.starts_with(prefix) && after.is_none_or(|it| it < name);
    let mut locks: Vec<_> = locks.filter(|(name, _)| is_wanted(name.as_str())).collect();
    locks.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    locks.into_iter().take(count).map(|(_, it)| it).collect()
}

/// The refs whose commits have to be brought.
fn missing(order: &Look, refs: &Refs) -> Vec<String> {
    let missing = refs.iter().filter(|(_, id)| !order.known.contains(id));
    missing.map(|(name, _)| name.clone()).collect()
}

fn content(scratch: Option<&Repository>, reference: &str, id: &str) -> Result<ByteBuf> {
    let odb = scratch.ok_or_else(|| Error::internal("nothing was brought"))?.inner.odb()?;
    let object = odb.read(Oid::from_str(id)?)?;
    match object.kind() {
        git2::ObjectType::Commit => Ok(ByteBuf::from(object.data())),
        _ => Err(Error::corrupt(format!("{reference} of the remote is no lock"))),
    }
}
