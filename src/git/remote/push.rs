//! Moving refs of a remote, in the child: each from where the remote showed it, or not at all.
//!
//! What the remote showed is what it is told to compare with, under its own lock. So nobody is
//! overwritten who moved a ref between the look and the push.

use std::collections::BTreeMap;

use git2::{Direction, Oid, RemoteConnection};

use super::{
    Beside, Expect, Push, Pushed, Reason, Remote, Status, Update,
    access::Refusal,
    ask::{connect, list_by_stock, name_of},
    fetch::{confine_source, prepare},
    leftovers, scratch,
    send::{self, Command, Refusals, Way},
};
use crate::{
    error::{Code, Error, Result},
    git::{
        Repository,
        lock::PACKED_LOCK,
        refs::{BRANCHES, TAGS},
    },
    watch::{Progress, Stage, Watch},
};

pub(super) fn push(order: &Push, watch: &Watch) -> Result<Vec<Pushed>> {
    prepare(&order.remote)?;
    confine_source(&order.root, &order.remote)?;
    let repository = Repository::open_at(&order.path)?;
    order.root.confine_repository(&repository)?;
    watch.tell(&Progress { stage: Stage::Connecting, done: 0, total: 0, bytes: 0 });
    let scratch = order.beside.as_ref().map(|it| beside(order, &repository, it)).transpose()?;
    let source = scratch.as_ref().unwrap_or(&repository);
    let pushed = match order.remote.needs_stock() || order.remote.url.is_local() {
        true => without_connection(order, source, watch)?,
        false => on_a_connection(order, source, watch)?,
    };
    if let Some(name) = &order.name
        && let Err(error) = repository.remember(name, &pushed, watch)
    {
        // The remote has it; the next fetch brings this too.
        log::warn!("what {name} has now could not be written down: {error}");
    }
    Ok(pushed)
}

/// What is pushed from where the repository has not all of it.
fn beside(order: &Push, repository: &Repository, beside: &Beside) -> Result<Repository> {
    // The other one has no configuration that says so.
    straight::<1>(repository, &order.remote)?;
    let has_others = 1 < order.updates.len();
    scratch::of(beside, has_others.then_some(repository))
}

type Heads = BTreeMap<String, Oid>;

/// By libgit2, or by stock git after libgit2 looked.
fn on_a_connection(order: &Push, repository: &Repository, watch: &Watch) -> Result<Vec<Pushed>> {
    let (remote, refusal) = (&order.remote, Refusal::default());
    let [mut origin, mut again, mut once_more, mut afterwards] = straight(repository, remote)?;
    let mut connection = match connect(remote, Direction::Push, &mut origin, &refusal) {
        Err(error) if remote.was_led_to_https(&error)? => {
            connect(remote, Direction::Push, &mut again, &refusal)?
        }
        connected => connected?,
    };
    let mut pushed = judge_all(order, repository, &shown(remote, &refusal, &connection)?)?;
    let Some(commands) = commands(&pushed)? else { return Ok(pushed) };
    refusal.accepted();
    let refusals = match send::choose(order, repository, &commands)? {
        Way::OnConnection => {
            match send::by_libgit2(remote, &refusal, &mut connection, &commands, watch) {
                Err(error) if send::wants_length(&error) => {
                    send::with_length(order, repository, &commands, watch, error)?
                }
                refusals => refusals?,
            }
        }
        way => {
            // Some servers take one connection at a time.
            drop(connection);
            match send::by_stock(order, repository, &commands, watch)? {
                Some(refusals) => refusals,
                None if way == Way::ByStock => return Err(send::needs_git(order, repository)?),
                None => {
                    let mut connection =
                        connect(remote, Direction::Push, &mut once_more, &refusal)?;
                    refusal.accepted();
                    send::by_libgit2(remote, &refusal, &mut connection, &commands, watch)?
                }
            }
        }
    };
    if !refusals.refused.is_empty() {
        refusal.accepted();
        let now = connect(remote, Direction::Push, &mut afterwards, &refusal);
        let now = now.and_then(|it| shown(remote, &refusal, &it)).ok();
        settle(&mut pushed, &refusals, now.as_ref());
    }
    Ok(pushed)
}

