//! Branches: making, moving, renaming, removing and listing them.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use git2::Oid;
use serde::Serialize;

use super::{
    Expect, Person, RefQuery, Repository, Text, Transaction,
    refs::{BRANCHES, Branch},
    repository::{Sha, head_target},
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// What shall become of a branch.
pub struct BranchDraft {
    pub branch: Branch,
    pub what: BranchChange,
    pub expect: Option<Expect>,
    /// Whether one that is there may be moved.
    pub force: bool,
    pub who: Person,
}

pub enum BranchChange {
    /// It shall be at this revision.
    Put {
        from: String,
    },
    Delete,
    Rename {
        to: Branch,
    },
}

#[derive(Serialize)]
pub struct BranchMoved {
    pub branch: String,
    /// Where it is now.
    pub commit: Option<Sha>,
    /// Where it was.
    pub was: Option<Sha>,
}

#[derive(Serialize)]
pub struct BranchEntry {
    pub name: Text,
    pub commit: Sha,
    /// Whether `HEAD` is on it.
    pub head: bool,
    /// The ref that it follows.
    pub upstream: Option<Text>,
}

#[derive(Serialize)]
pub struct BranchPage {
    pub branches: Vec<BranchEntry>,
    pub next: Option<Text>,
}

impl Transaction<'_> {
    pub fn branch(&mut self, draft: &BranchDraft) -> Result<BranchMoved> {
        let name = draft.branch.name();
        let reference = draft.branch.reference();
        let was = self.at(&reference)?;
        Expect::check(draft.expect, was, &format!("`{name}`"))?;
        let (branch, commit) = match &draft.what {
            BranchChange::Put { from } => {
                let commit = self.commit_named(from)?;
                let may_move = draft.force || draft.expect.is_some();
                if was.is_some() && !may_move {
                    return Err(already_there(&draft.branch));
                }
                if was != Some(commit) {
                    self.expect_no_worktree_on(&draft.branch)?;
                    let why = match was {
                        None => format!("branch: Created from {from}"),
                        Some(_) => format!("branch: Reset to {from}"),
                    };
                    self.move_because(&reference, Some(commit), &draft.who, why.as_bytes())?;
                }
                (name, Some(commit))
            }
            BranchChange::Delete => {
                expect_there(&draft.branch, was)?;
                self.expect_unused(&draft.branch)?;
                self.move_because(&reference, None, &draft.who, b"branch: deleted")?;
                (name, None)
            }
            BranchChange::Rename { to } => {
                let commit = expect_there(&draft.branch, was)?;
                self.rename(draft, to, commit)?;
                (to.name(), Some(commit))
            }
        };
        let branch = branch.to_owned();
        Ok(BranchMoved { branch, commit: commit.map(Sha::from), was: was.map(Sha::from) })
    }

    fn rename(&mut self, draft: &BranchDraft, to: &Branch, commit: Oid) -> Result<()> {
        if *to == draft.branch {
            return Ok(());
        }
        self.expect_unused(&draft.branch)?;
        let new = to.reference();
        if self.at(&new)?.is_some() {
            if !draft.force {
                return Err(already_there(to));
            }
            self.expect_unused(to)?;
        }
        let old = draft.branch.reference();
        let why = format!("Branch: renamed {old} to {new}");
        self.move_as_one();
        self.move_because(&old, None, &draft.who, why.as_bytes())?;
        self.move_because(&new, Some(commit), &draft.who, why.as_bytes())
    }

    /// Fails where a worktree would not be what its branch says any more.
    fn expect_no_worktree_on(&self, branch: &Branch) -> Result<()> {
        match self.repository().used_branches(Bare::HasNoWorktree).contains(branch.name()) {
            true => Err(checked_out(branch)),
            false => Ok(()),
        }
    }

    /// Fails where a `HEAD` would be on nothing.
    fn expect_unused(&self, branch: &Branch) -> Result<()> {
        match self.repository().used_branches(Bare::HasHead).contains(branch.name()) {
            true => Err(checked_out(branch)),
            false => Ok(()),
        }
    }
}

/// What counts of a bare repository.
#[derive(PartialEq)]
enum Bare {
    HasHead,
    HasNoWorktree,
}

impl Repository {
    /// The branches that this worktree and all others are on.
    fn used_branches(&self, bare: Bare) -> HashSet<String> {
        self.worktree_folders(bare).iter().filter_map(|it| branch_of(it)).collect()
    }

