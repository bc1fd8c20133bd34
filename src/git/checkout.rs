//! Making the worktree what a commit says.

use std::{
    cell::Cell,
    ffi::OsStr,
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
};

use git2::{IndexEntry, build::CheckoutBuilder};
use rustix::fs::FileType;

use super::{
    Folder, Repository,
    lock::{self, Writer},
    refs::Branch,
    worktree::{Worktree, is_submodule},
};
use crate::{
    error::{Error, Result},
    watch::{Progress, Stage, Watch},
};

const ASIDE: &str = "gitport-checkout";
/// What the index needs for a file besides its name.
const INDEX_ENTRY_BYTES: usize = 72;
/// What is kept free for refs, their logs, and folders.
const ROOM_BYTES: usize = 64 * 1024;

/// Where `HEAD` is afterwards.
pub(super) enum Head<'a> {
    Detached,
    On(&'a Branch),
}

impl Repository {
    /// Checks a commit out, detaching `HEAD`. Changes to tracked files are discarded.
    pub fn checkout(&self, rev: &str, watch: &Watch) -> Result<String> {
        self.worktree("check out into")?;
        let commit = self.resolve_commit(rev)?.id();
        self.reset(commit, &Head::Detached, watch)?;
        Ok(commit.to_string())
    }

    /// Sets worktree, index, branch and `HEAD`. Everything that may be refused or find no room
    /// comes before anything is moved; what was interrupted is done again by the next writer.
    pub(super) fn reset(&self, commit: git2::Oid, head: &Head, watch: &Watch) -> Result<()> {
        if self.is_there_already(commit, head)? {
            return Ok(());
        }
        let mut writer = Writer::acquire(self.git_folder(), watch)?;
        writer.clear(self.git_folder(), &["index.lock", "HEAD.lock"], watch)?;
        if let Head::On(branch) = head {
            let lock = format!("{}.lock", branch.reference());
            writer.clear(self.common_folder(), &[&lock, "packed-refs.lock"], watch)?;
        }
        let tree = self.inner.find_commit(commit)?.tree()?;
        let mut change = None;
        if !self.is_bare() {
            self.expect_content(&tree)?;
            change = Some(Change::prepare(self, &tree, watch)?);
        }
        writer.begin();
        if let Some(change) = change {
            change.apply(self)?;
        }
        match head {
            Head::Detached => self.inner.set_head_detached(commit)?,
            Head::On(branch) => {
                self.inner.reference(&branch.reference(), commit, true, "gitport: sync")?;
                self.inner.set_head(&branch.reference())?;
            }
        }
        writer.finish();
        Ok(())
    }

    fn is_there_already(&self, commit: git2::Oid, head: &Head) -> Result<bool> {
        let is_at = self.inner.refname_to_id("HEAD").ok() == Some(commit);
        Ok(is_at && self.settled_at(head)? == Some(commit))
    }

    /// The commit that `HEAD`, branch, index and every tracked file are at, if they agree, as far
    /// as their times and sizes tell, as Git judges it too.
    pub(super) fn settled_at(&self, head: &Head) -> Result<Option<git2::Oid>> {
        let target = self.inner.find_reference("HEAD")?;
        let is_right_branch = match (head, target.symbolic_target()) {
            (Head::Detached, Ok(None)) => true,
            (Head::On(branch), Ok(Some(target))) => target == branch.reference(),
            _ => false,
        };
        let commit = self.inner.refname_to_id("HEAD").ok().filter(|_| is_right_branch);
        let (Some(commit), Some(worktree)) = (commit, self.inner.workdir()) else {
            return Ok(commit);
        };
        if lock::was_interrupted(self.git_folder()) {
            return Ok(None);
        }
        let Some(written) = modified(&self.git_folder().join("index")) else { return Ok(None) };
        let mut index = self.inner.index()?;
        index.read(false)?;
        let mut worktree = Worktree::open(worktree)?;
        if index.has_conflicts() || !index.iter().all(|it| worktree.is_unchanged(&it, written)) {
            return Ok(None);
        }
        // With nothing changed, this is the tree the index remembers, and nothing is written.
        let is_whole = index.write_tree().ok() == Some(self.inner.find_commit(commit)?.tree_id());
        Ok(is_whole.then_some(commit))
    }