/// By stock git alone.
fn without_connection(order: &Push, repository: &Repository, watch: &Watch) -> Result<Vec<Pushed>> {
    let mut pushed = judge_all(order, repository, &listed(order)?)?;
    let Some(commands) = commands(&pushed)? else { return Ok(pushed) };
    send::expect_no_programs(order)?;
    if send::choose(order, repository, &commands)? == Way::OnConnection {
        return Err(send::needs_git(order, repository)?);
    }
    let refusals = send::by_stock(order, repository, &commands, watch)?;
    let Some(refusals) = refusals else { return Err(send::needs_git(order, repository)?) };
    if !refusals.refused.is_empty() {
        settle(&mut pushed, &refusals, listed(order).ok().as_ref());
    }
    Ok(pushed)
}

fn listed(order: &Push) -> Result<Heads> {
    if order.remote.needs_stock() {
        let refs = list_by_stock(&order.remote, order.git.as_deref())?;
        return refs.into_iter().map(|(name, id)| Ok((name, Oid::from_str(&id)?))).collect();
    }
    let mut origin = git2::Remote::create_detached(order.remote.connect_url())?;
    let refusal = Refusal::default();
    let connection = connect(&order.remote, Direction::Push, &mut origin, &refusal)?;
    shown(&order.remote, &refusal, &connection)
}

fn shown(remote: &Remote, refusal: &Refusal, connection: &RemoteConnection) -> Result<Heads> {
    let heads = connection.list().map_err(|error| refusal.explain(&remote.url, error))?;
    let there = heads.iter().filter(|it| !it.oid().is_zero());
    Ok(there.filter_map(|it| Some((name_of(it)?, it.oid()))).collect())
}

/// Ways to the remote that the repository's own configuration does not bend.
fn straight<'a, const N: usize>(
    repository: &'a Repository,
    remote: &Remote,
) -> Result<[git2::Remote<'a>; N]> {
    let url = remote.connect_url();
    let mut ways = Vec::with_capacity(N);
    for _ in 0..N {
        let origin = repository.inner.remote_anonymous(&url)?;
        let is_bent = origin.url().ok() != Some(&*url) || origin.pushurl_bytes().is_some();
        if is_bent {
            let message = "the repository's configuration sends this url elsewhere";
            return Err(Error::unsupported(message).with("feature", "insteadOf"));
        }
        ways.push(origin);
    }
    ways.try_into().map_err(|_| Error::internal("as many were made as were asked for"))
}

/// What can be said before anything is sent.
fn judge_all(order: &Push, repository: &Repository, heads: &Heads) -> Result<Vec<Pushed>> {
    let mut pushed = Vec::with_capacity(order.updates.len());
    for update in &order.updates {
        let old = heads.get(&update.name).copied();
        let verdict = judge(repository, update, old)?;
        pushed.push(Pushed {
            name: update.name.clone(),
            from: old.map(|it| it.to_string()),
            to: update.new.clone(),
            status: verdict.unwrap_or(Status::Rejected),
            reason: verdict.err(),
            words: None,
        });
    }
    if order.atomic && pushed.iter().any(Pushed::is_refused) {
        pushed.iter_mut().filter(|it| !it.is_refused()).for_each(|it| it.refuse(Reason::Atomic));
    }
    Ok(pushed)
}

fn judge(
    repository: &Repository,
    update: &Update,
    old: Option<Oid>,
) -> Result<Result<Status, Reason>> {
    let new = update.new.as_deref().map(Oid::from_str).transpose()?;
    if let Expect::Exactly(expected) = &update.expect
        && *expected != old.map(|it| it.to_string())
    {
        return Ok(Err(Reason::Expected));
    }
    Ok(match (old, new) {
        (None, None) => Err(Reason::NotFound),
        (None, Some(_)) => Ok(Status::Created),
        (Some(_), None) => Ok(Status::Deleted),
        (Some(old), Some(new)) if old == new => Ok(Status::UpToDate),
        (Some(_), Some(_)) if update.name.starts_with(TAGS) => match update.force {
            true => Ok(Status::Forced),
            false => Err(Reason::AlreadyExists),
        },
        (Some(old), Some(new)) => match repository.follows(new, old)? {
            true => Ok(Status::Updated),
            false if update.force => Ok(Status::Forced),
            false => Err(Reason::NonFastForward),
        },
    })
}

