//! Locks that clients hold: each is kept in a ref, whose commit says who holds it.
//!
//! A lock's newest token stays in its ref when nobody holds it, so tokens only grow. When a lock
//! expires is measured by a clock that nobody can set: by the holder's own where it is ours too
//! (the time since this boot), and else from when this process first saw it held like this.

mod fenced;
mod memory;
mod name;
mod remote;
mod state;
mod text;

use git2::Oid;
use serde::Serialize;

use self::{
    memory::Keeper,
    state::{Decision, Holder, Now, Refusal, Request, State, barrier, decide, expect_token},
    text::Written,
};
pub use self::{
    memory::{LockKey, Locks, Queued, Wait, boottime_ms, jittered_ms},
    name::LockName,
    remote::{Patience, RemoteLocks, Taken},
    state::Wish,
};
use super::{
    Person, Repository, Transaction,
    commit::{Content, Message},
    lock::Writer,
    pack::Kind,
    refs::{LOCKS, PACKED},
};
use crate::{error::Result, watch::Watch};

/// A lock's history begins anew after so many commits: with every state as a parent of the next
/// nothing of it could ever be cleared away, and there may be thousands in a second.
const HISTORY_MAX: u64 = 100;
/// So often a lock that is free is left to others that are about to write …
const BEATEN_MAX: u32 = 4;
/// … each for so long at most.
const BEATEN_PAUSE_MS: u64 = 6;

/// Who holds a lock, as a reply has it.
#[derive(Debug, Serialize)]
pub struct Lease {
    pub name: String,
    pub token: u64,
    pub owner: String,
    pub shared: bool,
    pub expires_in_ms: u64,
}

/// A lock that is held.
#[derive(Serialize)]
pub struct HeldLock {
    name: String,
    shared: bool,
    holders: Vec<LockHolder>,
    waiting: u64,
}

#[derive(Serialize)]
pub struct LockHolder {
    token: u64,
    owner: String,
    reason: Option<String>,
    age_ms: u64,
    ttl_ms: u64,
    renewals: u64,
    expires_in_ms: u64,
}

#[derive(Serialize)]
pub struct LockPage {
    locks: Vec<HeldLock>,
    next: Option<String>,
}

pub struct LockQuery {
    pub prefix: String,
    pub limit: usize,
    pub after: Option<String>,
}

/// A lock as a transaction finds it.
struct Found {
    key: LockKey,
    at: Option<Oid>,
    written: Written,
    now: Now,
}

