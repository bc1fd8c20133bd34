//! Files as they are to be in a worktree, written where nobody looks before they are moved there.

use std::{
    cell::Cell,
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use git2::{IndexEntry, build::CheckoutBuilder};
use rustix::fs::FileType;

use super::{Repository, checkout::path, removal::remove_tree};
use crate::{
    error::{Error, Result},
    watch::{Progress, Stage, Watch},
};

const FOLDER: &str = "gitport-checkout";

/// A folder in the Git folder, which goes when the value goes.
pub(super) struct Aside(PathBuf);

impl Aside {
    pub fn new(git_folder: &Path) -> Result<Aside> {
        let aside = Aside(git_folder.join(FOLDER));
        aside.remove();
        fs::create_dir(&aside.0).map_err(|error| aside.failed(&error))?;
        fs::create_dir(aside.files()).map_err(|error| aside.failed(&error))?;
        Ok(aside)
    }

    /// Writes files as they are to be in the worktree. The attributes say how, and come first.
    pub fn fill(
        &self,
        repository: &Repository,
        tree: git2::Oid,
        attributes: Vec<&IndexEntry>,
        files: Vec<&IndexEntry>,
        watch: &Watch,
    ) -> Result<()> {
        let top = repository.worktree("check out into")?;
        // Attributes as they are in the commit: what says how to write them is not there yet.
        for (entries, is_raw) in [(attributes, true), (files, false)] {
            // No name would mean all of them.
            if !entries.is_empty() {
                Scribe::new(top, self.files(), tree, is_raw, watch)?.write_all(&entries)?;
            }
        }
        Ok(())
    }

    /// Takes the room that the index and the refs need in the end.
    pub fn reserve(&self, bytes: usize) -> Result<()> {
        fs::write(self.room(), vec![0; bytes]).map_err(|error| self.failed(&error))
    }

    pub fn give_room(&self) {
        // Where it is gone already there is the more room.
        let _ = fs::remove_file(self.room());
    }

    pub fn open(&self) -> Result<OwnedFd> {
        fs::File::open(self.files()).map(OwnedFd::from).map_err(|error| self.failed(&error))
    }

    fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    /// Where the next index is built.
    pub fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    fn room(&self) -> PathBuf {
        self.0.join("room")
    }

    pub fn failed(&self, error: &io::Error) -> Error {
        Error::from_io(self.0.display(), error)
    }

    /// Also what a process that died has left; nobody else writes while we do.
    fn remove(&self) {
        let _ = remove_tree(&self.0);
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A handle that takes a folder for the worktree, so that attributes are looked for there. It keeps
/// what it found of them.
struct Scribe<'a> {
    repository: Repository,
    into: PathBuf,
    tree: git2::Oid,
    /// Whether attributes are left out of account.
    is_raw: bool,
    watch: &'a Watch,
}

impl<'a> Scribe<'a> {
    fn new(
        top: &Path,
        into: PathBuf,
        tree: git2::Oid,
        is_raw: bool,
        watch: &'a Watch,
    ) -> Result<Scribe<'a>> {
        let repository = Repository::open_again(top)?;
        repository.inner.set_workdir(&into, false)?;
        Ok(Scribe { repository, into, tree, is_raw, watch })
    }

    fn write_all(&self, entries: &[&IndexEntry]) -> Result<()> {
        self.write(entries)?;
        let config = self.repository.inner.config()?;
        let has_links = config.get_bool("core.symlinks").unwrap_or(true);
        let kind = |mode: u32| match FileType::from_raw_mode(mode) {
            FileType::Symlink if !has_links => FileType::RegularFile,
            kind => kind,
        };
        let is_missing = |entry: &&IndexEntry| {
            let file = fs::symlink_metadata(self.into.join(path(&entry.path)));
            !file.is_ok_and(|it| FileType::from_raw_mode(it.mode()) == kind(entry.mode))
        };
        let missing: Vec<&IndexEntry> = entries.iter().copied().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // libgit2 writes nothing where HEAD has something of another kind, unless it is there.
        let head = self.repository.resolve_tree("HEAD").ok();
        for entry in &missing {
            let before = head.as_ref().and_then(|it| it.get_path(path(&entry.path)).ok());
            let mode = before.map_or(0, |it| it.filemode() as u32);
            let place = self.into.join(path(&entry.path));
            stand_in(&place, kind(mode))
                .map_err(|error| Error::from_io(place.display(), &error))?;
        }
        self.write(&missing)?;
        match missing.iter().find(|it| is_missing(it)) {
            Some(entry) => {
                let name = path(&entry.path).display();
                Err(Error::internal(format!("{name} was not written")))
            }
            None => Ok(()),
        }
    }

    fn write(&self, entries: &[&IndexEntry]) -> Result<()> {
        let is_stopped = Cell::new(false);
        let mut options = CheckoutBuilder::new();
        options
            .force()
            .recreate_missing(true)
            .update_index(false)
            .disable_filters(self.is_raw)
            .disable_pathspec_match(true)
            .progress(|_, done, total| {
                let (done, total) = (done as u64, total as u64);
                self.watch.tell(&Progress { stage: Stage::Checkout, done, total, bytes: 0 });
            })
            .notify_on(git2::CheckoutNotificationType::all())
            .notify(|_, _, _, _, _| {
                is_stopped.set(self.watch.is_stopped());
                !is_stopped.get()
            });
        for entry in entries {
            options.path(&*entry.path);
        }
        let tree = self.repository.inner.find_tree(self.tree)?;
        let written = self.repository.inner.checkout_tree(tree.as_object(), Some(&mut options));
        drop(options);
        written.map_err(|error| match is_stopped.get() {
            true => Error::cancelled("the checkout was stopped"),
            false => Error::from(error).while_doing("checking out"),
        })
    }
}

/// Makes something empty of this kind.
fn stand_in(place: &Path, kind: FileType) -> io::Result<()> {
    fs::create_dir_all(place.parent().unwrap_or(place))?;
    match kind {
        FileType::Directory => fs::create_dir_all(place),
        FileType::Symlink => std::os::unix::fs::symlink("nothing", place),
        _ => fs::write(place, ""),
    }
}
