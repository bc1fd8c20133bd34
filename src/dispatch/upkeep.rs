//! Housekeeping that nobody asked for: of repositories that were written, one at a time, when they
//! have been quiet for a while. Never at the end, and whatever runs then is killed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use super::Dispatch;
use crate::{
    git::{Network, RepositoryPath, Upkeep},
    ops::HOUSEWORK_MS_MAX,
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

#[derive(Default)]
struct State {
    written: HashMap<PathBuf, Written>,
    is_over: bool,
    /// Of the housekeeping that runs now.
    watch: Arc<Watch>,
}

struct Written {
    first: Instant,
    last: Instant,
}

impl Schedule {
    pub fn new(every: Duration) -> Schedule {
        Schedule { every, state: Mutex::default(), changed: Condvar::new() }
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
                state.written.insert(path.to_owned(), Written { first: now, last: now });
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

    /// Waits for a repository that is due; nothing at the end.
    fn next(&self) -> Option<PathBuf> {
        let mut state = self.state.lock().expect("nobody panics with the lock");
        loop {
            if state.is_over {
                return None;
            }
            let now = Instant::now();
            let due = |it: &Written| {
                let quiet = it.last + self.every / QUIET_PART;
                quiet.max(it.first + self.every)
            };
            let next = state.written.iter().map(|(path, it)| (due(it), path.clone())).min();
            state = match next {
                None => self.changed.wait(state).expect("nobody panics with the lock"),
                Some((at, path)) if at <= now => {
                    state.written.remove(&path);
                    return Some(path);
                }
                Some((at, _)) => {
                    let waited = self.changed.wait_timeout(state, at - now);
                    waited.expect("nobody panics with the lock").0
                }
            }
        }
    }

    fn watch(&self) -> Arc<Watch> {
        self.state.lock().expect("nobody panics with the lock").watch.clone()
    }
}

impl Dispatch {
    /// The thread for it, until the end.
    pub(super) fn keep_up(&self) {
        while let Some(path) = self.schedule.next() {
            let watch = self.schedule.watch();
            let network = Network {
                root: self.store.root(),
                transports: &self.settings.transports,
                git: &self.settings.git,
                limit_ms: HOUSEWORK_MS_MAX,
                watch: &watch,
            };
            let upkeep = Upkeep { full: false, prune_after: PRUNE_AFTER };
            let path = RepositoryPath::resolved_to(&path);
            match self.store.maintain(&path, &upkeep, &network) {
                Ok(upkept) => log::info!("{}: {upkept:?}", path.display()),
                // Somebody else does it, or it is gone.
                Err(error) => log::info!("{}: {error}", path.display()),
            }
        }
    }
}
