//! Folders of commits with some of their entries changed.

use std::{cmp::Ordering, collections::BTreeMap, io::Write};

use git2::Oid;
use memchr::memmem;

use super::{
    tree::{self, Kind},
    trees::FOLDER,
};

const HASH_BYTES: usize = 20;

/// What a name shall stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub mode: u32,
    pub id: Oid,
}

impl Entry {
    pub fn is_folder(&self) -> bool {
        Kind::of(self.mode) == Kind::Folder
    }
}

/// The content of a tree of these files and folders.
pub fn tree_of(files: &BTreeMap<String, Oid>, folders: &BTreeMap<String, Oid>) -> Vec<u8> {
    let files = files.iter().map(|(name, id)| (name, Entry { mode: tree::PLAIN, id: *id }));
    let folders = folders.iter().map(|(name, id)| (name, folder(*id)));
    let all = files.chain(folders).map(|(name, entry)| (name.as_bytes(), Some(entry))).collect();
    edited(b"", &all).expect("there is nothing in it that could be damaged")
}

/// The content of a tree with these names changed: to an entry, or away.
///
/// Names that stay are copied as they are, in one pass.
pub fn edited(content: &[u8], changes: &BTreeMap<&[u8], Option<Entry>>) -> Option<Vec<u8>> {
    let mut new: Vec<(&[u8], Entry)> =
        changes.iter().filter_map(|(name, entry)| Some((*name, (*entry)?))).collect();
    new.sort_unstable_by(|a, b| order((a.0, a.1.mode), (b.0, b.1.mode)));
    let mut new = new.into_iter().peekable();
    let mut edited = Vec::with_capacity(content.len() + 64);
    // What is copied in one go.
    let mut from = 0;
    let mut at = 0;
    while at < content.len() {
        let found = Found::at(content, at)?;
        let here = (found.name, found.mode);
        let has_smaller = new.peek().is_some_and(|it| order((it.0, it.1.mode), here).is_lt());
        let is_changed = changes.contains_key(found.name);
        if has_smaller || is_changed {
            edited.extend_from_slice(&content[from..at]);
            from = if is_changed { found.end } else { at };
        }
        while let Some((name, entry)) = new.next_if(|it| order((it.0, it.1.mode), here).is_lt()) {
            push(&mut edited, name, entry);
        }
        at = found.end;
    }
    edited.extend_from_slice(&content[from..]);
    new.for_each(|(name, entry)| push(&mut edited, name, entry));
    Some(edited)
}

/// What a name stands for in a tree; nothing where the tree is damaged before it.
pub fn find(content: &[u8], name: &[u8]) -> Option<Entry> {
    // Notes are looked for where most of them are not.
    memmem::find(content, &[name, b"\0"].concat())?;
    let mut at = 0;
    while at < content.len() {
        let found = Found::at(content, at)?;
        if found.name == name {
            let id = Oid::from_bytes(&content[found.end - HASH_BYTES..found.end]).ok()?;
            return Some(Entry { mode: found.mode, id });
        }
        at = found.end;
    }
    None
}

/// The entries of a tree, until it is damaged.
pub fn entries(content: &[u8]) -> impl Iterator<Item = (&[u8], Entry)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let found = (at < content.len()).then(|| Found::at(content, at))??;
        at = found.end;
        let id = Oid::from_bytes(&content[found.end - HASH_BYTES..found.end]).ok()?;
        Some((found.name, Entry { mode: found.mode, id }))
    })
}

struct Found<'a> {
    mode: u32,
    name: &'a [u8],
    end: usize,
}

impl Found<'_> {
    fn at(content: &[u8], at: usize) -> Option<Found<'_>> {
        let rest = &content[at..];
        let (mode, name) = match rest {
            // Most are one of these.
            [b'1', b'0', b'0', b'6', b'4', b'4', b' ', name @ ..] => (tree::PLAIN, name),
            [b'4', b'0', b'0', b'0', b'0', b' ', name @ ..] => (FOLDER, name),
            _ => mode_of(rest)?,
        };
        let start = content.len() - name.len();
        let name = &name[..memchr::memchr(0, name)?];
        let end = start + name.len() + 1 + HASH_BYTES;
        (end <= content.len()).then_some(Found { mode, name, end })
    }
}

/// The mode that an entry begins with, and what comes after it.
fn mode_of(entry: &[u8]) -> Option<(u32, &[u8])> {
    let blank = entry.iter().take(8).position(|it| *it == b' ')?;
    let digit = |mode: u32, it: &u8| match it {
        b'0'..=b'7' => Some(mode << 3 | u32::from(it - b'0')),
        _ => None,
    };
    let mode = entry[..blank].iter().try_fold(0, digit)?;
    Some((mode, &entry[blank + 1..]))
}

fn push(content: &mut Vec<u8>, name: &[u8], entry: Entry) {
    write!(content, "{:o} ", entry.mode).expect("memory does not fail");
    content.extend_from_slice(name);
    content.push(0);
    content.extend_from_slice(entry.id.as_bytes());
}

/// As Git orders them: a folder as if its name ended with a slash.
fn order(a: (&[u8], u32), b: (&[u8], u32)) -> Ordering {
    let common = a.0.len().min(b.0.len());
    let last = |(name, mode): (&[u8], u32)| match name.get(common) {
        Some(byte) => *byte,
        None if Kind::of(mode) == Kind::Folder => b'/',
        None => 0,
    };
    a.0[..common]
        .cmp(&b.0[..common])
        .then_with(|| last(a).cmp(&last(b)))
        .then(a.0.len().cmp(&b.0.len()))
}

/// An empty folder has no place in a commit.
pub fn folder(id: Oid) -> Entry {
    Entry { mode: FOLDER, id }
}

#[cfg(test)]
mod tests;
