//! Notes: what is said about objects beside them, kept as `git notes` keeps it.

mod fan;
mod listing;
mod merge;
mod records;

use git2::Oid;
use serde::Serialize;

use self::fan::Changes;
pub use self::{
    listing::NotesQuery,
    records::{RECEIPT, chosen},
};
use super::{
    Expect, Message, Namespace, Person, Transaction, commit::Content, hash::whole_id, pack::Kind,
    repository::Sha,
};
use crate::error::{Error, Result};

/// Notes that shall be there, in one commit.
pub struct NotesDraft {
    pub written: Written,
    pub notes: Vec<Note>,
    /// Whether what is noted already stays before it.
    pub append: bool,
}

/// What every change of notes says.
pub struct Written {
    pub namespace: Namespace,
    pub author: Person,
    pub committer: Person,
    pub message: Option<Message>,
}

pub struct Note {
    /// A revision, or the id of any object.
    pub target: String,
    pub content: Vec<u8>,
    /// What must be noted already.
    pub expect: Option<Expect>,
}

/// Notes that shall be gone, in one commit.
pub struct NoteRemoval {
    pub written: Written,
    pub targets: Vec<(String, Option<Expect>)>,
    pub missing_ok: bool,
}

#[derive(Serialize)]
pub struct Noted {
    /// Where the notes are now.
    pub commit: Option<Sha>,
    pub notes: Vec<Place>,
}

#[derive(Serialize)]
pub struct Place {
    pub target: Sha,
    pub note: Sha,
}

#[derive(Serialize)]
pub struct Removed {
    pub commit: Option<Sha>,
    pub removed: usize,
}

impl Transaction<'_> {
    pub fn note(&mut self, draft: NotesDraft) -> Result<Noted> {
        let before = self.at(&draft.written.namespace.reference())?;
        let tree = before.map(|it| self.tree_of(it)).transpose()?;
        let mut changes = Changes::new();
        let mut places = Vec::with_capacity(draft.notes.len());
        for Note { target, content, expect } in draft.notes {
            let target = self.target(&target)?;
            let found = self.noted(tree, target)?;
            expect_note(expect, &found, target)?;
            let content = match draft.append {
                true => self.joined(&found, content)?,
                false => content,
            };
            let note = self.add(Kind::Blob, content);
            if changes.insert(target.to_string(), Some(note)).is_some() {
                let message = format!("{target} is noted twice");
                return Err(Error::bad_request(message).with("field", "notes"));
            }
            places.push(Place { target: Sha::from(target), note: Sha::from(note) });
        }
        let commit = self.change_notes(&draft.written, &changes, "Notes added by gitport\n")?;
        Ok(Noted { commit: commit.map(Sha::from), notes: places })
    }

    pub fn remove_notes(&mut self, removal: NoteRemoval) -> Result<Removed> {
        let before = self.at(&removal.written.namespace.reference())?;
        let tree = before.map(|it| self.tree_of(it)).transpose()?;
        let mut changes = Changes::new();
        for (target, expect) in removal.targets {
            // What a note is about may be gone before it.
            let target = match whole_id(&target) {
                Some(id) => id,
                None => self.target(&target)?,
            };
            let found = self.noted(tree, target)?;
            expect_note(expect, &found, target)?;
            if !found.is_empty() {
                changes.insert(target.to_string(), None);
            } else if !removal.missing_ok {
                return Err(Error::not_found(format!("{target} has no note")));
            }
        }
        let commit = self.change_notes(&removal.written, &changes, "Notes removed by gitport\n")?;
        Ok(Removed { commit: commit.map(Sha::from), removed: changes.len() })
    }

    /// Where the notes are with these changed, in a commit of its own where they were not so.
    pub(super) fn change_notes(
        &mut self,
        written: &Written,
        changes: &Changes,
        usual: &str,
    ) -> Result<Option<Oid>> {
        let reference = written.namespace.reference();
        let before = self.at(&reference)?;
        let tree = before.map(|it| self.tree_of(it)).transpose()?;
        let changed = self.shelve(tree, changes)?;
        if changed == tree {
            return Ok(before);
        }
        let tree = changed.unwrap_or_else(|| self.empty_tree());
        let usual = Message { text: usual.into(), encoding: None };
        let message = written.message.as_ref().unwrap_or(&usual);
        let parents: Vec<Oid> = before.into_iter().collect();
        let Written { author, committer, .. } = written;
        let content = Content { tree, parents: &parents, author, committer, message };
        let commit = self.add_commit(&content, None)?;
        self.move_to(&reference, Some(commit))?;
        Ok(Some(commit))
    }

    /// What notes are about: anything that is here.
    fn target(&mut self, rev: &str) -> Result<Oid> {
        match whole_id(rev) {
            None => self.object_named(rev),
            Some(id) if self.has(id)? => Ok(id),
            Some(id) => Err(self.repository().missing(format!("no object is {id}"))),
        }
    }

    pub(super) fn noted(&mut self, tree: Option<Oid>, target: Oid) -> Result<Vec<Oid>> {
        let find = |tree| fan::find(|it| self.content(it, Kind::Tree), tree, &target.to_string());
        tree.map_or(Ok(Vec::new()), find)
    }

    /// Notes as one, with a blank line between, as `git notes append` joins them.
    fn joined(&mut self, notes: &[Oid], last: Vec<u8>) -> Result<Vec<u8>> {
        let mut joined = Vec::new();
        for note in notes {
            append(&mut joined, &self.content(*note, Kind::Blob)?);
        }
        append(&mut joined, &last);
        Ok(joined)
    }
}

fn append(joined: &mut Vec<u8>, content: &[u8]) {
    if !joined.is_empty() && !content.is_empty() {
        let is_line = joined.ends_with(b"\n");
        joined.extend_from_slice(if is_line { b"\n" } else { b"\n\n" });
    }
    joined.extend_from_slice(content);
}

fn expect_note(expect: Option<Expect>, found: &[Oid], target: Oid) -> Result<()> {
    Expect::check(expect, found.first().copied(), &format!("the note on {target}"))
}
