//! Making the worktree what a commit says.

use std::{
    cell::Cell,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use git2::build::CheckoutBuilder;

use super::{
    Folder, Repository,
    lock::{self, Writer},
    refs::Branch,
};
use crate::{
    error::{Error, Result},
    watch::{Progress, Stage, Watch},
};

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

    /// Sets branch, `HEAD`, worktree and index. The index is the last, so that what was interrupted
    /// shows and is done again by the next one.
    pub(super) fn reset(&self, commit: git2::Oid, head: &Head, watch: &Watch) -> Result<()> {
        if self.is_there_already(commit, head)? {
            return Ok(());
        }
        let writer = Writer::acquire(self.git_folder(), watch)?;
        writer.clear(self.git_folder(), &["index.lock", "HEAD.lock"], watch)?;
        // Whatever makes it impossible shows before anything is moved.
        let tree = self.inner.find_commit(commit)?.tree()?;
        let mut stale = Vec::new();
        if !self.is_bare() {
            self.expect_content(&tree)?;
            stale = self.added_in_index(&tree)?;
        }
        if let Head::On(branch) = head {
            let lock = format!("{}.lock", branch.reference());
            writer.clear(self.common_folder(), &[&lock, "packed-refs.lock"], watch)?;
            self.inner.reference(&branch.reference(), commit, true, "gitport: sync")?;
        }
        // Before the files: libgit2 takes what HEAD names for what should be there already.
        match head {
            Head::Detached => self.inner.set_head_detached(commit)?,
            Head::On(branch) => self.inner.set_head(&branch.reference())?,
        }
        if !self.is_bare() {
            self.fill_worktree(&tree, &stale, watch)?;
        }
        Ok(())
    }

    /// Whether `HEAD`, branch, index and every tracked file are as they should be, as far as their
    /// times and sizes tell, as Git judges it too.
    fn is_there_already(&self, commit: git2::Oid, head: &Head) -> Result<bool> {
        let target = self.inner.find_reference("HEAD")?;
        let is_right_branch = match (head, target.symbolic_target()) {
            (Head::Detached, Ok(None)) => true,
            (Head::On(branch), Ok(Some(target))) => target == branch.reference(),
            _ => false,
        };
        if !is_right_branch || self.inner.refname_to_id("HEAD").ok() != Some(commit) {
            return Ok(false);
        }
        let Some(worktree) = self.inner.workdir() else { return Ok(true) };
        if lock::was_interrupted(self.git_folder()) {
            return Ok(false);
        }
        let index_path = self.git_folder().join("index");
        let Ok(written) = fs::metadata(index_path).map(|it| (it.mtime(), it.mtime_nsec())) else {
            return Ok(false);
        };
        let mut index = self.inner.index()?;
        index.read(false)?;
        let is_same = |entry: &git2::IndexEntry| is_unchanged(worktree, entry, written);
        if index.has_conflicts() || !index.iter().all(|entry| is_same(&entry)) {
            return Ok(false);
        }
        // With nothing changed, this is the tree the index remembers, and nothing is written.
        Ok(index.write_tree().ok() == Some(self.inner.find_commit(commit)?.tree_id()))
    }

    fn fill_worktree(&self, tree: &git2::Tree, stale: &[Vec<u8>], watch: &Watch) -> Result<()> {
        // Removed first, because libgit2 cannot write a file where it removes a folder, or the
        // other way round. What was staged but never committed is tracked too, so it goes too.
        let folder = Folder::open(self.worktree("check out into")?)?;
        let mut index = self.inner.index()?;
        for name in stale {
            let name = Path::new(OsStr::from_bytes(name));
            folder.remove(name);
            index.remove_path(name)?;
        }
        if !stale.is_empty() {
            index.write()?;
        }
        let is_stopped = Cell::new(false);
        let mut options = CheckoutBuilder::new();
        options
            .force()
            .remove_ignored(false)
            .progress(|_, done, total| {
                let (done, total) = (done as u64, total as u64);
                watch.tell(&Progress { stage: Stage::Checkout, done, total, bytes: 0 });
            })
            .notify_on(git2::CheckoutNotificationType::UPDATED)
            .notify(|_, _, _, _, _| {
                is_stopped.set(watch.is_stopped());
                !is_stopped.get()
            });
        let checked_out = self.inner.checkout_tree(tree.as_object(), Some(&mut options));
        drop(options);
        checked_out.map_err(|error| match is_stopped.get() {
            true => Error::cancelled("the checkout was stopped"),
            false => Error::from(error).while_doing("checking out"),
        })?;
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

    /// What the index has and the commit to come has not.
    fn added_in_index(&self, tree: &git2::Tree) -> Result<Vec<Vec<u8>>> {
        let index = self.inner.index()?;
        let diff = self.inner.diff_tree_to_index(Some(tree), Some(&index), None)?;
        let added = diff.deltas().filter(|it| it.status() == git2::Delta::Added);
        Ok(added.filter_map(|it| it.new_file().path_bytes().map(<[u8]>::to_vec)).collect())
    }
}

/// Whether a file has the times, size and mode that the index has of it. One that is not older
/// than the index may have been changed unseen, and is read.
fn is_unchanged(worktree: &Path, entry: &git2::IndexEntry, written: (i64, i64)) -> bool {
    let path = worktree.join(OsStr::from_bytes(&entry.path));
    let Ok(file) = fs::symlink_metadata(&path) else { return false };
    let kind = match entry.mode & 0o170_000 {
        0o100_000 => file.is_file() && (file.mode() & 0o100 != 0) == (entry.mode & 0o100 != 0),
        0o120_000 => file.is_symlink(),
        _ => false,
    };
    let modified = (file.mtime(), file.mtime_nsec());
    let known = (i64::from(entry.mtime.seconds()), i64::from(entry.mtime.nanoseconds()));
    let is_as_known = file.size() as u32 == entry.file_size
        && file.ino() as u32 == entry.ino
        && modified == known;
    let is_same_content = || {
        let hash = git2::Oid::hash_file(git2::ObjectType::Blob, &path);
        file.is_file() && hash.is_ok_and(|it| it == entry.id)
    };
    kind && is_as_known && (modified < written || is_same_content())
}
