//! Bare repositories under the data directory, each named by an id.
//!
//! A workspace appears whole, and leaves with one rename into `deleted`; both are on disk when they
//! are answered. What is built or torn down lies in `aside`, where nobody looks, and whoever was
//! killed over it is cleaned up after by the next who comes.

mod id;
mod describe;
mod skeleton;

use std::{
    fs::{self, DirBuilder, File},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

pub use self::id::WorkspaceId;
use super::{
    Repository, RepositoryPath, commit::now_ms, folder::flush, hash::NO_ID, lock::Writer,
    refs::Branch, removal::remove_tree, root::Root,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

const ENDING: &str = ".git";
/// The data directory. Nothing is in it before the first workspace is.
pub struct Workspaces {
    data: PathBuf,
}

/// A workspace as it was when it was deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deleted {
    pub workspace: WorkspaceId,
    /// Milliseconds since 1970, which tell several of one id apart.
    pub deleted_ms: u64,
}

impl Workspaces {
    /// The folder need not exist. With a root it must be inside: nothing outside is written.
    pub fn new(data: &Path, root: &Root) -> Result<Workspaces> {
        let shown = data.display();
        let path = RepositoryPath::try_from(data)
            .map_err(|error| error.while_doing(format!("the data directory {shown}")))?;
        root.confine(&path)
            .map_err(|error| error.while_doing(format!("the data directory {shown}")))?;
        match path.metadata() {
            Ok(found) if !found.is_dir() => {
                Err(Error::bad_request(format!("the data directory {shown} is no folder")))
            }
            _ => Ok(Workspaces { data: path.resolved() }),
        }
    }

    /// Where the repository of a workspace is, or will be.
    pub fn place(&self, id: &WorkspaceId) -> PathBuf {
        self.living().join(id.folder() + ENDING)
    }

    /// Whose repository is at a path, or would be.
    pub fn id_at(&self, path: &Path) -> Option<WorkspaceId> {
        let name = path.strip_prefix(self.living()).ok()?.to_str()?;
        WorkspaceId::of_folder(name.strip_suffix(ENDING)?)
    }

    /// A folder beside the workspaces, for what can be had again. It need not exist.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Whether a path leads to what belongs to the workspaces.
    pub fn has(&self, path: &RepositoryPath) -> bool {
        path.resolved().starts_with(&self.data)
    }

    /// Makes an empty repository whose `HEAD` is at `branch`; tells when, in ms since 1970.
    pub fn create(
        &self,
        id: &WorkspaceId,
        branch: &Branch,
        description: Option<&str>,
    ) -> Result<u64> {
        let place = self.place(id);
        if fs::symlink_metadata(&place).is_ok() {
            return Err(taken(id));
        }
        self.make_folders()?;
        let aside = Aside::enter(self.aside())?;
        let built =
            tempfile::tempdir_in(&aside.folder).map_err(|error| failed(&aside.folder, &error))?;
        let created_ms = now_ms();
        skeleton::build(built.path(), branch, description, created_ms)
            .map_err(|error| failed(&place, &error))?;
        move_into(built.path(), &place, || taken(id))?;
        sync(&self.living())?;
        Ok(created_ms)
    }

    /// At most `limit` ids behind `after`, in their order, and whether there are more.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Result<(Vec<WorkspaceId>, bool)> {
        let ids = names(&self.living())?.into_iter();
        let mut ids: Vec<WorkspaceId> = ids
            .filter_map(|name| WorkspaceId::of_folder(name.strip_suffix(ENDING)?))
            .filter(|id| after.is_none_or(|after| after < id.as_str()))
            .collect();
        self.sweep();
        Ok(page(&mut ids, limit))
    }

    /// The same of deleted ones, which are in the order of their ids and times.
    pub fn list_deleted(
        &self,
        after: Option<(&str, u64)>,
        limit: usize,
    ) -> Result<(Vec<Deleted>, bool)> {
        let mut found = self.all_deleted()?;
        found.retain(|it| after.is_none_or(|after| after < (it.workspace.as_str(), it.deleted_ms)));
        self.sweep();
        Ok(page(&mut found, limit))
    }

    /// Takes a workspace out of use; tells when, in ms since 1970. `writing` does what it is given
    /// with the right to move its refs.
    pub fn delete(
        &self,
        id: &WorkspaceId,
        expect: Option<&str>,
        watch: &Watch,
        writing: impl FnOnce(&dyn Fn() -> Result<u64>) -> Result<u64>,
    ) -> Result<u64> {
        let place = self.place(id);
        let there = || fs::metadata(&place).map(|it| (it.dev(), it.ino()));
        let before = there().map_err(|_| absent(id))?;
        let rights = (Writer::acquire(&place, watch)?, Writer::of_shared(&place, watch)?);
        let deleted_ms = writing(&|| {
            // Who had the right to write before may have deleted it.
            if there().ok() != Some(before) {
                return Err(absent(id));
            }
            expect.map_or(Ok(()), |it| expect_at(&place, it))?;
            make_folder(&self.deleted())?;
            let mut deleted_ms = now_ms();
            while let Err(error) = fs::rename(&place, self.place_of_deleted(id, deleted_ms)) {
                match is_taken(&error) {
                    true => deleted_ms += 1,
                    false => return Err(failed(&place, &error)),
                }
            }
            Ok(deleted_ms)
        })?;
        drop(rights);
        sync(&self.deleted())?;
        sync(&self.living())?;
        Ok(deleted_ms)
    }

    /// Undoes a deletion: that of a time, or the last one; tells which.
    pub fn restore(&self, id: &WorkspaceId, deleted_ms: Option<u64>) -> Result<u64> {
        let place = self.place(id);
        let deleted_ms = match deleted_ms {
            Some(time) => time,
            None => {
                let all = self.all_deleted()?;
                let times = all.iter().filter(|it| it.workspace == *id).map(|it| it.deleted_ms);
                times.max().ok_or_else(|| not_deleted(id))?
            }
        };
        let from = self.place_of_deleted(id, deleted_ms);
        if !from.exists() {
            return Err(not_deleted(id));
        }
        move_into(&from, &place, || taken(id))?;
        sync(&self.living())?;
        sync(&self.deleted())?;
        Ok(deleted_ms)
    }

    /// A deleted workspace, to be looked at, and where it is.
    pub fn open_deleted(&self, id: &WorkspaceId, deleted_ms: u64) -> Result<(PathBuf, Repository)> {
        let place = self.place_of_deleted(id, deleted_ms);
        match place.exists() {
            true => Repository::open_at(&place).map(|it| (place, it)),
            false => Err(not_deleted(id)),
        }
    }

    /// Removes for good what was deleted before this time, in ms since 1970; tells how many.
    pub fn purge(&self, before_ms: u64, watch: &Watch) -> Result<usize> {
        let mut count = 0;
        for found in self.all_deleted()?.into_iter().filter(|it| it.deleted_ms < before_ms) {
            watch.check()?;
            let aside = Aside::enter(self.aside())?;
            let place = self.place_of_deleted(&found.workspace, found.deleted_ms);
            let doomed = tempfile::tempdir_in(&aside.folder)
                .map_err(|error| failed(&aside.folder, &error))?;
            match fs::rename(&place, doomed.path()) {
                Ok(()) => sync(&self.deleted())?,
                // Somebody restored or purged it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(&place, &error)),
            }
            doomed.close().map_err(|error| failed(&place, &error))?;
            count += 1;
        }
        Ok(count)
    }

    fn all_deleted(&self) -> Result<Vec<Deleted>> {
        let parse = |name: &String| {
            let (folder, time) = name.strip_suffix(ENDING)?.split_once('@')?;
            let workspace = WorkspaceId::of_folder(folder)?;
            Some(Deleted { workspace, deleted_ms: time.parse().ok()? })
        };
        Ok(names(&self.deleted())?.iter().filter_map(parse).collect())
    }

    /// Removes what the dead left behind, unless somebody who lives is at work there.
    fn sweep(&self) {
        // What cannot be removed now is removed by a later one.
        let _ = Aside::enter(self.aside());
    }

    fn make_folders(&self) -> Result<()> {
        [&self.data, &self.living(), &self.aside()].into_iter().try_for_each(|it| make_folder(it))
    }

    fn living(&self) -> PathBuf {
        self.data.join("workspaces")
    }

    fn deleted(&self) -> PathBuf {
        self.data.join("deleted")
    }

    fn aside(&self) -> PathBuf {
        self.data.join("aside")
    }

    fn place_of_deleted(&self, id: &WorkspaceId, deleted_ms: u64) -> PathBuf {
        self.deleted().join(format!("{}@{deleted_ms}{ENDING}", id.folder()))
    }
}

