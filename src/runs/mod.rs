//! Runs of processes, kept in Git.
//!
//! What the engine says becomes commits: one for each firing, whose parents are the commits of the
//! firings that made what it took, so that the history of a run is its causal net. The first of an
//! event says what happened, from which the engine makes all of it again: [`replay`] does, and
//! names the first commit that is not what it should be.
//!
//! [`keeper::Keeper`] is what this process knows of the runs of one repository.

pub mod again;
pub mod children;
mod due;
mod files;
mod giver;
pub mod keeper;
mod lease;
pub mod listing;
mod load;
mod message;
mod picture;
pub mod pinned;
pub mod prune;
mod replay;
pub mod run;
pub mod tasks;
#[cfg(test)]
mod tests;
mod tips;
pub mod trigger;
pub mod verify;
pub mod view;
pub mod work;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use self::{keeper::Keeper, trigger::Watchers};

/// The runs of all repositories that this process has to do with.
#[derive(Default)]
pub struct Runs {
    /// By the folders that all worktrees share.
    keepers: Mutex<HashMap<PathBuf, Arc<Mutex<Keeper>>>>,
    pub watchers: Watchers,
}

impl Runs {
    pub fn keeper(&self, common_folder: &Path) -> Arc<Mutex<Keeper>> {
        let mut keepers = self.keepers.lock().expect("nobody panics with the lock");
        match keepers.get(common_folder) {
            // What a panic went through is not trusted; Git knows all that counts.
            Some(keeper) if !keeper.is_poisoned() => keeper.clone(),
            _ => {
                let keeper = Arc::<Mutex<Keeper>>::default();
                keepers.insert(common_folder.to_owned(), keeper.clone());
                keeper
            }
        }
    }

    /// Whether there are tasks in this repository that there were not when it was last asked.
    pub fn takes_news(&self, common_folder: &Path) -> bool {
        let keeper = self.known(common_folder);
        keeper.is_some_and(|it| it.lock().is_ok_and(|mut it| it.takes_news()))
    }

    /// When time does something next in this repository, in milliseconds since the boot.
    pub fn next_ms(&self, common_folder: &Path) -> Option<u64> {
        self.known(common_folder)?.lock().ok()?.next_ms()
    }

    /// The same of all.
    pub fn times(&self) -> Vec<(PathBuf, u64)> {
        let all: Vec<(PathBuf, Arc<Mutex<Keeper>>)> = {
            let keepers = self.keepers.lock().expect("nobody panics with the lock");
            keepers.iter().map(|(folder, it)| (folder.clone(), it.clone())).collect()
        };
        let next = |it: &Mutex<Keeper>| it.lock().ok()?.next_ms();
        all.into_iter().filter_map(|(folder, it)| Some((folder, next(&it)?))).collect()
    }

    /// What is due there cannot be done: it is tried again in a while.
    pub fn postpone(&self, common_folder: &Path) {
        if let Some(keeper) = self.known(common_folder)
            && let Ok(mut keeper) = keeper.lock()
        {
            keeper.postpone();
        }
    }

    /// Its repository is gone.
    pub fn forget(&self, common_folder: &Path) {
        self.watchers.forget(common_folder);
        self.keepers.lock().expect("nobody panics with the lock").remove(common_folder);
    }

    /// Whether anything was asked about its runs.
    pub fn is_known(&self, common_folder: &Path) -> bool {
        self.known(common_folder).is_some()
    }

    fn known(&self, common_folder: &Path) -> Option<Arc<Mutex<Keeper>>> {
        let keepers = self.keepers.lock().expect("nobody panics with the lock");
        keepers.get(common_folder).cloned()
    }

    /// A step failed somewhere: what is known of runs may not be what is in Git.
    pub fn doubt(&self) {
        self.watchers.doubt();
        let keepers = self.keepers.lock().expect("nobody panics with the lock");
        for keeper in keepers.values() {
            if let Ok(mut keeper) = keeper.lock() {
                keeper.doubt();
            }
        }
    }
}
