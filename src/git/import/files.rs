//! The files of a state, compared with those of its parent.
//!
//! A content that the parent has too is known by its digest, and neither hashed for Git nor kept.

use std::collections::{HashMap, HashSet};

use git2::Oid;
use sha2::{Digest as _, Sha256};

use super::{
    about,
    step::{Blob, Sums},
};
use crate::{
    error::{Error, Result},
    git::{
        FileName, RawName, Repository,
        edit::{self, Entry},
        fit,
        hash::object_id,
        pack::Kind,
        tree,
    },
};

type Digest = [u8; 32];

/// So many files of states are kept for their children, besides those of the last one.
const SHELF_FILES_MAX: usize = 200_000;

/// The files of states that children are still to come of.
#[derive(Default)]
pub struct Shelf {
    children: HashMap<String, usize>,
    kept: HashMap<String, Tree>,
    files: usize,
}

/// A file that is there.
#[derive(Clone, Copy)]
pub struct Known {
    entry: Entry,
    /// Unless it was read from a commit.
    digest: Option<Digest>,
}

pub type Tree = HashMap<Vec<u8>, Known>;
/// What a path shall be, or that it shall be gone.
pub type Change = (Vec<u8>, Option<Entry>);

pub struct Files<'a> {
    state: &'a str,
    /// Those of the parent that did not come up yet.
    before: Tree,
    now: Tree,
    changes: Vec<Change>,
    has_new: bool,
    sums: Sums,
}

impl Shelf {
    /// Of the parents of all states that are to come.
    pub fn new<'a>(parents: impl Iterator<Item = &'a String>) -> Shelf {
        let mut shelf = Shelf::default();
        parents.for_each(|it| *shelf.children.entry(it.clone()).or_default() += 1);
        shelf
    }

    pub fn put(&mut self, state: &str, files: Tree) {
        if !self.children.contains_key(state) {
            return;
        }
        if SHELF_FILES_MAX < self.files + files.len() {
            // They can be read again.
            self.kept.clear();
            self.files = 0;
        }
        self.files += files.len();
        self.kept.insert(state.to_owned(), files);
    }

    /// For one child more.
    pub fn take(&mut self, state: &str) -> Option<Tree> {
        let left = self.children.get_mut(state)?;
        *left -= 1;
        if 0 < *left {
            return self.kept.get(state).cloned();
        }
        self.children.remove(state);
        let files = self.kept.remove(state)?;
        self.files -= files.len();
        Some(files)
    }
}

impl<'a> Files<'a> {
    pub fn new(state: &'a str, before: Tree) -> Files<'a> {
        let now = HashMap::with_capacity(before.len());
        let (changes, sums) = (Vec::new(), Sums::default());
        Files { state, before, now, changes, has_new: false, sums }
    }

    /// Takes a file; gives its blob where the parent has another one.
    pub fn add(
        &mut self,
        path: &[u8],
        content: Vec<u8>,
        mode: Option<u32>,
    ) -> Result<Option<Blob>> {
        self.sums.files += 1;
        self.sums.bytes += content.len() as u64;
        let digest: Digest = Sha256::digest(&content).into();
        let mode = mode.unwrap_or(tree::PLAIN);
        let target = (mode == tree::LINK).then_some(content.as_slice());
        expect_fit(path, target).map_err(|error| about(self.state, path, error))?;
        let (path, before) = match self.before.remove_entry(path) {
            Some((path, known)) => (path, Some(known)),
            None => {
                check(path).map_err(|error| about(self.state, path, error))?;
                self.has_new = true;
                (path.to_vec(), None)
            }
        };
        let same = before.as_ref().filter(|it| it.digest == Some(digest)).map(|it| it.entry.id);
        let id = same.unwrap_or_else(|| object_id(Kind::Blob, &content));
        let entry = Entry { mode, id };
        let before = before.map(|it| it.entry);
        if before != Some(entry) {
            self.changes.push((path.clone(), Some(entry)));
        }
        if self.now.insert(path.clone(), Known { entry, digest: Some(digest) }).is_some() {
            return Err(about(self.state, &path, Error::invalid("a path is there twice")));
        }
        let before = before.map(|it| it.id);
        Ok((before != Some(id)).then_some(Blob { id, content, before }))
    }

    /// What is there now, and what makes it out of what the parent has: what comes first, then
    /// what goes.
    pub fn finish(mut self) -> Result<(Tree, Vec<Change>, Sums)> {
        if self.has_new {
            self.expect_no_file_above()?;
        }
        self.changes.extend(self.before.into_keys().map(|path| (path, None)));
        Ok((self.now, self.changes, self.sums))
    }

    fn expect_no_file_above(&self) -> Result<()> {
        let mut folders: HashSet<&[u8]> = HashSet::new();
        for path in self.now.keys() {
            for (at, _) in path.iter().enumerate().filter(|(_, it)| **it == b'/').rev() {
                let folder = &path[..at];
                if !folders.insert(folder) {
                    break;
                }
                if self.now.contains_key(folder) {
                    let folder = String::from_utf8_lossy(folder);
                    let why = format!("`{folder}` is a file, so nothing can be below it");
                    return Err(about(self.state, path, Error::invalid(why)));
                }
            }
        }
        Ok(())
    }
}

/// Fails for what Git refuses later on, or no file system has.
fn expect_fit(path: &[u8], target: Option<&[u8]>) -> Result<()> {
    let Some(target) = target else { return Ok(()) };
    fit::expect_no_link_to_modules(path, tree::LINK)?;
    fit::flaw_of_target(target)
        .map_or(Ok(()), |flaw| Err(Error::invalid(format!("the file {flaw}"))))
}

/// Fails where a path leads out, into Git's own folder, or is no file's.
fn check(path: &[u8]) -> Result<()> {
    if path.ends_with(b"/") {
        return Err(Error::invalid("a file's path ends with a slash"));
    }
    fit::expect_depth(path)?;
    if let Some(flaw) = fit::flaw_of_name(path) {
        return Err(Error::invalid(format!("a file's path {flaw}")));
    }
    FileName::try_from(&RawName(path.to_vec())).map(drop)
}

/// The files of a commit.
pub fn of_commit(repository: &Repository, commit: Oid) -> Result<Tree> {
    let tree = repository.inner.find_commit(commit)?.tree_id();
    let mut files = Tree::new();
    read(repository, tree, &mut Vec::new(), &mut files)?;
    Ok(files)
}

fn read(repository: &Repository, tree: Oid, above: &mut Vec<u8>, files: &mut Tree) -> Result<()> {
    fit::expect_depth(above)?;
    let (_, content) = repository.object(tree)?;
    for (name, entry) in edit::entries(&content) {
        let length = above.len();
        above.extend_from_slice(name);
        if entry.is_folder() {
            above.push(b'/');
            read(repository, entry.id, above, files)?;
        } else {
            files.insert(above.clone(), Known { entry, digest: None });
        }
        above.truncate(length);
    }
    Ok(())
}
