//! Repositories that are open, kept for the next request.
//!
//! A handle is used by one request at a time and looked at again before it is used once more, so
//! that a repository that was moved, replaced or converted meanwhile is opened anew.

mod identity;
mod written;

use std::{
    cell::RefCell,
    collections::HashMap,
    ffi::OsString,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Instant,
};

use foldhash::fast::RandomState;

use self::{
    identity::{Identity, is_local},
    written::Written,
};
use super::{
    Folder, Guard, Repository, RepositoryPath, Transaction,
    glimpse::times_of,
    ledger::{JOURNAL, Ledger, Site},
    locks::Locks,
    met::Met,
    objects::Objects,
    refs::PACKED,
    root::{Root, outside},
    workspaces::Workspaces,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// How many handles may wait for their next use, over all repositories.
const KEPT_MAX: usize = 64;

pub struct Store {
    root: Root,
    workspaces: Option<Workspaces>,
    kept: Mutex<Kept>,
    written: Written,
    locks: Arc<Locks>,
    met: Met,
    guard: OnceLock<Arc<dyn Guard>>,
}

/// By their paths, which as text are hashed in one go.
type Kept = HashMap<OsString, Slot, RandomState>;

/// The handles of one repository, and what they share.
struct Slot {
    identity: Identity,
    /// Whether looking at it never waits for another machine.
    is_local: bool,
    /// When it was last seen to be what was opened.
    looked: Instant,
    objects: Arc<Objects>,
    handles: Vec<Repository>,
}

/// A repository in use. It goes back to the store afterwards.
pub struct Opened<'a> {
    store: &'a Store,
    path: PathBuf,
    identity: Identity,
    repository: Option<Repository>,
}

/// What became of a step.
pub struct Changed<T> {
    pub value: T,
    /// Whether it was carried out.
    pub outcome: Result<()>,
    /// Whether [`Store::clear_up`] has something to do.
    pub is_checkpoint_due: bool,
}

impl Store {
    /// Without a data directory there are no workspaces.
    pub fn new(root: Root, data: Option<&Path>) -> Result<Store> {
        let workspaces = data.map(|data| Workspaces::new(data, &root)).transpose()?;
        let (kept, written) = (Mutex::default(), Written::default());
        let (locks, met, guard) = (Locks::new(), Met::default(), OnceLock::new());
        Ok(Store { root, workspaces, kept, written, locks, met, guard })
    }

    /// The repositories that it has had to do with.
    pub fn met(&self) -> &Met {
        &self.met
    }

    /// Whoever is asked from now on whether refs may be moved.
    pub fn guard_by(&self, guard: Arc<dyn Guard>) {
        let _ = self.guard.set(guard);
    }

    /// What is known of the locks of clients.
    pub fn locks(&self) -> &Arc<Locks> {
        &self.locks
    }