    /// Fails before anything is touched where a partial clone lacks what would be written.
    fn expect_content(&self, tree: &git2::Tree) -> Result<()> {
        if !self.is_partial() {
            return Ok(());
        }
        let odb = self.inner.odb()?;
        let mut missing = None;
        let walked = tree.walk(git2::TreeWalkMode::PreOrder, |_, entry| {
            let is_blob = entry.kind() == Some(git2::ObjectType::Blob);
            if is_blob && !odb.exists(entry.id()) {
                missing = Some(entry.id());
                return git2::TreeWalkResult::Abort;
            }
            git2::TreeWalkResult::Ok
        });
        match missing {
            Some(id) => Err(self.missing(format!("the object {id} is missing"))),
            None => Ok(walked?),
        }
    }
}

/// What is to be done to a worktree, with the files it needs written already.
struct Change {
    aside: Aside,
    index: git2::Index,
    /// Files to be put in place, in the order of their names.
    written: Vec<IndexEntry>,
    /// Tracked before, and not any more.
    stale: Vec<Vec<u8>>,
}

impl Change {
    fn prepare(repository: &Repository, tree: &git2::Tree, watch: &Watch) -> Result<Change> {
        let top = repository.worktree("check out into")?;
        let mut worktree = Worktree::open(top)?;
        let mut index = repository.inner.index()?;
        index.read(true)?;
        let since = modified(&repository.git_folder().join("index")).unwrap_or_default();
        let before: Vec<Vec<u8>> = index.iter().map(|it| it.path).collect();
        // Keeps what is known of files whose content stays. The attributes that say how the others
        // are written are read from it as well.
        index.read_tree(tree)?;
        let is_tracked = |name: &Vec<u8>| index.get_path(path(name), 0).is_some();
        let stale = before.into_iter().filter(|it| !is_tracked(it)).collect();
        let changed = |entry: &IndexEntry| !worktree.is_unchanged(entry, since);
        let written: Vec<IndexEntry> = index.iter().filter(changed).collect();
        for entry in &written {
            worktree.expect_no_repository(entry)?;
        }
        let aside = Aside::new(repository.git_folder(), top)?;
        let files: Vec<&IndexEntry> = written.iter().filter(|it| !is_submodule(it)).collect();
        let filled = aside.fill(repository, tree, &files, watch);
        let bytes = index.iter().map(|it| INDEX_ENTRY_BYTES + it.path.len()).sum::<usize>();
        let reserved = filled.and_then(|()| aside.reserve(bytes + ROOM_BYTES));
        // What it knows is of a worktree that stays as it is, then.
        reserved.inspect_err(|_| drop(index.read(true)))?;
        Ok(Change { aside, index, written, stale })
    }

    /// Done to its end, whoever waits for it or not.
    fn apply(mut self, repository: &Repository) -> Result<()> {
        let top = repository.worktree("check out into")?;
        let folder = Folder::open(top)?;
        for name in &self.stale {
            folder.remove(path(name));
        }
        // Opened after that: some folders are gone.
        let mut worktree = Worktree::open(top)?;
        let files = self.aside.open()?;
        for entry in &mut self.written {
            worktree.place(&files, entry)?;
            self.index.add(entry)?;
        }
        self.aside.give_room();
        Ok(self.index.write()?)
    }
}

/// A folder beside the worktree in which files are written before they are put in their places.
struct Aside(PathBuf);

impl Aside {
    fn new(git_folder: &Path, worktree: &Path) -> Result<Aside> {
        let device = |folder: &Path| fs::metadata(folder).map(|it| it.dev()).ok();
        // Files can only be moved within one file system.
        let is_near = device(git_folder) == device(worktree);
        let aside = Aside(if is_near { git_folder } else { worktree }.join(ASIDE));
        aside.remove();
        fs::create_dir(&aside.0).map_err(|error| aside.failed(&error))?;
        fs::create_dir(aside.files()).map_err(|error| aside.failed(&error))?;
        Ok(aside)
    }

