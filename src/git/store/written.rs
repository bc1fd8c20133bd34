//! Repositories that are being written, each with what this process knows of it.
//!
//! None is left with a journal for long: somebody else may want to copy it, or the power may go.

use std::{
    cmp::Reverse,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use crate::{
    error::Result,
    git::{
        Repository,
        ledger::Ledger,
        lock::{Writer, let_go_at_last},
    },
    watch::Watch,
};

/// How many may be written without being left: each has an open journal.
const LEDGERS_MAX: usize = 128;
/// A repository that was not written for so long is left …
const IDLE: Duration = Duration::from_secs(1);
/// … as soon as somebody looks.
const TEND_PAUSE: Duration = Duration::from_millis(50);

/// By the folders that all worktrees share.
type Ledgers = HashMap<PathBuf, Arc<Mutex<Ledger>>>;

#[derive(Default)]
pub struct Written {
    ledgers: Mutex<Ledgers>,
    /// There is another one.
    changed: Condvar,
}

impl Written {
    /// What this process knows of one.
    pub fn ledger(&self, common_folder: &Path) -> Arc<Mutex<Ledger>> {
        let mut ledgers = self.lock();
        if let Some(ledger) = ledgers.get(common_folder)
            // What a panic went through is not trusted; the journal knows all that counts.
            && !ledger.is_poisoned()
        {
            return ledger.clone();
        }
        let ledger = Arc::new(Mutex::new(Ledger::new(common_folder.to_owned())));
        ledgers.insert(common_folder.to_owned(), ledger.clone());
        drop(ledgers);
        self.changed.notify_one();
        self.leave_oldest();
        ledger
    }

    pub fn has(&self, common_folder: &Path) -> bool {
        self.lock().contains_key(common_folder)
    }

    /// Closes the journal of one that is gone.
    pub fn forget(&self, common_folder: &Path) {
        self.lock().remove(common_folder);
    }

    /// Brings repositories to rest that nothing happens in, as soon as there are any: what nobody
    /// waited for is flushed, and who has not been written for a while is left.
    pub fn tend(&self) {
        let ledgers = self.lock();
        let is_empty = |it: &mut Ledgers| it.is_empty();
        let ledgers = self.changed.wait_while(ledgers, is_empty);
        let ledgers = ledgers.expect("nobody panics with the lock");
        drop(self.changed.wait_timeout_while(ledgers, TEND_PAUSE, |_| true));
        for (folder, ledger) in self.all() {
            // Who is at work there is not disturbed.
            let Ok(mut known) = ledger.try_lock() else { continue };
            let tended = match IDLE <= known.idle() {
                true => self.leave_one(&folder, &ledger, &mut known, Duration::ZERO),
                false if known.is_too_late() => show(&folder, &mut known),
                false => known.flush_relaxed(),
            };
            if let Err(error) = tended {
                log::debug!("{}: {error}", folder.display());
            }
        }
    }

    /// Whether no repository is being written, and all that were are left.
    pub fn is_at_rest(&self) -> bool {
        self.lock().is_empty()
    }

    /// Leaves plain Git repositories, each with all that was answered for on disk. What others
    /// write until then keeps its journal, and the next writer goes on with it.
    pub fn leave(&self, until: Instant) {
        for (folder, ledger) in self.all() {
            let Ok(mut known) = ledger.lock() else { continue };
            let wait = until.saturating_duration_since(Instant::now());
            if let Err(error) = self.leave_one(&folder, &ledger, &mut known, wait) {
                log::warn!("{}: {error}", folder.display());
            }
        }
        let_go_at_last(Path::new("/"));
    }

    /// Leaves those that were not written for longest, while there are too many.
    fn leave_oldest(&self) {
        let all = self.all();
        let too_many = all.len().saturating_sub(LEDGERS_MAX);
        if too_many == 0 {
            return;
        }
        let idle = |it: &Arc<Mutex<Ledger>>| it.try_lock().map_or(Duration::ZERO, |it| it.idle());
        let mut all: Vec<_> = all.into_iter().map(|it| (idle(&it.1), it)).collect();
        all.sort_unstable_by_key(|(idle, _)| Reverse(*idle));
        for (_, (folder, ledger)) in all.into_iter().take(too_many) {
            let Ok(mut known) = ledger.try_lock() else { continue };
            if let Err(error) = self.leave_one(&folder, &ledger, &mut known, Duration::ZERO) {
                log::debug!("{}: {error}", folder.display());
            }
        }
    }

    fn leave_one(
        &self,
        folder: &Path,
        ledger: &Arc<Mutex<Ledger>>,
        known: &mut Ledger,
        wait: Duration,
    ) -> Result<()> {
        let watch = Watch::default();
        let leave = |known: &mut Ledger| {
            if known.is_continued() {
                return Ok(());
            }
            let right = Writer::of_store_within(folder, wait, &watch)?;
            let repository = Repository::open_at(folder)?;
            let mut site = known.enter_with(right, &repository, &watch)?;
            known.leave(&mut site)?;
            site.right.remove(folder);
            Ok(())
        };
        let left = leave(known);
        let mut ledgers = self.lock();
        // The map has it, and the one who leaves it: nobody else waits for it.
        let is_unused = Arc::strong_count(ledger) == 2;
        if is_unused && (left.is_ok() || !folder.exists()) {
            ledgers.remove(folder);
        }
        left
    }

    fn all(&self) -> Vec<(PathBuf, Arc<Mutex<Ledger>>)> {
        let ledgers = self.lock();
        ledgers.iter().map(|(folder, ledger)| (folder.clone(), ledger.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Ledgers> {
        self.ledgers.lock().expect("nobody panics with the lock")
    }
}

/// Has Git see what it was to see a moment later.
fn show(folder: &Path, known: &mut Ledger) -> Result<()> {
    let watch = Watch::default();
    let right = Writer::of_store_within(folder, Duration::ZERO, &watch)?;
    let repository = Repository::open_at(folder)?;
    let mut site = known.enter_with(right, &repository, &watch)?;
    known.show(&mut site)
}