impl Transaction<'_> {
    /// Takes a lock for whoever is first in its queue, or has no place in one that is empty.
    pub fn take_lock(
        &mut self,
        name: &LockName,
        wish: &Wish,
        place: Option<&Queued>,
    ) -> Result<Lease> {
        let found = self.find_lock(name)?;
        if !self.locks().is_first(&found.key, place.map(Queued::number)) {
            // Also one that could share it would come between those who wait and the lock.
            let barrier = barrier(&found.written.state, false, &found.now);
            return Err(match barrier {
                Some((holder, left_ms)) => Refusal::held(holder, left_ms).of(name.as_str()),
                None => Refusal::behind(name.as_str(), self.locks().waiting(&found.key)),
            });
        }
        self.decide_lock(name, found, &Request::Take(wish))
    }

    pub fn renew_lock(&mut self, name: &LockName, token: u64, ttl_ms: u64) -> Result<Lease> {
        let found = self.find_lock(name)?;
        self.decide_lock(name, found, &Request::Renew { token, ttl_ms })
    }

    pub fn release_lock(&mut self, name: &LockName, token: u64) -> Result<Lease> {
        let found = self.find_lock(name)?;
        self.decide_lock(name, found, &Request::Release { token })
    }

    /// Fails unless this token holds the lock; nobody can take it until the transaction is over.
    pub fn expect_lock(&mut self, name: &LockName, token: u64) -> Result<()> {
        let Found { written, now, .. } = self.find_lock(name)?;
        let held = expect_token(&written.state, token, &now);
        held.map(|_| ()).map_err(|it| it.of(name.as_str()))
    }

    /// The same of what somebody gave as a condition, if anything.
    pub fn expect_fence(&mut self, fence: Option<(&LockName, u64)>) -> Result<()> {
        fence.map_or(Ok(()), |(name, token)| self.expect_lock(name, token))
    }

    /// What has to happen before a lock can be taken by somebody who has, or gets, this place in
    /// its queue. Nothing where it can be taken now, or where the time to wait is over.
    pub fn lock_waits(
        &mut self,
        name: &LockName,
        wish: &Wish,
        place: &mut Option<Queued>,
        gives_up_ms: u64,
    ) -> Result<Option<Wait>> {
        let Found { key, written, now, .. } = self.find_lock(name)?;
        if gives_up_ms <= now.stamp.at_ms {
            return Ok(None);
        }
        let was_first = self.locks().is_first(&key, place.as_ref().map(Queued::number));
        let barrier = barrier(&written.state, wish.is_shared, &now);
        if was_first && barrier.is_none() {
            return Ok(None);
        }
        let number = place.get_or_insert_with(|| self.locks().line_up(&key)).number();
        let until_ms = barrier.map_or(gives_up_ms, |(_, left_ms)| now.stamp.at_ms + left_ms);
        let (is_shared, seen) = (wish.is_shared, self.locks().mark(&key));
        Ok(Some(Wait { key, number, is_shared, was_first, seen, until_ms, beaten: 0, gives_up_ms }))
    }

    fn find_lock(&mut self, name: &LockName) -> Result<Found> {
        let key = LockKey::new(self.repository(), name.reference());
        let at = self.at(&key.reference)?;
        let known = at.and_then(|it| self.locks().written(it));
        let written = match (at, known) {
            (_, Some(known)) => known,
            (Some(at), None) => text::read(name, &self.content(at, Kind::Commit)?)?,
            (None, None) => Written::default(),
        };
        let now = self.locks().now(&key, &written.state);
        Ok(Found { key, at, written, now })
    }

    fn decide_lock(&mut self, name: &LockName, found: Found, request: &Request) -> Result<Lease> {
        let Found { key, at, written, now } = found;
        let decision = decide(&written.state, request, &now);
        let decision = decision.map_err(|it| it.of(name.as_str()))?;
        let (tree, author) = (self.empty_tree(), self.repository().owner());
        let (content, after) = next(name, at, &written, &decision, tree, &author);
        let commit = self.add(Kind::Commit, content);
        self.move_to(&key.reference, Some(commit))?;
        self.locks().stir(&key);
        self.locks().remember(commit, &after);
        Ok(Lease::of(name, decision.holder, &now))
    }
}

/// The commit of what was decided, and what it says.
fn next(
    name: &LockName,
    at: Option<Oid>,
    written: &Written,
    decision: &Decision,
    tree: Oid,
    author: &Person,
) -> (Vec<u8>, Written) {
    let goes_on = written.history < HISTORY_MAX;
    let parents: Vec<Oid> = at.filter(|_| goes_on).into_iter().collect();
    let history = if goes_on { written.history + 1 } else { 1 };
    let message = Message { text: text::message(name, decision, history), encoding: None };
    let content = Content { tree, parents: &parents, author, committer: author, message: &message };
    (content.bytes(), Written { state: decision.state.clone(), history })
}

impl Lease {
    fn of(name: &LockName, holder: Holder, now: &Now) -> Lease {
        Lease {
            name: name.as_str().to_owned(),
            token: holder.token,
            shared: holder.is_shared,
            expires_in_ms: now.left_ms(&holder),
            owner: holder.owner,
        }
    }
}

impl LockKey {
    fn new(repository: &Repository, reference: String) -> LockKey {
        let keeper = Keeper::Folder(repository.common_folder().to_owned());
        LockKey { keeper, reference }
    }
}

