//! Notes that the program writes itself: one line each, which stays once it is there.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use git2::Oid;
use serde_json::Value;

use super::{Written, fan};
use crate::{
    error::{Error, Result},
    git::{
        Message, Namespace, Person, Repository, Transaction,
        hash::{digest, parents_of},
        pack::Kind,
        signature::{Status, line::verdict},
    },
};

/// So many commits of a namespace are looked at for what the program says in them.
const LOOKED_MAX: usize = 1000;

/// What receipts are signed for, and nothing else is.
pub const RECEIPT: &str = "gitport-receipt";

impl Transaction<'_> {
    /// Writes those records whose commits have none yet, in one commit that says this.
    pub fn record(
        &mut self,
        namespace: Namespace,
        records: Vec<(Oid, Vec<u8>)>,
        message: String,
    ) -> Result<()> {
        let before = self.at(&namespace.reference())?;
        let tree = before.map(|it| self.tree_of(it)).transpose()?;
        let mut changes = fan::Changes::new();
        for (target, content) in records {
            if self.noted(tree, target)?.is_empty() {
                let note = crate::git::made_id(Kind::Blob, &content);
                self.add_plain(note, Kind::Blob, content);
                changes.insert(target.to_string(), Some(note));
            }
        }
        self.write_records(namespace, &changes, message)
    }

    /// Adds a line to what is noted about each of these texts, which are no objects, in one commit
    /// that says this.
    pub fn add_lines(
        &mut self,
        namespace: Namespace,
        added: Vec<(&str, String)>,
        message: String,
    ) -> Result<()> {
        let before = self.at(&namespace.reference())?;
        let tree = before.map(|it| self.tree_of(it)).transpose()?;
        let mut changes = fan::Changes::new();
        for (text, line) in added {
            let mut all = BTreeSet::from([line]);
            all.extend(self.lines_in(tree, text)?);
            let content: String = all.into_iter().map(|it| it + "\n").collect();
            let note = self.add(Kind::Blob, content.into_bytes());
            changes.insert(digest(text.as_bytes()).to_string(), Some(note));
        }
        self.write_records(namespace, &changes, message)
    }

    /// The lines that are noted about a text.
    pub fn lines_about(&mut self, namespace: &Namespace, text: &str) -> Result<Vec<String>> {
        let tree = self.notes_now(namespace)?;
        self.lines_in(tree, text)
    }

    fn lines_in(&mut self, tree: Option<Oid>, text: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for note in self.noted(tree, digest(text.as_bytes()))? {
            let content = self.content(note, Kind::Blob)?;
            found.extend(lines(&content).map(|it| String::from_utf8_lossy(it).into_owned()));
        }
        Ok(found)
    }

    fn write_records(
        &mut self,
        namespace: Namespace,
        changes: &fan::Changes,
        message: String,
    ) -> Result<()> {
        let owner: Person = self.repository().owner();
        let message = Some(Message { text: message.into_bytes(), encoding: None });
        let written = Written { namespace, author: owner.clone(), committer: owner, message };
        self.change_notes(&written, changes, "").map(drop)
    }

    /// The tree of a namespace as this transaction leaves it, which others may move meanwhile.
    pub fn notes_now(&mut self, namespace: &Namespace) -> Result<Option<Oid>> {
        let newest = match self.moved(&namespace.reference()) {
            Some(to) => to,
            None => self.repository().newest_note(namespace)?,
        };
        newest.map(|it| self.tree_of(it)).transpose()
    }

    /// Whether something is noted on something in such a tree.
    pub fn has_note(&mut self, notes: Option<Oid>, target: Oid) -> Result<bool> {
        Ok(!self.noted(notes, target)?.is_empty())
    }

    /// What is noted on something in such a tree.
    pub fn noted_in(&mut self, notes: Option<Oid>, target: Oid) -> Result<Option<Arc<Vec<u8>>>> {
        let found = self.noted(notes, target)?;
        found.first().map(|it| self.content(*it, Kind::Blob)).transpose()
    }
}

