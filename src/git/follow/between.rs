//! A worktree between two commits: somebody was killed, or the power went, before it followed its
//! branch to the end.

use std::{
    collections::BTreeSet,
    fs::{self, DirEntry},
    path::{Path, PathBuf},
};

use git2::{Oid, Status, StatusEntry, StatusOptions, Tree, TreeEntry};

use crate::{
    error::Result,
    git::{
        Repository, checkout::path, hash::object_id, lock, pack::Kind, plain,
        repository::head_target,
    },
};

/// Tells what of a worktree is as it was before or is to be from what a person did since.
pub struct Between<'a> {
    repository: &'a Repository,
    wanted: Option<Tree<'a>>,
    /// Where it was before; nothing where nobody wrote that down.
    before: Option<Option<Tree<'a>>>,
    index: git2::Index,
}

impl<'a> Between<'a> {
    /// From this commit, or from none where that is zero, to where `HEAD` is.
    pub fn from(repository: &'a Repository, commit: Option<Oid>) -> Result<Between<'a>> {
        let tree = |it: Oid| repository.inner.find_commit(it).and_then(|it| it.tree()).ok();
        let before = match commit {
            Some(id) if id.is_zero() => Some(None),
            commit => commit.and_then(tree).map(Some),
        };
        let wanted = repository.inner.refname_to_id("HEAD").ok().and_then(tree);
        let mut index = repository.inner.index()?;
        index.read(false)?;
        Ok(Between { repository, wanted, before, index })
    }

    /// Whether this file is as it is to be, or as the one before left it.
    pub fn has(&self, found: &StatusEntry) -> bool {
        let name = path(found.path_bytes());
        let changed =
            Status::WT_MODIFIED | Status::WT_TYPECHANGE | Status::WT_NEW | Status::WT_DELETED;
        let is_as_in_index = !found.status().intersects(changed);
        (is_as_in_index && self.is_index_as_before(name)) || self.is_done(name)
    }

    fn is_index_as_before(&self, name: &Path) -> bool {
        let Some(before) = &self.before else { return true };
        let before = entry_of(before.as_ref(), name).map(|it| (it.id(), it.filemode() as u32));
        self.index.get_path(name, 0).map(|it| (it.id, it.mode)) == before
    }

    fn is_done(&self, name: &Path) -> bool {
        let Some(top) = self.repository.inner.workdir() else { return true };
        match (entry_of(self.wanted.as_ref(), name), plain::read(&top.join(name))) {
            (Some(wanted), Ok(content)) => object_id(Kind::Blob, &content) == wanted.id(),
            (wanted, Err(_)) => wanted.is_none() && fs::symlink_metadata(top.join(name)).is_err(),
            (None, Ok(_)) => false,
        }
    }

    /// What a person did since.
    pub fn others(&self) -> Result<BTreeSet<Vec<u8>>> {
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).exclude_submodules(false);
        let statuses = self.repository.inner.statuses(Some(&mut options))?;
        let others = statuses.iter().filter(|it| !self.has(it));
        Ok(others.map(|it| it.path_bytes().to_vec()).collect())
    }
}

fn entry_of(tree: Option<&Tree>, name: &Path) -> Option<TreeEntry<'static>> {
    tree?.get_path(name).ok()
}

/// The power may have gone before the worktrees of a branch followed it from there.
pub fn doubt(repository: &Repository, reference: &str, from: Option<Oid>) -> Result<()> {
    let common = repository.common_folder();
    let is_bare = repository.inner.config()?.get_bool("core.bare").unwrap_or(false);
    let main = (!is_bare).then(|| common.to_owned());
    let linked = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    let folders = main.into_iter().chain(linked.map(|it: DirEntry| it.path()));
    let is_on_it = |folder: &PathBuf| {
        head_target(&folder.join("HEAD")).is_some_and(|it| it == reference.as_bytes())
    };
    folders.filter(is_on_it).try_for_each(|folder| lock::doubt(&folder, from))
}
