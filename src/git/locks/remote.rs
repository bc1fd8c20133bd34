//! Locks that a remote keeps: each change is a push that finds the ref where it was seen.
//!
//! What was seen last is tried first; nobody is refused, and nobody sure of anything, before the
//! remote was asked. A push whose outcome nobody told is looked for in what the remote has then.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::Duration,
};

use git2::Oid;

use super::{
    HeldLock, Lease, LockKey, LockName, LockPage, LockQuery, Locks, Queued, Wait, held,
    memory::{Keeper, boottime_ms, jittered_ms},
    next,
    state::{Decision, Holder, Now, Refusal, Request, Wish, barrier, decide},
    text::{self, Seen},
};
use crate::{
    error::{Code, Error, Result},
    git::{
        Network, Person, Remote, RepositoryPath,
        hash::object_id,
        pack::Kind,
        remote::{Shown, Swap, Wanted},
    },
};

/// Who finds a lock elsewhere each time gives up after so many times: it is free for none of them.
pub(super) const ATTEMPTS_MAX: u32 = 12;
/// How long is waited between two of them, at first and at most.
const PAUSE_MS: u64 = 50;
const PAUSE_MS_MAX: u64 = 800;
/// How long one who waits for a lock lets pass between two looks, at first and at most.
const POLL_MS: u64 = 100;
const POLL_MS_MAX: u64 = 1000;
/// It is not less where the lock expires sooner.
const POLL_MS_MIN: u64 = 10;
/// So many locks are listed with one connection.
const PAGE: usize = 1000;

pub struct RemoteLocks<'a> {
    pub network: Network<'a>,
    pub remote: Remote,
    /// The repository that the request is about. Nothing is written there.
    pub path: &'a RepositoryPath,
    pub locks: &'a Arc<Locks>,
    pub author: Person,
}

/// A request for a lock, over all its turns.
pub struct Patience {
    nonce: String,
    place: Option<Queued>,
    gives_up_ms: u64,
    poll_ms: u64,
}

pub enum Taken {
    Now(Lease),
    Later(Wait),
}

/// A push of which nobody knows whether it arrived.
struct Doubt {
    from: Option<Oid>,
    to: Oid,
    decision: Decision,
    error: Error,
}

impl Patience {
    pub fn new(wait_ms: u64) -> Patience {
        // No two requests of all machines may believe that they made the same commit.
        let random = || RandomState::new().build_hasher().finish();
        Patience {
            nonce: format!("{:016x}{:016x}", random(), random()),
            place: None,
            gives_up_ms: boottime_ms() + wait_ms,
            poll_ms: POLL_MS,
        }
    }

    fn is_over(&self) -> bool {
        self.gives_up_ms <= boottime_ms()
    }
}