/// The right to have something aside. The kernel takes it back when its holder dies.
struct Aside {
    folder: PathBuf,
    _shared: File,
}

impl Aside {
    /// Sweeps first, if nobody has anything there.
    fn enter(folder: PathBuf) -> Result<Aside> {
        let file = File::open(&folder).map_err(|error| failed(&folder, &error))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            for name in names(&folder)? {
                let path = folder.join(name);
                match remove_tree(&path) {
                    Ok(()) => log::info!("removed {}, which the dead left", path.display()),
                    Err(error) => log::warn!("{} stays: {error}", path.display()),
                }
            }
        }
        flock(&file, FlockOperation::LockShared).map_err(|error| failed(&folder, &error.into()))?;
        Ok(Aside { folder, _shared: file })
    }
}

/// Fails where the branch of a workspace's `HEAD` is elsewhere.
fn expect_at(place: &Path, expected: &str) -> Result<()> {
    let head = Repository::open_at(place)?.branch_of_head()?.1;
    let actual = head.map_or_else(|| NO_ID.to_owned(), |it| it.to_string());
    match expected == actual {
        true => Ok(()),
        false => Err(Error::conflict("its branch is at another commit")
            .with("expected", expected)
            .with("actual", actual)),
    }
}

pub(super) fn absent(id: &WorkspaceId) -> Error {
    Error::not_found(format!("no workspace is called `{id}`"))
}

