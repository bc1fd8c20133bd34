//! The repositories that this process has had to do with, for whoever watches them.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

/// By the folders that all worktrees share.
#[derive(Default)]
pub struct Met {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    known: HashSet<PathBuf>,
    /// Those that are new, or were written here, since somebody last asked.
    news: HashSet<PathBuf>,
}

impl Met {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    /// Somebody has to do with this repository.
    pub fn meet(&self, common_folder: &Path) {
        let mut state = self.state();
        if !state.known.contains(common_folder) {
            state.known.insert(common_folder.to_owned());
            self.tell(state, common_folder);
        }
    }

    /// Something was done in this repository.
    pub fn change(&self, common_folder: &Path) {
        let state = self.state();
        if !state.news.contains(common_folder) {
            self.tell(state, common_folder);
        }
    }

    fn tell(&self, mut state: MutexGuard<'_, State>, common_folder: &Path) {
        let was_quiet = state.news.is_empty();
        state.news.insert(common_folder.to_owned());
        if was_quiet {
            self.changed.notify_one();
        }
    }

    /// It is gone; who comes to it again meets it again.
    pub fn forget(&self, common_folder: &Path) {
        self.state().known.remove(common_folder);
    }

    /// The news, once there are any or this time is over; without one it waits for ever.
    pub fn news(&self, within: Option<Duration>) -> HashSet<PathBuf> {
        let state = self.state();
        let is_quiet = |it: &mut State| it.news.is_empty();
        let waited = match within {
            Some(within) => {
                let waited = self.changed.wait_timeout_while(state, within, is_quiet);
                waited.map(|it| it.0).ok()
            }
            None => self.changed.wait_while(state, is_quiet).ok(),
        };
        std::mem::take(&mut waited.expect("nobody panics with the lock").news)
    }
}