impl RemoteLocks<'_> {
    /// Takes a lock for whoever is first in its queue here, or has no place in one that is empty.
    /// Whoever may wait gets another turn.
    pub fn take(&self, name: &LockName, wish: &Wish, patience: &mut Patience) -> Result<Taken> {
        let key = self.key(name);
        let wish = Wish { nonce: Some(patience.nonce.clone()), ..wish.clone() };
        let number = patience.place.as_ref().map(Queued::number);
        let was_first = self.locks.is_first(&key, number);
        let refusal = match was_first {
            true => match self.change(name, &Request::Take(&wish)) {
                Ok(lease) => return Ok(Taken::Now(lease)),
                Err(error) if error.code == Code::Locked => error,
                Err(error) => return Err(error),
            },
            false => self.behind(name, &key),
        };
        if patience.is_over() {
            return Err(refusal);
        }
        let seen = self.locks.seen(&key).unwrap_or_default();
        let now = self.locks.now(&key, &seen.written.state);
        let left_ms = barrier(&seen.written.state, wish.is_shared, &now).map(|(_, left)| left);
        let pause_ms = left_ms.unwrap_or(0).clamp(POLL_MS_MIN, jittered_ms(patience.poll_ms));
        patience.poll_ms = (patience.poll_ms * 3 / 2).min(POLL_MS_MAX);
        let (gives_up_ms, is_shared) = (patience.gives_up_ms, wish.is_shared);
        let number = patience.place.get_or_insert_with(|| self.locks.line_up(&key)).number();
        let until_ms = if was_first { now.stamp.at_ms + pause_ms } else { gives_up_ms };
        let seen = self.locks.mark(&key);
        Ok(Taken::Later(Wait {
            key,
            number,
            is_shared,
            was_first,
            seen,
            until_ms,
            beaten: 0,
            gives_up_ms,
        }))
    }

    pub fn renew(&self, name: &LockName, token: u64, ttl_ms: u64) -> Result<Lease> {
        self.change(name, &Request::Renew { token, ttl_ms })
    }

    pub fn release(&self, name: &LockName, token: u64) -> Result<Lease> {
        self.change(name, &Request::Release { token })
    }

    /// The locks that are held, in the order of their names.
    pub fn list(&self, query: &LockQuery) -> Result<LockPage> {
        let mut page = LockPage { locks: Vec::new(), next: None };
        let mut after = query.after.clone();
        loop {
            let prefix = query.prefix.clone();
            let wanted = Wanted::Some { prefix, after: after.take(), count: PAGE };
            let shown = self.network.look(self.remote.clone(), wanted, Vec::new())?;
            let is_last = shown.len() < PAGE;
            for it in shown {
                let Some(name) = LockName::of_reference(&it.reference) else { continue };
                let held = self.held(&name, it)?;
                after = Some(name.as_str().to_owned());
                let Some(held) = held else { continue };
                if page.locks.len() == query.limit {
                    page.next = page.locks.last().map(|it| it.name.clone());
                    return Ok(page);
                }
                page.locks.push(held);
            }
            if is_last {
                return Ok(page);
            }
        }
    }

    fn held(&self, name: &LockName, shown: Shown) -> Result<Option<HeldLock>> {
        let key = self.key(name);
        let seen = understood(name, shown, None)?;
        self.locks.see(&key, &seen);
        Ok(held(name, &key, seen.written.state, self.locks))
    }

    pub(super) fn key(&self, name: &LockName) -> LockKey {
        let keeper = Keeper::Remote(self.remote.url.as_str().to_owned());
        LockKey { keeper, reference: name.reference() }
    }

    /// Reads, decides and pushes until the remote has it, or refuses for good.
    fn change(&self, name: &LockName, request: &Request) -> Result<Lease> {
        let (key, watch) = (self.key(name), self.network.watch);
        let mut before = self.locks.seen(&key);
        let mut doubt: Option<Doubt> = None;
        for attempt in 0..ATTEMPTS_MAX {
            let is_old = before.is_some();
            let seen = match before.take().map_or_else(|| self.look(&key, name), Ok) {
                Ok(seen) => seen,
                Err(error) if doubt.is_none() => return Err(error),
                Err(_) => {
                    self.pause(attempt)?;
                    continue;
                }
            };
            let now = self.locks.now(&key, &seen.written.state);
            if let Some(holder) = done(request, &seen, &now, doubt.as_ref()) {
                self.locks.stir(&key);
                return leased(name, request, holder);
            }
            // From where it is now nothing that was sent can move it any more.
            if doubt.take_if(|it| it.from != seen.at).is_some() {
                watch.settle();
            }
            let decision = match decide(&seen.written.state, request, &now) {
                Ok(decision) => decision,
                Err(_) if is_old => continue,
                Err(refusal) => return Err(refusal.of(name.as_str())),
            };
            let (after, commits) = self.next(name, &seen, &decision);
            match self.swap(&key, &seen, &after, commits) {
                Ok(Swap::Moved) => {
                    self.locks.see(&key, &after);
                    self.locks.stir(&key);
                    return leased(name, request, decision.holder);
                }
                Ok(Swap::Elsewhere) => (),
                Err(error) if error.code == Code::Locked => (),
                Err(error) if watch.is_in_doubt() && may_have_arrived(&error) => {
                    let to = after.at.unwrap_or(Oid::ZERO_SHA1);
                    doubt = Some(Doubt { from: seen.at, to, decision, error });
                }
                Err(error) => return Err(error),
            }
            if doubt.is_none() {
                watch.settle();
            }
            self.pause(attempt)?;
        }
        Err(doubt.map_or_else(|| restless(name), |it| it.error(request)))
    }

    /// What the remote has now.
    pub(super) fn look(&self, key: &LockKey, name: &LockName) -> Result<Seen> {
        let before = self.locks.seen(key);
        let known = before.iter().filter_map(|it| it.at);
        let known: Vec<String> = known.map(|it| it.to_string()).collect();
        let look = || {
            let wanted = Wanted::One(key.reference.clone());
            self.network.look(self.remote.clone(), wanted, known.clone())
        };
        // It may be gone by the time that it is asked for: then another one is there.
        let shown = look().or_else(|it| if is_outdated(&it) { look() } else { Err(it) })?.pop();
        let seen = shown.map_or_else(|| Ok(Seen::default()), |it| understood(name, it, before))?;
        self.locks.see(key, &seen);
        Ok(seen)
    }

    /// The lock after a decision, and the commits to push for it.
    pub(super) fn next(
        &self,
        name: &LockName,
        seen: &Seen,
        decision: &Decision,
    ) -> (Seen, Vec<Vec<u8>>) {
        let tree = object_id(Kind::Tree, b"");
        let (content, written) = next(name, seen.at, &seen.written, decision, tree, &self.author);
        let at = Some(object_id(Kind::Commit, &content));
        let parent = seen.at.map(|_| seen.content.to_vec());
        let commits = parent.into_iter().chain([content.clone()]).collect();
        (Seen { at, content: Arc::new(content), written }, commits)
    }

    fn swap(&self, key: &LockKey, from: &Seen, to: &Seen, commits: Vec<Vec<u8>>) -> Result<Swap> {
        let text = |seen: &Seen| seen.at.map(|it| it.to_string());
        let (remote, new) = (self.remote.clone(), text(to).unwrap_or_default());
        self.network.swap(remote, self.path, &key.reference, text(from), new, commits)
    }

    /// What one hears before whom others wait here.
    fn behind(&self, name: &LockName, key: &LockKey) -> Error {
        let seen = self.locks.seen(key).unwrap_or_default();
        let now = self.locks.now(key, &seen.written.state);
        match barrier(&seen.written.state, false, &now) {
            Some((holder, left_ms)) => Refusal::held(holder, left_ms).of(name.as_str()),
            None => Refusal::behind(name.as_str(), self.locks.waiting(key)),
        }
    }

    /// Lets others go on who were in the way.
    pub(super) fn pause(&self, attempt: u32) -> Result<()> {
        let time = (PAUSE_MS << attempt.min(8)).min(PAUSE_MS_MAX);
        self.network.watch.pause(Duration::from_millis(jittered_ms(time)));
        self.network.watch.check()
    }
}

