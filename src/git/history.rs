//! Commits, one by one and in their order.

use std::collections::{BinaryHeap, HashSet};

use serde::Serialize;

use super::{
    FileName, Repository, Text,
    repository::{Sha, text},
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

#[derive(Debug, Serialize)]
pub struct Commit {
    pub sha: String,
    pub tree: String,
    pub parents: Vec<String>,
    pub author: Person,
    pub committer: Person,
    pub message: Text,
}

#[derive(Debug, Serialize)]
pub struct Person {
    pub name: Text,
    pub email: Text,
    /// Seconds since 1970.
    pub time: i64,
    /// Minutes east of UTC.
    pub offset: i32,
}

impl From<&git2::Commit<'_>> for Commit {
    fn from(commit: &git2::Commit) -> Commit {
        Commit {
            sha: commit.id().to_string(),
            tree: commit.tree_id().to_string(),
            parents: commit.parent_ids().map(|it| it.to_string()).collect(),
            author: Person::from(&commit.author()),
            committer: Person::from(&commit.committer()),
            message: text(commit.message_raw_bytes()),
        }
    }
}

impl From<&git2::Signature<'_>> for Person {
    fn from(signature: &git2::Signature) -> Person {
        Person {
            name: text(signature.name_bytes()),
            email: text(signature.email_bytes()),
            time: signature.when().seconds(),
            offset: signature.when().offset_minutes(),
        }
    }
}

/// Which commits are wanted.
pub struct LogQuery {
    pub range: String,
    pub paths: Vec<FileName>,
    pub limit: usize,
    pub after: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct LogPage {
    pub commits: Vec<Commit>,
    /// What to give as `after` for the commits that follow.
    pub next: Option<Sha>,
}

impl Repository {
    pub fn log(&self, query: &LogQuery, watch: &Watch) -> Result<LogPage> {
        let (walk, bottoms) = self.walk(&query.range)?;
        let mut ids: Box<dyn Iterator<Item = Result<git2::Oid>>> = match query.paths.is_empty() {
            true => Box::new(walk.map(|it| it.map_err(|error| self.lost(error)))),
            false => Box::new(PathWalk::new(self, walk, bottoms, &query.paths)?),
        };
        if let Some(after) = &query.after {
            let after = git2::Oid::from_str(after).map_err(|_| {
                Error::bad_request("`after` is no commit id").with("field", "after")
            })?;
            loop {
                watch.check()?;
                match ids.next().transpose()? {
                    Some(id) if id == after => break,
                    Some(_) => (),
                    None => return Err(Error::not_found(format!("{after} is not in the range"))),
                }
            }
        }
        let mut page = LogPage { commits: Vec::new(), next: None };
        for id in ids {
            watch.check()?;
            let id = id?;
            if page.commits.len() == query.limit {
                page.next = page.commits.last().map(|it| Sha(it.sha.clone()));
                break;
            }
            let commit = self.inner.find_commit(id).map_err(|error| self.lost(error))?;
            page.commits.push(Commit::from(&commit));
        }
        Ok(page)
    }

    /// What it means that history leads to a commit that cannot be read.
    pub(super) fn lost(&self, error: git2::Error) -> Error {
        match error.code() {
            git2::ErrorCode::NotFound if !self.is_partial() => Error::corrupt(error.message()),
            git2::ErrorCode::NotFound => self.missing(error.message().to_owned()),
            _ => Error::from(error),
        }
    }

    /// The commits of `A..B`, `A...B` or of everything a revision reaches, newest first, and those
    /// at which the range ends.
    fn walk(&self, range: &str) -> Result<(git2::Revwalk<'_>, Vec<git2::Oid>)> {
        let mut walk = self.inner.revwalk()?;
        let mut bottoms = Vec::new();
        match self.ends(range)? {
            Ends::One(commit) => walk.push(commit)?,
            Ends::Two { from, to } => {
                walk.push(to)?;
                walk.hide(from)?;
                bottoms.push(from);
            }
            Ends::Parted { from, to } => {
                // The walk starts with the tip that was pushed last, whichever is the newer.
                let time = |id| Ok::<_, Error>(self.inner.find_commit(id)?.time().seconds());
                let tips = if time(from)? < time(to)? { [from, to] } else { [to, from] };
                tips.into_iter().try_for_each(|it| walk.push(it))?;
                bottoms = self.bases(from, to)?;
                bottoms.iter().try_for_each(|it| walk.hide(*it))?;
            }
        }
        Ok((walk, bottoms))
    }