fn not_deleted(id: &WorkspaceId) -> Error {
    Error::not_found(format!("no deleted workspace is called `{id}`, or none of that time"))
}

fn taken(id: &WorkspaceId) -> Error {
    Error::already_exists(format!("a workspace is called `{id}` already"))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::from_io(path.display(), error)
}

/// Renames a repository to where none is; the kernel refuses it where one is, as none is empty.
fn move_into(from: &Path, to: &Path, taken: impl FnOnce() -> Error) -> Result<()> {
    fs::rename(from, to).map_err(|error| match is_taken(&error) {
        true => taken(),
        false => failed(to, &error),
    })
}

fn is_taken(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists)
}

/// Makes a folder that nobody else may look into, and those above it, for good.
fn make_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(folder, &error))?;
    folder.ancestors().skip(1).take(2).try_for_each(sync)
}

fn sync(folder: &Path) -> Result<()> {
    flush(folder).map_err(|error| failed(folder, &error))
}

/// The names in a folder; none where there is no folder yet.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed(folder, &error))?,
    };
    // What is no UTF-8 is none of ours.
    let name = |entry: std::io::Result<fs::DirEntry>| match entry {
        Ok(entry) => entry.file_name().into_string().ok().map(Ok),
        Err(error) => Some(Err(failed(folder, &error))),
    };
    entries.filter_map(name).collect()
}

fn page<T: Ord>(found: &mut Vec<T>, limit: usize) -> (Vec<T>, bool) {
    found.sort_unstable();
    let has_more = limit < found.len();
    found.truncate(limit);
    (std::mem::take(found), has_more)
}

#[cfg(test)]
mod tests;
