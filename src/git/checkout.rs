//! Making the worktree what a commit says.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use git2::IndexEntry;

use super::{
    Folder, Repository,
    aside::Aside,
    edit::{self, Entry},
    fit,
    lock::{self, HEAD_LOCK, INDEX_LOCK, PACKED_LOCK, Writer},
    refs::Branch,
    worktree::{Worktree, is_submodule},
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

const ATTRIBUTES: &str = ".gitattributes";
const INDEX: &str = "index";
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
        writer.note_commit(self.inner.refname_to_id("HEAD").ok())?;
        writer.clear(self.git_folder(), &[INDEX_LOCK, HEAD_LOCK], watch)?;
        if let Head::On(branch) = head {
            let lock = format!("{}.lock", branch.reference());
            writer.clear(self.common_folder(), &[&lock, PACKED_LOCK], watch)?;
            if let Some(folder) = self.other_worktree_on(branch) {
                let message = format!("`{}` is checked out in another worktree", branch.name());
                return Err(Error::conflict(message)
                    .with("expected", "a branch that is checked out nowhere else")
                    .with("actual", folder.to_string_lossy().into_owned()));
            }
        }
        let tree = self.inner.find_commit(commit)?.tree()?;
        let mut change = None;
        if !self.is_bare() {
            self.expect_content(&tree)?;
            let before = self.resolve_tree("HEAD").ok().map(|it| it.id());
            self.expect_depth(before, tree.id(), 0, watch)?;
            let lock = IndexLock::take(self.git_folder(), &writer, watch)?;
            change = Some(Change::prepare(self, &tree, &BTreeSet::new(), &writer, lock, watch)?);
        }
        writer.begin();
        // The refs first: somebody may hold one, and then no file has been touched.
        match head {
            Head::Detached => self.inner.set_head_detached(commit)?,
            Head::On(branch) => {
                self.inner.reference(&branch.reference(), commit, true, "gitport: sync")?;
                self.inner.set_head(&branch.reference())?;
            }
        }
        if let Some(change) = change {
            change.apply(self)?;
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
        let is_whole = self.is_bare() || !lock::was_interrupted(self.git_folder());
        if is_whole { self.whole_at(head) } else { Ok(None) }
    }

    /// The same, where it is known that nobody was interrupted.
    pub(super) fn whole_at(&self, head: &Head) -> Result<Option<git2::Oid>> {
        self.expect_plain_head()?;
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
        let Some(written) = modified(&self.git_folder().join(INDEX)) else { return Ok(None) };
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

    fn names_at_head(&self) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        let Ok(tree) = self.resolve_tree("HEAD") else { return names };
        // What cannot be walked to its end has at least these.
        let _ = tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
            if entry.kind() == Some(git2::ObjectType::Blob) {
                names.push([folder.as_bytes(), entry.name_bytes()].concat());
            }
            git2::TreeWalkResult::Ok
        });
        names
    }

    /// Fails where folders are too deep for libgit2, which goes into them call by call. What is in
    /// `HEAD` too was looked at before.
    fn expect_depth(
        &self,
        before: Option<git2::Oid>,
        after: git2::Oid,
        above: usize,
        watch: &Watch,
    ) -> Result<()> {
        watch.check()?;
        fit::expect_folders(above)?;
        let old = before.and_then(|it| self.object(it).ok());
        let (_, new) = self.object(after)?;
        for (name, entry) in edit::entries(&new).filter(|(_, it)| it.is_folder()) {
            let was = old.as_ref().and_then(|(_, it)| edit::find(it, name));
            let was = was.filter(Entry::is_folder).map(|it| it.id);
            if was != Some(entry.id) {
                self.expect_depth(was, entry.id, above + 1, watch)?;
            }
        }
        Ok(())
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
pub(super) struct Change {
    aside: Aside,
    lock: IndexLock,
    index: git2::Index,
    /// Files to be put in place, in the order of their names.
    written: Vec<IndexEntry>,
    /// Tracked before, and not any more.
    stale: Vec<Vec<u8>>,
}

impl Change {
    /// Holds the index from here on: nobody's `git add` comes in between. Files that are `spared`
    /// stay as they are, in the index too.
    pub fn prepare(
        repository: &Repository,
        tree: &git2::Tree,
        spared: &BTreeSet<Vec<u8>>,
        writer: &Writer,
        lock: IndexLock,
        watch: &Watch,
    ) -> Result<Change> {
        let git_folder = repository.git_folder();
        let aside = Aside::new(git_folder)?;
        let mut worktree = Worktree::open(repository.worktree("check out into")?)?;
        let now = git_folder.join(INDEX);
        let mut index = copy_of_index(&now, &aside)?;
        let since = modified(&now).unwrap_or_default();
        let mut before: Vec<Vec<u8>> = index.iter().map(|it| it.path).collect();
        if writer.follows_unfinished() {
            // Its files may be there, and the index does not know of them yet.
            before.extend(repository.names_at_head());
        }
        let kept = spared.iter().map(|it| (it, index.get_path(path(it), 0))).collect::<Vec<_>>();
        // Keeps what is known of files whose content stays.
        index.read_tree(tree)?;
        for (name, entry) in kept {
            put(&mut index, name, entry.as_ref())?;
        }
        let is_tracked = |name: &Vec<u8>| index.get_path(path(name), 0).is_some();
        let is_stale = |it: &Vec<u8>| !is_tracked(it) && !is_at_or_near(it, spared);
        let stale = before.into_iter().filter(is_stale).collect();
        let changed = |entry: &IndexEntry| {
            !is_at_or_near(&entry.path, spared) && !worktree.is_unchanged(entry, since)
        };
        let written: Vec<IndexEntry> = index.iter().filter(changed).collect();
        for entry in &written {
            worktree.expect_no_repository(entry)?;
        }
        let has_attributes = |entry: &IndexEntry| path(&entry.path).ends_with(ATTRIBUTES);
        let attributes: Vec<IndexEntry> = index.iter().filter(has_attributes).collect();
        let files = written.iter().filter(|it| !is_submodule(it) && !has_attributes(it)).collect();
        aside.fill(repository, tree.id(), attributes.iter().collect(), files, watch)?;
        let bytes = index.iter().map(|it| INDEX_ENTRY_BYTES + it.path.len()).sum::<usize>();
        aside.reserve(bytes + ROOM_BYTES)?;
        Ok(Change { aside, lock, index, written, stale })
    }

    /// Only the index is to be changed: the files are as it shall say.
    pub fn of_index(
        repository: &Repository,
        entries: &BTreeMap<Vec<u8>, Option<IndexEntry>>,
        lock: IndexLock,
    ) -> Result<Change> {
        let aside = Aside::new(repository.git_folder())?;
        let mut index = copy_of_index(&repository.git_folder().join(INDEX), &aside)?;
        for (name, entry) in entries {
            put(&mut index, name, entry.as_ref())?;
        }
        let bytes = index.iter().map(|it| INDEX_ENTRY_BYTES + it.path.len()).sum::<usize>();
        aside.reserve(bytes + ROOM_BYTES)?;
        Ok(Change { aside, lock, index, written: Vec::new(), stale: Vec::new() })
    }

    /// Done to its end, whoever waits for it or not.
    pub fn apply(mut self, repository: &Repository) -> Result<()> {
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
        // Remembered in the index, so that the next look need not find it out.
        self.index.write_tree_to(&repository.inner)?;
        self.index.write()?;
        self.lock.replace_index(&self.aside.index())
    }
}

/// Has the index say this of a file.
fn put(index: &mut git2::Index, name: &[u8], entry: Option<&IndexEntry>) -> Result<()> {
    match entry {
        Some(entry) => index.add(entry)?,
        None => index.remove_path(path(name))?,
    }
    Ok(())
}

/// Whether a file is one of these, or below one or above one.
fn is_at_or_near(name: &[u8], these: &BTreeSet<Vec<u8>>) -> bool {
    let folder = [name, b"/"].concat();
    let is_above = these.range(folder.clone()..).next().is_some_and(|it| it.starts_with(&folder));
    let mut ends = name.iter().enumerate().filter(|(_, it)| **it == b'/').map(|(at, _)| at);
    is_above || these.contains(name) || ends.any(|it| these.contains(&name[..it]))
}

fn copy_of_index(index: &Path, aside: &Aside) -> Result<git2::Index> {
    if index.exists() {
        fs::copy(index, aside.index()).map_err(|error| aside.failed(&error))?;
    }
    Ok(git2::Index::open(&aside.index())?)
}

/// The index of a worktree, held as Git holds it.
pub(super) struct IndexLock(PathBuf);

impl IndexLock {
    pub fn take(git_folder: &Path, writer: &Writer, watch: &Watch) -> Result<IndexLock> {
        writer.take(git_folder, INDEX_LOCK, watch).map(IndexLock)
    }

    fn replace_index(&self, new: &Path) -> Result<()> {
        let index = self.0.with_file_name(INDEX);
        fs::rename(new, &index).map_err(|error| Error::from_io(index.display(), &error))
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        lock::let_go(&self.0);
    }
}

pub(super) fn path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

fn modified(file: &Path) -> Option<(i64, i64)> {
    fs::metadata(file).map(|it| (it.mtime(), it.mtime_nsec())).ok()
}