impl Repository {
    /// Looks at a lock again that somebody waits for: whether it is worth while to try to take it,
    /// or else what is waited for now.
    pub fn look_again(&self, wait: &mut Wait, locks: &Locks) -> Result<bool> {
        let Some(name) = LockName::of_reference(&wait.key.reference) else { return Ok(true) };
        let seen = locks.mark(&wait.key);
        let Some(state) = self.lock_state(&name, &wait.key, locks)? else { return Ok(true) };
        let now = locks.now(&wait.key, &state);
        let Some((_, left_ms)) = barrier(&state, wait.is_shared, &now) else {
            // Of many daemons that see it free one gets it: the others would only hold that up.
            if BEATEN_MAX <= wait.beaten || !Writer::is_at_work(self.common_folder()) {
                return Ok(true);
            }
            wait.beaten += 1;
            wait.was_first = locks.is_first(&wait.key, Some(wait.number));
            (wait.seen, wait.until_ms) = (seen, now.stamp.at_ms + jittered_ms(BEATEN_PAUSE_MS));
            return Ok(false);
        };
        wait.beaten = 0;
        wait.was_first = locks.is_first(&wait.key, Some(wait.number));
        (wait.seen, wait.until_ms) = (seen, now.stamp.at_ms + left_ms);
        Ok(false)
    }

    fn lock_state(&self, name: &LockName, key: &LockKey, locks: &Locks) -> Result<Option<State>> {
        self.expect_plain_ref(&key.reference)?;
        let Ok(id) = self.inner.refname_to_id(&key.reference) else { return Ok(None) };
        if let Some(written) = locks.written(id) {
            return Ok(Some(written.state));
        }
        let written = text::read(name, &self.object(id)?.1)?;
        locks.remember(id, &written);
        Ok(Some(written.state))
    }

    /// The locks that are held, in the order of their names.
    pub fn locks(&self, query: &LockQuery, locks: &Locks, watch: &Watch) -> Result<LockPage> {
        let mut names = Vec::new();
        self.expect_plain_ref(PACKED)?;
        for name in self.inner.references_glob(&format!("{LOCKS}*"))?.names() {
            let Some(name) = LockName::of_reference(name?) else { continue };
            let is_after = query.after.as_deref().is_none_or(|it| it < name.as_str());
            if is_after && name.as_str().starts_with(&query.prefix) {
                names.push(name);
            }
        }
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        let mut page = LockPage { locks: Vec::new(), next: None };
        for name in names {
            watch.check()?;
            let Some(held) = self.held_lock(&name, locks)? else { continue };
            if page.locks.len() == query.limit {
                page.next = page.locks.last().map(|it| it.name.clone());
                break;
            }
            page.locks.push(held);
        }
        Ok(page)
    }

    fn held_lock(&self, name: &LockName, locks: &Locks) -> Result<Option<HeldLock>> {
        let key = LockKey::new(self, name.reference());
        let state = self.lock_state(name, &key, locks)?;
        Ok(state.and_then(|state| held(name, &key, state, locks)))
    }
}

/// Who holds a lock, if anybody does.
fn held(name: &LockName, key: &LockKey, state: State, locks: &Locks) -> Option<HeldLock> {
    let now = locks.now(key, &state);
    let age_ms = |taken: i64| now.wall.saturating_sub(taken).max(0).cast_unsigned() * 1000;
    let shared = state.holders.iter().any(|it| it.is_shared);
    let holders = state.holders.into_iter().map(|it| LockHolder {
        expires_in_ms: now.left_ms(&it),
        token: it.token,
        reason: it.reason,
        age_ms: age_ms(it.taken),
        ttl_ms: it.ttl_ms,
        renewals: it.renewals,
        owner: it.owner,
    });
    let holders: Vec<LockHolder> = holders.filter(|it| 0 < it.expires_in_ms).collect();
    let waiting = locks.waiting(key) as u64;
    let name = name.as_str().to_owned();
    (!holders.is_empty()).then_some(HeldLock { name, shared, holders, waiting })
}
