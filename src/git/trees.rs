//! What folders of commits hold, for looking names up.
//!
//! Git keeps the names of a folder in an order that depends on their kinds; here they are sorted
//! by their bytes, so that a name is found without knowing its kind. Format: gitformat-pack(5) and
//! `git cat-file tree`.

use std::ops::Range;

use git2::Oid;

const HASH_BYTES: usize = 20;
/// The mode of a folder.
pub const FOLDER: u32 = 0o040_000;

/// What a name stands for in a tree.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub id: Oid,
    pub mode: u32,
}

pub struct Tree {
    content: Vec<u8>,
    /// Where each entry has its name, sorted by the names; mode and id are around it.
    names: Vec<Entry>,
}

struct Entry {
    name: Range<u32>,
    mode: u32,
}

impl Tree {
    /// Nothing where this is no sound tree.
    pub fn parse(content: Vec<u8>) -> Option<Tree> {
        let mut names = Vec::new();
        let mut at = 0;
        while at < content.len() {
            let rest = &content[at..];
            let blank = rest.iter().take(8).position(|it| *it == b' ')?;
            let mode = std::str::from_utf8(&rest[..blank]).ok()?;
            let mode = u32::from_str_radix(mode, 8).ok()?;
            let start = at + blank + 1;
            let end = start + content[start..].iter().position(|it| *it == 0)?;
            at = end + 1 + HASH_BYTES;
            let name = u32::try_from(start).ok()?..u32::try_from(end).ok()?;
            names.push(Entry { name, mode });
        }
        if at != content.len() {
            return None;
        }
        let bytes = |entry: &Entry| &content[entry.name.start as usize..entry.name.end as usize];
        names.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
        Some(Tree { content, names })
    }

    pub fn find(&self, name: &[u8]) -> Option<Place> {
        let bytes =
            |entry: &Entry| &self.content[entry.name.start as usize..entry.name.end as usize];
        let index = self.names.binary_search_by(|it| bytes(it).cmp(name)).ok()?;
        let Entry { name, mode } = &self.names[index];
        let id = name.end as usize + 1;
        let id = Oid::from_bytes(&self.content[id..id + HASH_BYTES]).ok()?;
        Some(Place { id, mode: *mode })
    }

    pub fn bytes(&self) -> usize {
        self.content.len() + self.names.len() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mode: &str, name: &str, digit: u8) -> Vec<u8> {
        [format!("{mode} {name}\0").as_bytes(), &[digit; HASH_BYTES]].concat()
    }

    #[test]
    fn a_name_is_found_whatever_its_kind() {
        let entries = [entry("100644", "a-b", 1), entry("40000", "a", 2), entry("100755", "a0", 3)];
        let tree = Tree::parse(entries.concat()).unwrap();
        let found = |name: &[u8]| tree.find(name).map(|it| (it.id.as_bytes()[0], it.mode));
        assert_eq!(found(b"a"), Some((2, 0o40_000)));
        assert_eq!(found(b"a-b"), Some((1, 0o100_644)));
        assert_eq!(found(b"a0"), Some((3, 0o100_755)));
        assert_eq!(found(b"b"), None);
    }

    #[test]
    fn what_is_cut_short_is_no_tree() {
        let whole = [entry("100644", "a", 1), entry("120000", "b", 2)].concat();
        let ends = [0, whole.len() / 2, whole.len()];
        for end in 0..=whole.len() {
            assert_eq!(Tree::parse(whole[..end].to_vec()).is_some(), ends.contains(&end), "{end}");
        }
        assert!(Tree::parse(b"999 a\0".to_vec()).is_none());
    }
}
