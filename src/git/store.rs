//! Repositories that are open, kept for the next request.
//!
//! A handle is used by one request at a time and looked at again before it is used once more, so
//! that a repository that was moved, replaced or converted meanwhile is opened anew.

use std::{
    collections::HashMap,
    fs,
    ops::Deref,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use super::{Folder, Remote, Repository, RepositoryPath, objects::Objects, refs::REPLACEMENTS};
use crate::error::{Error, Result};

/// How many handles may wait for their next use, over all repositories.
const KEPT_MAX: usize = 64;

pub struct Store {
    root: Option<PathBuf>,
    kept: Mutex<HashMap<PathBuf, Slot>>,
}

/// The handles of one repository, and what they share.
struct Slot {
    identity: Identity,
    /// When it was last seen to be what was opened.
    looked: Instant,
    objects: Arc<Objects>,
    handles: Vec<Repository>,
}

/// Changes when something else is at a path than was opened there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity([u64; 7]);

/// A repository in use. It goes back to the store afterwards.
pub struct Opened<'a> {
    store: &'a Store,
    path: PathBuf,
    identity: Identity,
    repository: Option<Repository>,
}

impl Store {
    /// With a root, nothing outside of it is opened. It must exist.
    pub fn new(root: Option<&Path>) -> Result<Store> {
        let resolve = |root: &Path| match fs::canonicalize(root) {
            Ok(root) if root.is_dir() => Ok(root),
            Ok(root) => Err(Error::bad_request(format!("{} is no folder", root.display()))),
            Err(error) => Err(Error::from_io(format!("the root {}", root.display()), &error)),
        };
        Ok(Store { root: root.map(resolve).transpose()?, kept: Mutex::default() })
    }

    /// Opens a repository for a request that came at `asked`: what was seen of it since then need
    /// not be looked at again.
    pub fn open(&self, path: &RepositoryPath, asked: Instant) -> Result<Opened<'_>> {
        self.confine(path)?;
        let (mut repository, identity) = match self.kept(path, asked) {
            Some(kept) => kept,
            None => self.open_anew(path)?,
        };
        repository.asked = asked;
        let path = path.to_path_buf();
        Ok(Opened { store: self, path, identity, repository: Some(repository) })
    }

    /// A handle from before, if its repository is still the one at this path.
    fn kept(&self, path: &Path, asked: Instant) -> Option<(Repository, Identity)> {
        let mut kept = self.lock();
        let slot = kept.get_mut(path)?;
        let repository = slot.handles.pop()?;
        let identity = slot.identity;
        if asked <= slot.looked {
            return Some((repository, identity));
        }
        drop(kept);
        let looked = Instant::now();
        let is_same = Identity::of(repository.git_folder()) == Some(identity);
        let mut kept = self.lock();
        if !is_same {
            kept.remove(path);
            return None;
        }
        if let Some(slot) = kept.get_mut(path)
            && slot.identity == identity
        {
            slot.looked = slot.looked.max(looked);
        }
        Some((repository, identity))
    }

    fn open_anew(&self, path: &RepositoryPath) -> Result<(Repository, Identity)> {
        let repository = Repository::open(path)?;
        self.confine_resolved(repository.git_folder())?;
        self.confine_resolved(repository.common_folder())?;
        let identity = Identity::of(repository.git_folder())
            .ok_or_else(|| Error::not_found(format!("{} is gone", path.display())))?;
        match self.lock().get(&**path) {
            Some(slot) if slot.identity == identity => {
                Ok((repository.sharing(slot.objects.clone()), identity))
            }
            _ => Ok((repository, identity)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Slot>> {
        self.kept.lock().expect("nobody panics with the lock")
    }

    /// A folder on disk, whether it is a repository or not.
    pub fn folder(&self, path: &RepositoryPath) -> Result<Folder> {
        match &self.root {
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

    /// Fails where `path`, or the folder it is to be made in, is outside the root.
    pub fn confine(&self, path: &RepositoryPath) -> Result<()> {
        match &self.root {
            Some(root) if !path.resolved().starts_with(root) => Err(outside(path)),
            // A link that leads nowhere yet may lead out by the time it is used.
            Some(_) if path.is_symlink() && !path.exists() => Err(outside(path)),
            _ => Ok(()),
        }
    }

    /// A remote on this machine is as confined as any other path.
    pub fn confine_remote(&self, remote: &Remote) -> Result<()> {
        match (&self.root, remote.url.is_local()) {
            (Some(_), true) => self.confine(&RepositoryPath::try_from(remote.url.as_str())?),
            _ => Ok(()),
        }
    }

    fn confine_resolved(&self, path: &Path) -> Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        let path =
            fs::canonicalize(path).map_err(|error| Error::from_io(path.display(), &error))?;
        if path.starts_with(root) { Ok(()) } else { Err(outside(&path)) }
    }

    /// Closes every repository that is not in use.
    pub fn release(&self) {
        self.lock().clear();
    }
}

fn outside(path: &Path) -> Error {
    let message = format!("{} is outside the root", path.display());
    Error::denied(message).with("rule", "root")
}

impl Identity {
    fn of(git_folder: &Path) -> Option<Identity> {
        let folder = fs::metadata(git_folder).ok()?;
        let config = fs::metadata(git_folder.join("config")).ok();
        let config =
            config.map_or([0; 3], |it| [it.ino(), it.mtime() as u64, it.mtime_nsec() as u64]);
        // Replacements that came since would make what is open give wrong answers.
        let replacements = fs::metadata(git_folder.join(REPLACEMENTS)).ok();
        let replacements =
            replacements.map_or([0; 2], |it| [it.mtime() as u64, it.mtime_nsec() as u64]);
        let [ino, seconds, nanos] = config;
        let [since, since_nanos] = replacements;
        Some(Identity([folder.dev(), folder.ino(), ino, seconds, nanos, since, since_nanos]))
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
        let slot = kept.entry(path).or_insert_with(|| {
            let objects = repository.objects().clone();
            Slot { identity, looked: repository.asked, objects, handles: Vec::new() }
        });
        if slot.identity == identity {
            slot.handles.push(repository);
        }
    }
}
