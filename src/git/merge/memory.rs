//! A repository for libgit2 to work in: it reads what there is, and writes into memory alone.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use git2::{Index, MergeOptions, ObjectType, Odb, Oid, RepositoryOpenFlags};

use crate::{
    error::{Error, Result},
    git::{Repository, Transaction, edit, fit, pack::Kind},
};

/// More than any of the places where objects lie on disk.
const FIRST: i32 = 1000;

pub struct Memory<'a> {
    inner: git2::Repository,
    repository: &'a Repository,
}

impl<'a> Memory<'a> {
    /// With all that these commits lead to, also where only the transaction has it yet.
    pub fn of(transaction: &Transaction<'a>, commits: &[Oid]) -> Result<Memory<'a>> {
        let repository = transaction.repository();
        let common_folder = repository.common_folder();
        let objects = Odb::new()?;
        objects.add_new_mempack_backend(FIRST)?;
        let folder = common_folder.join("objects");
        let folder = folder.to_str().ok_or_else(|| {
            Error::unsupported("a repository whose path is no UTF-8 cannot be merged in")
                .with("feature", "paths")
        })?;
        // As somebody else's: nothing is ever written there.
        objects.add_disk_alternate(folder)?;
        write_fresh(transaction, &objects, commits)?;
        // Bare, so that no attributes of a worktree count.
        let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::BARE;
        let none: [&Path; 0] = [];
        let inner = git2::Repository::open_ext(PathBuf::from(common_folder), flags, none)?;
        inner.set_odb(&objects)?;
        Ok(Memory { inner, repository })
    }

    /// Where two histories parted; nowhere where they have nothing in common.
    pub fn bases(&self, ours: Oid, theirs: Oid) -> Result<Vec<Oid>> {
        match self.inner.merge_bases(ours, theirs) {
            Ok(bases) => Ok(bases.iter().copied().collect()),
            Err(error) if error.code() == git2::ErrorCode::NotFound => {
                // The same is said where a commit is missing.
                match self.inner.find_commit(ours).and(self.inner.find_commit(theirs)) {
                    Ok(_) => Ok(Vec::new()),
                    Err(_) => Err(Error::from(error)),
                }
            }
            Err(error) => Err(Error::from(error)),
        }
    }

    pub fn merge(&self, ours: Oid, theirs: Oid, options: &MergeOptions) -> Result<Index> {
        let [ours, theirs] = [self.inner.find_commit(ours)?, self.inner.find_commit(theirs)?];
        Ok(self.inner.merge_commits(&ours, &theirs, Some(options))?)
    }

    pub fn tree_of(&self, index: &mut Index) -> Result<Oid> {
        // libgit2 goes into folders call by call.
        index.iter().try_for_each(|it| fit::expect_depth(&it.path))?;
        Ok(index.write_tree_to(&self.inner)?)
    }

    pub fn object(&self, id: Oid) -> Result<(Kind, Vec<u8>)> {
        let objects = self.inner.odb()?;
        let object = objects.read(id).map_err(|error| self.repository.unreadable(id, error))?;
        let kind = match object.kind() {
            ObjectType::Commit => Kind::Commit,
            ObjectType::Tree => Kind::Tree,
            ObjectType::Tag => Kind::Tag,
            _ => Kind::Blob,
        };
        Ok((kind, object.data().to_vec()))
    }

    /// How many bytes an object has.
    pub fn bytes(&self, id: Oid) -> Result<usize> {
        let objects = self.inner.odb()?;
        let header = objects.read_header(id);
        header.map(|it| it.0).map_err(|error| self.repository.unreadable(id, error))
    }
}

/// Writes what nobody else can see yet and these commits lead to.
fn write_fresh(transaction: &Transaction, objects: &Odb, commits: &[Oid]) -> Result<()> {
    let mut seen = HashSet::new();
    let mut due = commits.to_vec();
    while let Some(id) = due.pop() {
        let Some((kind, content)) = transaction.fresh(id) else { continue };
        if !seen.insert(id) {
            continue;
        }
        let kind = match kind {
            Kind::Commit => {
                due.extend(named_in(&content));
                ObjectType::Commit
            }
            Kind::Tree => {
                due.extend(edit::entries(&content).map(|(_, entry)| entry.id));
                ObjectType::Tree
            }
            Kind::Tag => ObjectType::Tag,
            Kind::Blob => ObjectType::Blob,
        };
        objects.write(kind, &content)?;
    }
    Ok(())
}

/// The tree and the parents of a commit.
fn named_in(commit: &[u8]) -> impl Iterator<Item = Oid> {
    let head = commit.split(|it| *it == b'\n').take_while(|it| !it.is_empty());
    head.filter_map(|line| {
        let id = line.strip_prefix(b"tree ").or_else(|| line.strip_prefix(b"parent "))?;
        Oid::from_str(str::from_utf8(id).ok()?).ok()
    })
}