/// What the remote has to be told, if anything.
fn commands(pushed: &[Pushed]) -> Result<Option<Vec<Command>>> {
    let id = |id: &Option<String>| id.as_deref().map(Oid::from_str).transpose();
    let mut commands = Vec::new();
    for it in pushed.iter().filter(|it| !it.is_refused() && it.status != Status::UpToDate) {
        commands.push(Command { name: it.name.clone(), old: id(&it.from)?, new: id(&it.to)? });
    }
    Ok(Some(commands).filter(|it| !it.is_empty()))
}

/// Finds out what the remote's refusals mean, by where its refs are `now`.
fn settle(pushed: &mut [Pushed], refusals: &Refusals, now: Option<&Heads>) {
    for it in pushed.iter_mut() {
        let Some(words) = refusals.refused.get(&it.name) else { continue };
        let is_at = now.map(|heads| heads.get(&it.name).map(ToString::to_string));
        if let Some(elsewhere) = is_at.filter(|is_at| *is_at != it.from) {
            it.from = elsewhere;
            it.refuse(Reason::Expected);
        } else if is_about_locks(words) {
            it.refuse(Reason::Locked);
        } else if words.contains("atomic") || words.contains("transaction") {
            it.refuse(Reason::Atomic);
        } else {
            it.refuse(Reason::Remote);
            it.words = Some(refusals.words(words));
        }
    }
    // One of them was the reason for the others, and nobody said which.
    let is_unclear = |it: &Pushed| !it.is_refused() || it.reason == Some(Reason::Atomic);
    if pushed.iter().all(is_unclear) {
        for it in pushed.iter_mut().filter(|it| it.is_refused()) {
            it.refuse(Reason::Locked);
        }
    }
}

/// Whether a remote could not move a ref because somebody else did at that moment.
fn is_about_locks(words: &str) -> bool {
    [
        "lock",
        "failed to update ref",
        "stale info",
        "incorrect old value",
        "reference already exists",
    ]
    .iter()
    .any(|it| words.contains(it))
}

impl Repository {
    /// Whether everything in the history of `old` is in that of `new`, as far as is known here.
    fn follows(&self, new: Oid, old: Oid) -> Result<bool> {
        let is_commit = |id| self.inner.find_commit(id).is_ok();
        Ok(is_commit(old) && is_commit(new) && self.inner.graph_descendant_of(new, old)?)
    }

    /// Notes where a remote has its branches now, as a fetch would.
    fn remember(&self, remote: &str, pushed: &[Pushed], watch: &Watch) -> Result<()> {
        let remote = self.inner.find_remote(remote)?;
        let mut known = Vec::new();
        for it in pushed.iter().filter(|it| !it.is_refused() && it.name.starts_with(BRANCHES)) {
            let spec = remote
                .refspecs()
                .find(|spec| spec.direction() == Direction::Fetch && spec.src_matches(&it.name));
            let name = spec.and_then(|it_spec| it_spec.transform(&it.name).ok());
            if let Some(name) = name.as_ref().and_then(|it| it.as_str().ok()) {
                known.push((name.to_owned(), it.to.as_deref()));
            }
        }
        let locks: Vec<String> = known.iter().map(|(name, _)| format!("{name}.lock")).collect();
        let locks: Vec<&str> = locks.iter().map(String::as_str).chain([PACKED_LOCK]).collect();
        if known.is_empty() {
            return Ok(());
        }
        let writer = leftovers::take(self, &locks, watch)?;
        for (name, id) in known {
            match id {
                Some(id) => {
                    drop(self.inner.reference(
                        &name,
                        Oid::from_str(id)?,
                        true,
                        "update by push",
                    )?);
                }
                None => match self.inner.find_reference(&name).map_err(Error::from) {
                    Ok(mut reference) => reference.delete()?,
                    Err(error) if error.code == Code::NotFound => (),
                    Err(error) => return Err(error),
                },
            }
        }
        writer.finish();
        Ok(())
    }
}
