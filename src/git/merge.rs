//! Merges: what two commits changed since they parted, in one.
//!
//! libgit2 merges in memory: it gets a database of its own in which nothing reaches the disk, and
//! what came of it is brought into the transaction. No worktree has a part in it.

mod conflicts;
mod memory;

use git2::{FileFavor, MergeOptions, Oid};
use serde::Serialize;

pub use self::conflicts::Shown;
use self::{conflicts::conflict, memory::Memory};
use super::{
    Expect, Message, Person, Signer, Transaction,
    commit::Content,
    edit::{self, Entry},
    reflog,
    refs::{BRANCHES, Branch},
    repository::Sha,
};
use crate::error::{Error, Result};

/// Git's own limit: so many files at most are looked through for renames.
const RENAMES_MAX: u32 = 1000;

/// What shall be merged, and how.
pub struct MergeDraft {
    pub into: Branch,
    pub from: String,
    pub strategy: Strategy,
    pub message: Option<Message>,
    pub author: Person,
    pub committer: Person,
    pub expect: Option<Expect>,
    pub favor: Option<Favor>,
    /// Whether histories may be joined that have no commit in common.
    pub unrelated: bool,
    pub signer: Option<Signer>,
    /// How content is shown in a conflict.
    pub shown: Shown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// A fast-forward where there is nothing to merge.
    Auto,
    FastForwardOnly,
    NoFastForward,
    /// The changes as one commit that has no part in the other history.
    Squash,
}

/// What is taken where both sides changed the same lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Favor {
    Ours,
    Theirs,
    Union,
}

#[derive(Serialize)]
pub struct Merged {
    pub commit: Sha,
    pub tree: Sha,
    pub merged: &'static str,
}

impl Transaction<'_> {
    pub fn merge(&mut self, draft: &MergeDraft) -> Result<Merged> {
        let name = draft.into.name();
        let reference = draft.into.reference();
        let ours = self.at(&reference)?;
        Expect::check(draft.expect, ours, &format!("`{name}`"))?;
        let ours = ours.ok_or_else(|| Error::not_found(format!("no branch is called `{name}`")))?;
        let theirs = self.commit_named(&draft.from)?;
        let memory = Memory::of(self, &[ours, theirs])?;
        let bases = memory.bases(ours, theirs)?;
        if bases.contains(&theirs) {
            let tree = self.tree_of(ours)?;
            return Ok(merged(ours, tree, "up_to_date"));
        }
        let is_ahead = bases.contains(&ours);
        match draft.strategy {
            Strategy::Auto | Strategy::FastForwardOnly if is_ahead => {
                let (before, after) = (self.tree_of(ours)?, self.tree_of(theirs)?);
                self.follow(&draft.into, Some(before), after)?;
                let why = format!("merge {}: Fast-forward", draft.from);
                self.move_because(&reference, Some(theirs), &draft.committer, why.as_bytes())?;
                return Ok(merged(theirs, after, "fast_forward"));
            }
            Strategy::FastForwardOnly => {
                let message = format!("`{name}` has commits that `{}` has not", draft.from);
                return Err(Error::conflict(message)
                    .with("expected", theirs.to_string())
                    .with("actual", ours.to_string()));
            }
            _ => (),
        }
        if bases.is_empty() && !draft.unrelated {
            let message = format!("`{name}` and `{}` have no commit in common", draft.from);
            return Err(Error::conflict(message)
                .with("expected", "a commit in common, or `unrelated`")
                .with("actual", "none"));
        }
        let tree = match is_ahead {
            true => self.tree_of(theirs)?,
            false => self.merge_files(draft, &memory, [ours, theirs])?,
        };
        let is_squash = draft.strategy == Strategy::Squash;
        let parents = if is_squash { &[ours][..] } else { &[ours, theirs] };
        let usual;
        let message = match &draft.message {
            Some(message) => message,
            None => {
                usual = self.usual_message(draft);
                &usual
            }
        };
        let MergeDraft { author, committer, .. } = draft;
        let content = Content { tree, parents, author, committer, message };
        let commit = self.add_commit(&content, draft.signer.as_ref())?;
        let before = self.tree_of(ours)?;
        self.follow(&draft.into, Some(before), tree)?;
        let what = match is_squash {
            true => reflog::subject("commit", message),
            false => format!("merge {}: Merge made by gitport", draft.from).into_bytes(),
        };
        self.move_because(&reference, Some(commit), committer, &what)?;
        Ok(merged(commit, tree, if is_squash { "squash" } else { "merge" }))
    }

    /// The files of both, with what is new of them added.
    fn merge_files(
        &mut self,
        draft: &MergeDraft,
        memory: &Memory,
        [ours, theirs]: [Oid; 2],
    ) -> Result<Oid> {
        let mut options = MergeOptions::new();
        options.find_renames(true).target_limit(RENAMES_MAX);
        if let Some(favor) = draft.favor {
            options.file_favor(match favor {
                Favor::Ours => FileFavor::Ours,
                Favor::Theirs => FileFavor::Theirs,
                Favor::Union => FileFavor::Union,
            });
        }
        let mut index = memory.merge(ours, theirs, &options)?;
        let trees = [self.tree_of(ours)?, self.tree_of(theirs)?];
        if index.has_conflicts() {
            return Err(conflict(draft, memory, &index, trees)?);
        }
        let tree = memory.tree_of(&mut index)?;
        let sides = trees.map(|it| Some(edit::folder(it)));
        self.adopt(memory, edit::folder(tree), sides)?;
        Ok(tree)
    }

    /// Adds what is neither what it was on one side nor on the other: whether Git has it already
    /// does not matter, for what nothing leads to may be cleared away.
    fn adopt(&mut self, memory: &Memory, it: Entry, sides: [Option<Entry>; 2]) -> Result<()> {
        let is_known = sides.iter().flatten().any(|side| side.id == it.id);
        if is_known || it.mode == SUBMODULE {
            return Ok(());
        }
        let (kind, content) = memory.object(it.id)?;
        if it.is_folder() {
            let mut before = Vec::new();
            for side in sides {
                before.push(match side.filter(Entry::is_folder) {
                    Some(folder) => memory.object(folder.id)?.1,
                    None => Vec::new(),
                });
            }
            for (name, entry) in edit::entries(&content) {
                let sides = [edit::find(&before[0], name), edit::find(&before[1], name)];
                self.adopt(memory, entry, sides)?;
            }
        }
        self.add(kind, content);
        Ok(())
    }

    fn usual_message(&self, draft: &MergeDraft) -> Message {
        let from = draft.from.strip_prefix(BRANCHES).unwrap_or(&draft.from);
        let branch = format!("{BRANCHES}{from}");
        let is_branch = self.moved(&branch).flatten().is_some()
            || self.repository().inner.find_reference(&branch).is_ok();
        let kind = if is_branch { "branch" } else { "commit" };
        let into = draft.into.name();
        let text = match draft.strategy {
            Strategy::Squash => format!("Squash {kind} '{from}' into {into}\n"),
            _ => format!("Merge {kind} '{from}' into {into}\n"),
        };
        Message { text: text.into_bytes(), encoding: None }
    }
}

const SUBMODULE: u32 = 0o160_000;

fn merged(commit: Oid, tree: Oid, merged: &'static str) -> Merged {
    Merged { commit: Sha::from(commit), tree: Sha::from(tree), merged }
}
