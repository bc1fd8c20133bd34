//! Runs of processes, kept in Git.
//!
//! What the engine says becomes commits: one for each firing, whose parents are the commits of the
//! firings that made what it took, so that the history of a run is its causal net. The first of an
//! event says what happened, from which the engine makes all of it again: [`replay`] does, and
//! names the first commit that is not what it should be.
//!
//! [`keeper::Keeper`] is what this process knows of the runs of one repository.

pub mod again;
pub mod builtin;
pub mod children;
mod due;
mod files;
mod giver;
pub mod keeper;
mod lease;
pub mod listing;
mod load;
mod message;
pub mod own;
mod picture;
pub mod pinned;
pub mod policy;
pub mod prune;
mod pruned;
pub mod receipt;
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

use self::{
    keeper::Keeper,
    own::Own,
    receipt::{Receipt, Waiting},
    trigger::Watchers,
};
use crate::git::{ObjectId, Signer, Transaction};

/// The runs of all repositories that this process has to do with.
pub struct Runs {
    /// What is no worker's to do.
    own: Own,
    /// By the folders that all worktrees share.
    keepers: Mutex<HashMap<PathBuf, Arc<Mutex<Keeper>>>>,
    pub watchers: Watchers,
    /// Who signs receipts.
    signer: Option<Arc<Signer>>,
}

impl Runs {
    pub fn new(own: Own, signer: Option<Signer>) -> Runs {
        Runs {
            own,
            keepers: Mutex::default(),
            watchers: Watchers::default(),
            signer: signer.map(Arc::new),
        }
    }

    pub fn keeper(&self, common_folder: &Path) -> Arc<Mutex<Keeper>> {
        let mut keepers = self.keepers.lock().expect("nobody panics with the lock");
        match keepers.get(common_folder) {
            // What a panic went through is not trusted; Git knows all that counts.
            Some(keeper) if !keeper.is_poisoned() => keeper.clone(),
            _ => {
                let mut keeper = Keeper::of(self.own);
                keeper.receipts = Waiting::signed_by(self.signer.clone());
                let keeper = Arc::new(Mutex::new(keeper));
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

    /// Whether something in this repository is the program's to do.
    pub fn has_own(&self, common_folder: &Path) -> bool {
        let keeper = self.own.is_any().then(|| self.known(common_folder)).flatten();
        keeper.is_some_and(|it| it.lock().is_ok_and(|it| it.has_own()))
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

    /// Makes the texts of receipts that are about to be written, while nobody waits for it.
    pub fn tell_receipts(&self, common_folder: &Path) {
        let Some(keeper) = self.known(common_folder) else { return };
        let Ok((signer, untold)) = keeper.lock().map(|it| it.receipts.untold()) else { return };
        let line = |(commit, receipt): (ObjectId, Receipt)| {
            Some((commit, receipt.line(signer.as_deref()).ok()?))
        };
        let lines = untold.into_iter().filter_map(line).collect();
        if let Ok(mut keeper) = keeper.lock() {
            keeper.receipts.tell(lines);
        }
    }

    /// The repositories with receipts that are not written, which are written at the next look.
    pub fn with_receipts(&self) -> Vec<PathBuf> {
        self.folders_of(|it| it.receipts.hurry())
    }

    /// The repositories in which something was refused that is not recorded yet.
    pub fn with_denials(&self) -> Vec<PathBuf> {
        self.folders_of(|it| it.policy.denials.is_waiting())
    }

    fn folders_of(&self, is_one: impl Fn(&mut Keeper) -> bool) -> Vec<PathBuf> {
        let keepers = self.keepers.lock().expect("nobody panics with the lock");
        let is_one = |it: &Mutex<Keeper>| it.lock().is_ok_and(|mut it| is_one(&mut it));
        keepers.iter().filter(|it| is_one(it.1)).map(|it| it.0.clone()).collect()
    }

    /// Records what was refused in a repository, in a step that goes on there.
    pub fn record_denials(&self, transaction: &mut Transaction) {
        let keeper = self.known(transaction.repository().common_folder());
        if let Some(keeper) = keeper
            && let Ok(mut keeper) = keeper.lock()
            && let Err(error) = keeper.policy.denials.write(transaction)
        {
            log::error!("what was refused cannot be recorded: {error}");
        }
    }

    /// What is due there cannot be done: it is tried again in a while.
    pub fn postpone(&self, common_folder: &Path) {
        if let Some(keeper) = self.known(common_folder)
            && let Ok(mut keeper) = keeper.lock()
        {
            keeper.postpone();
        }
    }

    /// The repositories that something is known of.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.keepers.lock().expect("nobody panics with the lock").keys().cloned().collect()
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