    /// The folders in which this worktree and all others have their `HEAD`s.
    fn worktree_folders(&self, bare: Bare) -> Vec<PathBuf> {
        let common = self.common_folder();
        let config = self.inner.config();
        let is_bare = config.and_then(|it| it.get_bool("core.bare")).unwrap_or(self.is_bare());
        let linked = fs::read_dir(common.join(LINKED)).into_iter().flatten().flatten();
        let mut folders: Vec<_> = linked.map(|it| it.path()).collect();
        if bare == Bare::HasHead || !is_bare {
            folders.push(common.to_owned());
        }
        folders
    }

    /// Fails where another worktree is on a branch: it would be moved under its files.
    pub(super) fn expect_nowhere_else(&self, branch: &Branch) -> Result<()> {
        self.other_worktree_on(branch).map_or(Ok(()), |_| {
            let message = format!("`{}` is what another worktree is on", branch.name());
            Err(Error::denied(message).with("rule", RULE))
        })
    }

    /// The Git folder of another worktree that is on a branch.
    pub(super) fn other_worktree_on(&self, branch: &Branch) -> Option<PathBuf> {
        let (own, common) = (self.git_folder(), self.common_folder());
        // Most repositories have no other worktree, and each commit asks.
        if own == common && !common.join(LINKED).exists() {
            return None;
        }
        let own = fs::canonicalize(own).ok();
        let is_other = |it: &&PathBuf| fs::canonicalize(it).ok() != own;
        let is_on = |it: &&PathBuf| branch_of(it).is_some_and(|it| it == branch.name());
        let folders = self.worktree_folders(Bare::HasNoWorktree);
        folders.iter().filter(is_other).find(is_on).cloned()
    }

    pub fn branches(&self, query: RefQuery, watch: &Watch) -> Result<BranchPage> {
        let query = query.below(BRANCHES);
        let (found, next) = self.references(&query, watch)?;
        let head = self.head_target();
        let followers = self.followers();
        let shown = |it: super::references::Found| {
            let name = it.name[BRANCHES.len()..].to_vec();
            let follows = str::from_utf8(&name).is_ok_and(|it| followers.contains(it));
            BranchEntry {
                commit: Sha::from(it.id),
                head: head.as_ref() == Some(&it.name),
                upstream: follows.then(|| self.upstream(&it.name)).flatten(),
                name: Text(name),
            }
        };
        let branches = found.into_iter().map(shown).collect();
        let next = next.map(|it| Text(it.0[BRANCHES.len()..].to_vec()));
        Ok(BranchPage { branches, next })
    }

    fn upstream(&self, reference: &[u8]) -> Option<Text> {
        let name = str::from_utf8(reference).ok()?;
        let upstream = self.inner.branch_upstream_name(name).ok()?;
        Some(Text(upstream.to_vec()))
    }

    /// The branches of which the configuration says what they follow.
    fn followers(&self) -> HashSet<String> {
        let mut names = HashSet::new();
        let Ok(config) = self.inner.config() else { return names };
        let Ok(entries) = config.entries(Some("branch\\..*\\.merge")) else { return names };
        let _ = entries.for_each(|entry| {
            let name = entry.name().ok().and_then(|it| it.strip_prefix("branch."));
            names.extend(name.and_then(|it| it.strip_suffix(".merge")).map(str::to_owned));
        });
        names
    }
}

/// The folder of linked worktrees.
const LINKED: &str = "worktrees";
const RULE: &str = "checked out";

fn branch_of(worktree: &Path) -> Option<String> {
    let target = String::from_utf8(head_target(&worktree.join("HEAD"))?).ok()?;
    target.strip_prefix(BRANCHES).map(str::to_owned)
}

fn already_there(branch: &Branch) -> Error {
    Error::already_exists(format!("a branch is called `{}` already", branch.name()))
}

fn expect_there(branch: &Branch, at: Option<Oid>) -> Result<Oid> {
    at.ok_or_else(|| Error::not_found(format!("no branch is called `{}`", branch.name())))
}

fn checked_out(branch: &Branch) -> Error {
    let message = format!("`{}` is what a worktree or `HEAD` is on", branch.name());
    Error::denied(message).with("rule", RULE)
}