impl Doubt {
    fn error(self, request: &Request) -> Error {
        let Doubt { error, decision, .. } = self;
        let Request::Take(wish) = request else { return error };
        let error = error.while_doing("the lock may have been taken, and be held until it expires");
        error.with("token", decision.holder.token).with("expires_in_ms", wish.ttl_ms)
    }
}

/// Whether the remote showed a ref that it had no more when its commit was wanted.
fn is_outdated(error: &Error) -> bool {
    // What stock git passes on, and what libgit2 makes of the same.
    ["not our ref", "unexpected packet type"].iter().any(|it| error.message.contains(it))
}

/// Whether the remote may have done what ended with this error.
fn may_have_arrived(error: &Error) -> bool {
    // Those are its own words about what it did not do.
    !matches!(error.code, Code::Denied | Code::Unauthorized | Code::Unsupported)
}

/// Whose lock it is if what was sent in vain arrived after all.
fn done(request: &Request, seen: &Seen, now: &Now, doubt: Option<&Doubt>) -> Option<Holder> {
    let mut holders = seen.written.state.holders.iter().filter(|it| 0 < now.left_ms(it));
    match request {
        Request::Take(wish) => holders.find(|it| it.nonce == wish.nonce).cloned(),
        // Doing it once more does no harm.
        Request::Renew { .. } => None,
        Request::Release { .. } => {
            let doubt = doubt?;
            let parent = format!("\nparent {}\n", doubt.to);
            let is_behind = || {
                let mut windows = seen.content.windows(parent.len());
                windows.any(|it| it == parent.as_bytes())
            };
            (seen.at == Some(doubt.to) || is_behind()).then(|| doubt.decision.holder.clone())
        }
    }
}

fn understood(name: &LockName, shown: Shown, before: Option<Seen>) -> Result<Seen> {
    let at = Some(Oid::from_str(&shown.id)?);
    match (shown.content, before) {
        (Some(content), _) => {
            let written = text::read(name, &content)?;
            Ok(Seen { at, content: Arc::new(content.into_vec()), written })
        }
        (None, Some(before)) if before.at == at => Ok(before),
        (None, _) => Err(Error::internal("the commit of a lock was not brought")),
    }
}

/// What is answered now for what was decided before it was sent.
fn leased(name: &LockName, request: &Request, holder: Holder) -> Result<Lease> {
    let expires_at = holder.since.at_ms.saturating_add(holder.ttl_ms);
    let expires_in_ms = expires_at.saturating_sub(boottime_ms());
    if expires_in_ms == 0 && !matches!(request, Request::Release { .. }) {
        let message = format!("the lock `{}` expired before the remote answered", name.as_str());
        return Err(Error::timeout(message).with("token", holder.token));
    }
    let name = name.as_str().to_owned();
    Ok(Lease {
        name,
        token: holder.token,
        owner: holder.owner,
        shared: holder.is_shared,
        expires_in_ms,
    })
}

/// Nobody held it for long, and somebody else was quicker each time.
pub(super) fn restless(name: &LockName) -> Error {
    let message = format!("others change the lock `{}` all the time", name.as_str());
    Error::locked(message).with("retry_after_ms", PAUSE_MS_MAX)
}
