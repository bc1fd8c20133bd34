//! Housekeeping that nobody asked for: of repositories that were written, one at a time, when they
//! have been quiet for a while, and of workspaces that were deleted long ago. Never at the end, and
//! whatever runs then is killed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use super::Dispatch;
use crate::{
    git::{Network, RepositoryPath, Upkeep, cared_for_ago, now_ms},
    ops::{HOUSEWORK_MS_MAX, PURGE_AFTER_MS},
    watch::Watch,
};

/// A repository is quiet when nobody wrote it for this part of the time between two rounds …
const QUIET_PART: u32 = 60;
/// What nothing leads to is kept for so long.
const PRUNE_AFTER: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Which repositories are due when.
pub struct Schedule {
    every: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// When deleted workspaces are looked at next.
    purge_at: Instant,
    written: HashMap<PathBuf, Written>,
    is_over: bool,
    /// Of the housekeeping that runs now.
    watch: Arc<Watch>,
}

struct Written {
    /// When somebody last took care of it, as far as that was within the time between two rounds.
    cared_for: Instant,
    last: Instant,
}

/// What is due.
enum Due {
    Repository(PathBuf),
    /// Workspaces that were deleted long ago.
    Purge,
}

impl Schedule {
    pub fn new(every: Duration) -> Schedule {
        let state = State {
            purge_at: Instant::now() + every / QUIET_PART,
            written: HashMap::new(),
            is_over: false,
            watch: Arc::default(),
        };
        Schedule { every, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Somebody wrote this repository.
    pub fn note(&self, path: &Path) {
        if self.every.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut state = self.state.lock().expect("nobody panics with the lock");
        match state.written.get_mut(path) {
            Some(written) => written.last = now,
            None => {
                // Also by a daemon before this one.
                let ago = cared_for_ago(path).unwrap_or_default().min(self.every);
                let cared_for = now.checked_sub(ago).unwrap_or(now);
                state.written.insert(path.to_owned(), Written { cared_for, last: now });
                self.changed.notify_one();
            }
        }
    }

    /// No more of it; what runs is killed.
    pub fn end(&self) {
        let mut state = self.state.lock().expect("nobody panics with the lock");
        state.is_over = true;
        state.watch.stop();
        self.changed.notify_one();
    }

    /// Waits for what is due; nothing at the end.
    fn next(&self) -> Option<Due> {
        let mut state = self.state.lock().expect("nobody panics with the lock");
        loop {
            if state.is_over {
                return None;
            }
            let now = Instant::now();
            let due = |it: &Written| {
                let quiet = it.last + self.every / QUIET_PART;
                quiet.max(it.cared_for + self.every)
            };
            if state.purge_at <= now {
                state.purge_at = now + self.every;
                return Some(Due::Purge);
            }
            let next = state.written.iter().map(|(path, it)| (due(it), path.clone())).min();
            let until = match next {
                Some((at, path)) if at <= now => {
                    state.written.remove(&path);
                    return Some(Due::Repository(path));
                }
                Some((at, _)) => at.min(state.purge_at),
                None => state.purge_at,
            };
            let waited = self.changed.wait_timeout(state, until - now);
            state = waited.expect("nobody panics with the lock").0;
        }
    }

    fn watch(&self) -> Arc<Watch> {
        self.state.lock().expect("nobody panics with the lock").watch.clone()
    }
}

impl Dispatch {
    /// The thread for it, until the end.
    pub(super) fn keep_up(&self) {
        while let Some(due) = self.schedule.next() {
            let watch = self.schedule.watch();
            match due {
                Due::Repository(path) => self.maintain(&path, &watch),
                Due::Purge => self.purge(&watch),
            }
        }
    }

    fn purge(&self, watch: &Watch) {
        let Some(workspaces) = self.store.workspaces() else { return };
        match workspaces.purge(now_ms().saturating_sub(PURGE_AFTER_MS), watch) {
            Ok(0) => (),
            Ok(count) => log::info!("{count} deleted workspaces are removed for good"),
            Err(error) => log::warn!("deleted workspaces: {error}"),
        }
    }

    fn maintain(&self, path: &Path, watch: &Watch) {
        let network = Network {
            root: self.store.root(),
            transports: &self.settings.transports,
            git: &self.settings.git,
            limit_ms: HOUSEWORK_MS_MAX,
            watch,
        };
        let upkeep = Upkeep { full: false, prune_after: PRUNE_AFTER };
        let path = RepositoryPath::resolved_to(path);
        match self.store.maintain(&path, &upkeep, &network) {
            Ok(upkept) => log::info!("{}: {upkept:?}", path.display()),
            // Somebody else does it, or it is gone.
            Err(error) => log::info!("{}: {error}", path.display()),
        }
    }
}
