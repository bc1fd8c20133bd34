//! What starts runs by itself: schedules, and what happens to branches and tags.
//!
//! A [`watch::Watcher`] compares what it finds with what was seen before, which is kept in Git.

pub mod happened;
mod matches;
pub mod published;
mod schedule;
mod start;
mod state;
#[cfg(test)]
mod tests;
pub mod view;
pub mod watch;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use self::watch::{Glance, Watcher};
use crate::{
    error::{Error, Result},
    process::store::repository::InRepository,
};

/// Those of all repositories that are watched, by the folders that all worktrees share.
#[derive(Default)]
pub struct Watchers(Mutex<HashMap<PathBuf, Arc<Mutex<Watcher>>>>);

impl Watchers {
    pub fn of(&self, common_folder: &Path) -> Arc<Mutex<Watcher>> {
        let mut watchers = self.0.lock().expect("nobody panics with the lock");
        match watchers.get(common_folder) {
            Some(watcher) if !watcher.is_poisoned() => watcher.clone(),
            _ => {
                let watcher = Arc::<Mutex<Watcher>>::default();
                watchers.insert(common_folder.to_owned(), watcher.clone());
                watcher
            }
        }
    }

    /// Whether triggers of a repository have anything to do. Who has the right to write it may be
    /// waiting for its watcher, so that nothing is opened with that.
    pub fn glance(&self, common_folder: &Path, source: &InRepository) -> Result<Glance> {
        let (refs, at) = {
            let repository = source.store.open(source.path, source.asked)?;
            (repository.watched(source.watch)?, repository.triggers()?)
        };
        let watcher = self.of(common_folder);
        let lock = || watcher.lock().map_err(|_| Error::internal("a bug ended a request"));
        let mut processes = std::mem::take(&mut lock()?.processes);
        processes.follow(&refs, source);
        let mut watcher = lock()?;
        watcher.processes = processes;
        Ok(watcher.glance(&refs, at))
    }

    /// Its repository is gone, or nothing in it starts anything.
    pub fn forget(&self, common_folder: &Path) {
        self.0.lock().expect("nobody panics with the lock").remove(common_folder);
    }

    /// A step failed somewhere.
    pub fn doubt(&self) {
        for watcher in self.0.lock().expect("nobody panics with the lock").values() {
            if let Ok(mut watcher) = watcher.lock() {
                watcher.doubt();
            }
        }
    }
}