    /// The commits a range speaks of.
    pub(super) fn ends(&self, range: &str) -> Result<Ends> {
        let commit = |rev: &str| {
            let rev = if rev.is_empty() { "HEAD" } else { rev };
            Ok::<_, Error>(self.resolve_commit(rev)?.id())
        };
        if let Some((from, to)) = range.split_once("...") {
            return Ok(Ends::Parted { from: commit(from)?, to: commit(to)? });
        }
        if let Some((from, to)) = range.split_once("..") {
            return Ok(Ends::Two { from: commit(from)?, to: commit(to)? });
        }
        Ok(Ends::One(commit(range)?))
    }

    /// The best common ancestors, none where histories are unrelated.
    pub(super) fn bases(&self, one: git2::Oid, other: git2::Oid) -> Result<Vec<git2::Oid>> {
        match self.inner.merge_bases(one, other) {
            Ok(bases) => Ok(bases.iter().copied().collect()),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a range in a request stands for.
pub(super) enum Ends {
    One(git2::Oid),
    Two { from: git2::Oid, to: git2::Oid },
    Parted { from: git2::Oid, to: git2::Oid },
}

/// Walks only through commits that matter for some paths, as `git log -- paths` does: where a
/// parent has the same content there, history is followed into that parent alone.
struct PathWalk<'a> {
    repository: &'a Repository,
    paths: &'a [FileName],
    /// What the range contains at all.
    within: HashSet<git2::Oid>,
    /// Where it ends: not in it, but what its commits are compared with like others in it.
    bottoms: Vec<git2::Oid>,
    seen: HashSet<git2::Oid>,
    /// By time, then by the order in which they were found.
    queue: BinaryHeap<(i64, std::cmp::Reverse<usize>, git2::Oid)>,
    found: usize,
}

impl<'a> PathWalk<'a> {
    fn new(
        repository: &'a Repository,
        walk: git2::Revwalk,
        bottoms: Vec<git2::Oid>,
        paths: &'a [FileName],
    ) -> Result<PathWalk<'a>> {
        let mut this = PathWalk {
            repository,
            paths,
            within: HashSet::new(),
            bottoms,
            seen: HashSet::new(),
            queue: BinaryHeap::new(),
            found: 0,
        };
        let mut has_child = HashSet::new();
        let mut ids = Vec::new();
        for id in walk {
            let id = id.map_err(|error| repository.lost(error))?;
            has_child.extend(repository.inner.find_commit(id)?.parent_ids());
            this.within.insert(id);
            ids.push(id);
        }
        for id in ids {
            if !has_child.contains(&id) {
                this.find(id)?;
            }
        }
        Ok(this)
    }

    fn find(&mut self, id: git2::Oid) -> Result<()> {
        if self.within.contains(&id) && self.seen.insert(id) {
            let time = self.repository.inner.find_commit(id)?.time().seconds();
            self.found += 1;
            self.queue.push((time, std::cmp::Reverse(self.found), id));
        }
        Ok(())
    }

    /// The next commit of the walk that changed a path, if this one did; finds its parents.
    fn step(&mut self, id: git2::Oid) -> Result<Option<git2::Oid>> {
        let commit = self.repository.inner.find_commit(id)?;
        let tree = commit.tree()?;
        let (mut has_parent_within, mut differs_from_outside) = (false, false);
        for parent in commit.parents() {
            let id = parent.id();
            let is_within = self.within.contains(&id) || self.bottoms.contains(&id);
            let is_same = self.is_same(&tree, &parent.tree()?);
            if is_within && is_same {
                self.find(parent.id())?;
                return Ok(None);
            }
            has_parent_within |= is_within;
            differs_from_outside |= !is_same;
        }
        for parent in commit.parent_ids() {
            self.find(parent)?;
        }
        let has_some = self.paths.iter().any(|it| tree.get_path(it.as_path()).is_ok());
        let is_root = commit.parent_count() == 0;
        let is_change = has_parent_within || differs_from_outside || (is_root && has_some);
        Ok(is_change.then_some(id))
    }

    fn is_same(&self, one: &git2::Tree, other: &git2::Tree) -> bool {
        self.paths.iter().all(|path| {
            let at = |tree: &git2::Tree| {
                tree.get_path(path.as_path()).ok().map(|it| (it.id(), it.filemode()))
            };
            at(one) == at(other)
        })
    }
}

impl Iterator for PathWalk<'_> {
    type Item = Result<git2::Oid>;

    fn next(&mut self) -> Option<Result<git2::Oid>> {
        loop {
            let (_, _, id) = self.queue.pop()?;
            match self.step(id) {
                Ok(Some(id)) => return Some(Ok(id)),
                Ok(None) => (),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