    /// The repositories that are being written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    pub fn workspaces(&self) -> Option<&Workspaces> {
        self.workspaces.as_ref()
    }

    /// Opens a repository for a request that came at `asked`: what was seen of it since then need
    /// not be looked at again.
    pub fn open(&self, path: &RepositoryPath, asked: Instant) -> Result<Opened<'_>> {
        let kept = self.look(path, asked)?.and_then(|identity| self.kept(path, identity));
        let (mut repository, identity) = match kept {
            Some(kept) => kept,
            None => self.open_anew(path)?,
        };
        repository.asked = asked;
        let path = path.to_path_buf();
        Ok(Opened { store: self, path, identity, repository: Some(repository) })
    }

    /// Changes a repository by one piece of work: all of it is on disk when this returns, or
    /// nothing of it is done.
    pub fn change_alone<T>(
        &self,
        path: &RepositoryPath,
        watch: &Watch,
        work: impl FnOnce(&mut Transaction) -> Result<T>,
    ) -> Result<T> {
        let changed =
            self.change(path, Instant::now(), watch, |it| it.borrow_mut().attempt(work))?;
        changed.outcome.and(changed.value)
    }

    /// Changes a repository: what `work` does is one step, and on disk when this returns.
    pub fn change<T>(
        &self,
        path: &RepositoryPath,
        asked: Instant,
        watch: &Watch,
        work: impl FnOnce(&RefCell<Transaction>) -> T,
    ) -> Result<Changed<T>> {
        let repository = self.open(path, asked)?;
        let ledger = self.written.ledger(repository.common_folder());
        let mut ledger = ledger.lock().expect("nobody panics with the lock");
        let site = ledger.enter(&repository, watch)?;
        let transaction = RefCell::new(Transaction::begin(
            &mut ledger,
            site,
            &self.locks,
            self.guard.get().cloned(),
        ));
        let value = work(&transaction);
        let outcome = transaction.into_inner().carry_out();
        self.met.change(repository.common_folder());
        let is_checkpoint_due = ledger.is_checkpoint_due() || ledger.is_too_late();
        Ok(Changed { value, outcome, is_checkpoint_due })
    }

    /// Carries out what an earlier daemon was answered for, before anybody reads what was before.
    /// Tells whether there was anything: what the handle knows of packs may be out of date then.
    fn catch_up(&self, repository: &Repository) -> bool {
        let folder = repository.common_folder();
        if self.written.has(folder) || !Ledger::is_left_at(folder) {
            return false;
        }
        let ledger = self.written.ledger(folder);
        let mut ledger = ledger.lock().expect("nobody panics with the lock");
        if let Err(error) = ledger.enter(repository, &Watch::default()) {
            // Who may not write here reads what there is, and the next writer tries again.
            log::warn!("{}: {error}", folder.display());
        }
        true
    }

    /// What is another one once somebody wrote this repository, of whatever process.
    pub fn stamp(common_folder: &Path) -> [u64; 6] {
        times_of(common_folder, [JOURNAL, PACKED])
    }

    /// What can be done after the answers: with many small packs every read gets slower.
    pub fn clear_up(&self, path: &RepositoryPath, watch: &Watch) -> Result<()> {
        let repository = self.open(path, Instant::now())?;
        let ledger = self.written.ledger(repository.common_folder());
        let mut ledger = ledger.lock().expect("nobody panics with the lock");
        if !ledger.is_checkpoint_due() && !ledger.is_too_late() {
            return Ok(());
        }
        let mut site = ledger.enter(&repository, watch)?;
        ledger.show(&mut site)?;
        if ledger.is_checkpoint_due() { ledger.clear_up(&mut site) } else { Ok(()) }
    }

    /// Does what is no step with the right to write a repository. Writers wait meanwhile.
    pub(super) fn keep_house<T>(
        &self,
        repository: &Repository,
        watch: &Watch,
        work: impl FnOnce(&mut Ledger, &mut Site) -> Result<T>,
    ) -> Result<T> {
        let ledger = self.written.ledger(repository.common_folder());
        let mut ledger = ledger.lock().expect("nobody panics with the lock");
        let mut site = ledger.enter(repository, watch)?;
        work(&mut ledger, &mut site)
    }

    /// Has the journal empty and few packs, whatever is due.
    pub fn settle(&self, path: &RepositoryPath, watch: &Watch) -> Result<()> {
        let repository = self.open(path, Instant::now())?;
        self.keep_house(&repository, watch, |ledger, site| {
            ledger.clear_up(site)?;
            ledger.retire();
            Ok(())
        })
    }

    /// What was read of a repository on a local disk that was at this path. Whether it still is
    /// shows [`Store::is_still`].
    pub fn at_hand(&self, path: &RepositoryPath) -> Option<Arc<Objects>> {
        let kept = self.lock();
        let slot = kept.get(path.as_os_str())?;
        slot.is_local.then(|| slot.objects.clone())
    }

    /// Whether a repository is at this path, for a request that came at `asked`.
    pub fn is_still(&self, objects: &Arc<Objects>, path: &RepositoryPath, asked: Instant) -> bool {
        matches!(self.look(path, asked), Ok(Some(_)))
            && self.at_hand(path).is_some_and(|it| Arc::ptr_eq(&it, objects))
    }

    /// What is open at this path, if it is still there.
    fn look(&self, path: &RepositoryPath, asked: Instant) -> Result<Option<Identity>> {
        let (identity, objects) = match self.lock().get(path.as_os_str()) {
            Some(slot) if asked <= slot.looked => return Ok(Some(slot.identity)),
            Some(slot) => (slot.identity, slot.objects.clone()),
            None => return Ok(None),
        };
        let looked = Instant::now();
        self.root.confine(path)?;
        let is_same = Identity::of(path, objects.tip.folders()) == Some(identity);
        let mut kept = self.lock();
        match kept.get_mut(path.as_os_str()) {
            Some(slot) if slot.identity != identity => Ok(None),
            Some(slot) if is_same => {
                slot.looked = slot.looked.max(looked);
                Ok(Some(identity))
            }
            _ => {
                kept.remove(path.as_os_str());
                Ok(None)
            }
        }
    }

    /// A handle from before.
    fn kept(&self, path: &Path, identity: Identity) -> Option<(Repository, Identity)> {
        let mut kept = self.lock();
        let slot = kept.get_mut(path.as_os_str()).filter(|it| it.identity == identity)?;
        Some((slot.handles.pop()?, identity))
    }

    fn open_anew(&self, path: &RepositoryPath) -> Result<(Repository, Identity)> {
        self.root.confine(path)?;
        let mut repository = Repository::open(path, self.root.folder())?;
        self.root.confine_repository(&repository)?;
        if self.catch_up(&repository) {
            repository = Repository::open(path, self.root.folder())?;
        }
        self.met.meet(repository.common_folder());
        let identity = Identity::of(path, repository.objects().tip.folders())
            .ok_or_else(|| Error::not_found(format!("{} is gone", path.display())))?;
        match self.lock().get(path.as_os_str()) {
            Some(slot) if slot.identity == identity => {
                Ok((repository.sharing(slot.objects.clone()), identity))
            }
            _ => Ok((repository, identity)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nobody panics with the lock")
    }

    /// A folder on disk, whether it is a repository or not.
    pub fn folder(&self, path: &RepositoryPath) -> Result<Folder> {
        match self.root.folder() {
            None => Folder::open(path),
            Some(root) => {
                // Resolved once and then opened beneath the root through no link at all, so that
                // nothing swapped in meanwhile leads out.
                let resolved = path.resolved();
                let below = resolved.strip_prefix(root).map_err(|_| outside(path))?;
                Folder::open_beneath(root, below)
            }
        }
    }

    /// Closes what was open at a path where nothing is any more, so that its files can go.
    pub fn forget(&self, path: &Path) {
        self.lock().remove(path.as_os_str());
        self.written.forget(path);
    }

    /// Closes every repository that is not in use.
    pub fn release(&self) {
        self.lock().clear();
    }
}

impl Deref for Opened<'_> {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        self.repository.as_ref().expect("it is given back only when dropped")
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        // A handle that a panic went through is not trusted any more.
        if std::thread::panicking() {
            return;
        }
        let Some(repository) = self.repository.take() else { return };
        let (path, identity) = (std::mem::take(&mut self.path), self.identity);
        let mut kept = self.store.lock();
        if KEPT_MAX <= kept.values().map(|it| it.handles.len()).sum() {
            kept.clear();
        }
        let slot = kept.entry(path.into_os_string()).or_insert_with(|| {
            let (looked, objects) = (repository.asked, repository.objects().clone());
            let is_local = objects.tip.folders().iter().all(|it| is_local(it));
            Slot { identity, is_local, looked, objects, handles: Vec::new() }
        });
        if slot.identity == identity {
            slot.handles.push(repository);
        }
    }
}
