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
    sync::Mutex,
};

use super::{Folder, Remote, Repository, RepositoryPath};
use crate::error::{Error, Result};

/// How many handles may wait for their next use, over all repositories.
const KEPT_MAX: usize = 64;

pub struct Store {
    root: Option<PathBuf>,
    kept: Mutex<HashMap<PathBuf, Vec<Kept>>>,
}

struct Kept {
    repository: Repository,
    identity: Identity,
}

/// Changes when something else is at a path than was opened there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity([u64; 5]);

/// A repository in use. It goes back to the store afterwards.
pub struct Opened<'a> {
    store: &'a Store,
    path: PathBuf,
    kept: Option<Kept>,
}

impl Store {
    pub fn new(root: Option<PathBuf>) -> Store {
        Store { root, kept: Mutex::default() }
    }

    pub fn open(&self, path: &RepositoryPath) -> Result<Opened<'_>> {
        self.confine(path)?;
        let taken = {
            let mut kept = self.kept.lock().expect("nobody panics with the lock");
            kept.get_mut(&**path).and_then(Vec::pop)
        };
        let kept = match taken {
            Some(kept) if Identity::of(kept.repository.git_folder()) == Some(kept.identity) => kept,
            _ => {
                let repository = Repository::open(path)?;
                self.confine_resolved(repository.git_folder())?;
                self.confine_resolved(repository.common_folder())?;
                let identity = Identity::of(repository.git_folder());
                let gone = || Error::not_found(format!("{} is gone", path.display()));
                Kept { repository, identity: identity.ok_or_else(gone)? }
            }
        };
        Ok(Opened { store: self, path: path.to_path_buf(), kept: Some(kept) })
    }

    /// A folder on disk, whether it is a repository or not.
    pub fn folder(&self, path: &RepositoryPath) -> Result<Folder> {
        self.confine(path)?;
        Folder::open(path)
    }

    /// Fails where `path`, or the folder it is to be made in, is outside the root.
    pub fn confine(&self, path: &RepositoryPath) -> Result<()> {
        if self.root.is_none() {
            return Ok(());
        }
        let mut there: &Path = path;
        loop {
            match fs::canonicalize(there) {
                Ok(resolved) => return self.confine_resolved(&resolved),
                Err(_) if fs::symlink_metadata(there).is_ok() => return Err(outside(there)),
                Err(_) => there = there.parent().ok_or_else(|| outside(path))?,
            }
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
        let root = fs::canonicalize(root)
            .map_err(|error| Error::from_io(format!("the root {}", root.display()), &error))?;
        let path = fs::canonicalize(path)
            .map_err(|error| Error::from_io(path.display(), &error))?;
        if path.starts_with(root) { Ok(()) } else { Err(outside(&path)) }
    }

    /// Closes every repository that is not in use.
    pub fn release(&self) {
        self.kept.lock().expect("nobody panics with the lock").clear();
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
        let config = config.map_or([0; 3], |it| {
            [it.ino(), it.mtime() as u64, it.mtime_nsec() as u64]
        });
        Some(Identity([folder.dev(), folder.ino(), config[0], config[1], config[2]]))
    }
}

impl Deref for Opened<'_> {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.kept.as_ref().expect("it is given back only when dropped").repository
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        // A handle that a panic went through is not trusted any more.
        if std::thread::panicking() {
            return;
        }
        let mut kept = self.store.kept.lock().expect("nobody panics with the lock");
        if KEPT_MAX <= kept.values().map(Vec::len).sum() {
            kept.clear();
        }
        let path = std::mem::take(&mut self.path);
        kept.entry(path).or_default().extend(self.kept.take());
    }
}