    /// Writes the files as they are to be in the worktree.
    fn fill(
        &self,
        repository: &Repository,
        tree: &git2::Tree,
        entries: &[&IndexEntry],
        watch: &Watch,
    ) -> Result<()> {
        self.write(repository, tree, entries, watch)?;
        let has_links = repository.inner.config()?.get_bool("core.symlinks").unwrap_or(true);
        let kind = |mode: u32| match FileType::from_raw_mode(mode) {
            FileType::Symlink if !has_links => FileType::RegularFile,
            kind => kind,
        };
        let is_missing = |entry: &&IndexEntry| {
            let file = fs::symlink_metadata(self.files().join(path(&entry.path)));
            !file.is_ok_and(|it| FileType::from_raw_mode(it.mode()) == kind(entry.mode))
        };
        // libgit2 writes nothing where HEAD has something of another kind, unless it is there.
        let missing: Vec<&IndexEntry> = entries.iter().copied().filter(is_missing).collect();
        let head = repository.resolve_tree("HEAD").ok();
        for entry in &missing {
            let before = head.as_ref().and_then(|it| it.get_path(path(&entry.path)).ok());
            let mode = before.map_or(0, |it| it.filemode() as u32);
            self.stand_in(path(&entry.path), kind(mode)).map_err(|error| self.failed(&error))?;
        }
        self.write(repository, tree, &missing, watch)?;
        match missing.iter().find(|it| is_missing(it)) {
            Some(entry) => {
                let name = path(&entry.path).display();
                Err(Error::internal(format!("{name} was not written")))
            }
            None => Ok(()),
        }
    }

    fn stand_in(&self, name: &Path, kind: FileType) -> io::Result<()> {
        let place = self.files().join(name);
        fs::create_dir_all(place.parent().unwrap_or(&place))?;
        match kind {
            FileType::Directory => fs::create_dir_all(place),
            FileType::Symlink => std::os::unix::fs::symlink("nothing", place),
            _ => fs::write(place, ""),
        }
    }

    fn write(
        &self,
        repository: &Repository,
        tree: &git2::Tree,
        entries: &[&IndexEntry],
        watch: &Watch,
    ) -> Result<()> {
        // No name would mean all of them.
        if entries.is_empty() {
            return Ok(());
        }
        let is_stopped = Cell::new(false);
        let mut options = CheckoutBuilder::new();
        options
            .force()
            .recreate_missing(true)
            .update_index(false)
            .target_dir(&self.files())
            .disable_pathspec_match(true)
            .progress(|_, done, total| {
                let (done, total) = (done as u64, total as u64);
                watch.tell(&Progress { stage: Stage::Checkout, done, total, bytes: 0 });
            })
            .notify_on(git2::CheckoutNotificationType::all())
            .notify(|_, _, _, _, _| {
                is_stopped.set(watch.is_stopped());
                !is_stopped.get()
            });
        for entry in entries {
            options.path(&*entry.path);
        }
        let written = repository.inner.checkout_tree(tree.as_object(), Some(&mut options));
        drop(options);
        written.map_err(|error| match is_stopped.get() {
            true => Error::cancelled("the checkout was stopped"),
            false => Error::from(error).while_doing("checking out"),
        })
    }

    /// Takes the room that the index and the refs need in the end.
    fn reserve(&self, bytes: usize) -> Result<()> {
        fs::write(self.room(), vec![0; bytes]).map_err(|error| self.failed(&error))
    }

    fn give_room(&self) {
        // Where it is gone already there is the more room.
        let _ = fs::remove_file(self.room());
    }

    fn open(&self) -> Result<OwnedFd> {
        fs::File::open(self.files()).map(OwnedFd::from).map_err(|error| self.failed(&error))
    }

    fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    fn room(&self) -> PathBuf {
        self.0.join("room")
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::from_io(self.0.display(), error)
    }

    /// Also what a process that died has left; nobody else writes while we do.
    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.remove();
    }
}

fn path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

fn modified(file: &Path) -> Option<(i64, i64)> {
    fs::metadata(file).map(|it| (it.mtime(), it.mtime_nsec())).ok()
}