impl Repository {
    fn newest_note(&self, namespace: &Namespace) -> Result<Option<Oid>> {
        match self.inner.refname_to_id(&namespace.reference()) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What a trailer of the newest commit of a namespace says that has it: nothing where there is
    /// no such namespace, an empty text where none of its commits has it.
    pub fn said_of_notes(&self, namespace: &Namespace, trailer: &str) -> Result<Option<String>> {
        let Some(mut at) = self.newest_note(namespace)? else { return Ok(None) };
        let begin = format!("\n{trailer}: ");
        for _ in 0..LOOKED_MAX {
            let (_, content) = self.object(at)?;
            let text = String::from_utf8_lossy(&content).into_owned();
            if let Some((_, said)) = text.rsplit_once(&begin) {
                return Ok(Some(said.lines().next().unwrap_or_default().to_owned()));
            }
            match parents_of(&content).next() {
                Some(parent) => at = parent,
                None => break,
            }
        }
        Ok(Some(String::new()))
    }
}

/// Which of the lines that two sides have on one thing stays: the same whoever asks. What is signed
/// rightly goes before what is not signed, that before what is signed wrongly, and that before what
/// is about something else; of those that are as good it is the first by its bytes.
pub fn choose(target: &str, ours: &[u8], theirs: &[u8]) -> Vec<u8> {
    let best = best(target, lines(ours).chain(lines(theirs)));
    best.map(|it| [it, b"\n"].concat()).unwrap_or_default()
}

/// The line of a note that counts, and how many there are.
pub fn chosen<'n>(target: &str, note: &'n [u8]) -> Result<(&'n str, usize)> {
    let text = best(target, lines(note)).and_then(|it| str::from_utf8(it).ok());
    let text = text.ok_or_else(|| Error::corrupt("it is no text"))?;
    Ok((text, lines(note).count()))
}

fn lines(note: &[u8]) -> impl Iterator<Item = &[u8]> {
    note.split(|it| *it == b'\n').map(<[u8]>::trim_ascii).filter(|it| !it.is_empty())
}

fn best<'n>(target: &str, lines: impl Iterator<Item = &'n [u8]>) -> Option<&'n [u8]> {
    let mut lines: Vec<&[u8]> = lines.collect();
    if 1 < lines.len() {
        lines.sort_unstable_by_key(|it| (Reverse(worth(target, it)), *it));
    }
    lines.first().copied()
}

fn worth(target: &str, line: &[u8]) -> u8 {
    let (Ok(text), Ok(value)) = (str::from_utf8(line), serde_json::from_slice::<Value>(line))
    else {
        return 0;
    };
    if value["commit"] != target || !value["receipt"].is_u64() {
        return 1;
    }
    match verdict(text, RECEIPT, 0, None).map(|it| it.status) {
        Some(Status::Bad) => 2,
        None | Some(Status::Unsupported) => 3,
        Some(_) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "0123456789012345678901234567890123456789";

    fn line(more: &str) -> String {
        format!("{{\"commit\":\"{TARGET}\",\"receipt\":1{more}}}\n")
    }

    fn check(a: &str, b: &str, wanted: &str) {
        for (ours, theirs) in [(a, b), (b, a)] {
            let chosen = choose(TARGET, ours.as_bytes(), theirs.as_bytes());
            assert_eq!(String::from_utf8(chosen).unwrap(), wanted);
        }
    }

    #[test]
    fn one_line_stays_and_it_is_the_same_one_whoever_asks() {
        let (plain, other) = (line(""), line(",\"run\":\"r\""));
        let broken = line(",\"signature\":\"AAAA\"");
        check(&plain, &plain, &plain);
        check(&plain, "nonsense\n", &plain);
        check(&plain, "{\"commit\":\"another\",\"receipt\":1}\n", &plain);
        check(&plain, &broken, &plain);
        check(&plain, &other, &other);
        check(&format!("{plain}\n{broken}"), &other, &other);
        check("", &plain, &plain);
    }
}
