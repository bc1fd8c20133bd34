//! Changes of many paths as a tree of folders, in which no two contradict each other.

use std::collections::BTreeMap;

use crate::git::edit::Entry;

/// What shall become of the names in a folder.
#[derive(Default)]
pub struct Node(pub(super) BTreeMap<Vec<u8>, Change>);

pub(super) enum Change {
    /// It shall be this, or gone.
    Entry(Option<Entry>),
    /// It shall be a folder, also where it was a file.
    Below { node: Node, replaces_file: bool },
}

impl Node {
    /// Says what a path shall be; false where that is said already, of it or of one above or
    /// below it.
    pub fn set(&mut self, path: &[u8], entry: Option<Entry>) -> bool {
        let (first, rest) = match memchr::memchr(b'/', path) {
            Some(at) => (&path[..at], Some(&path[at + 1..])),
            None => (path, None),
        };
        let below = |replaces_file| {
            let mut node = Node::default();
            rest.map(|it| node.set(it, entry));
            Change::Below { node, replaces_file }
        };
        match (self.0.get_mut(first), rest) {
            (None, None) => drop(self.0.insert(first.to_vec(), Change::Entry(entry))),
            (None, Some(_)) => drop(self.0.insert(first.to_vec(), below(false))),
            // What was a file may become a folder.
            (Some(it @ Change::Entry(None)), Some(_)) => *it = below(true),
            (Some(Change::Below { replaces_file, .. }), None) if entry.is_none() => {
                *replaces_file = true;
            }
            (Some(Change::Below { node, .. }), Some(rest)) => return node.set(rest, entry),
            _ => return false,
        }
        true
    }
}
