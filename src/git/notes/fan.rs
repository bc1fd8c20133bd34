//! Folders of notes, each named by the first digits of what they are about.
//!
//! Every shape that Git writes is read: notes lie as deep as somebody put them. What is written
//! goes one folder deeper where it would make a folder large, so that what a note costs hardly
//! depends on how many there are.

use std::{collections::BTreeMap, sync::Arc};

use git2::Oid;

use crate::{
    error::{Error, Result},
    git::{
        Transaction,
        edit::{self, Entry},
        pack, tree,
    },
};

/// The digits of an id.
const DIGITS: usize = 40;
/// So many are the name of a folder.
const FOLDER_DIGITS: usize = 2;
/// A folder that would get more notes than this is divided.
const NOTES_MAX: usize = 128;
const PLAIN: u32 = 0o100_644;

/// What notes shall be, by the digits of what they are about: another blob, or gone.
pub type Changes = BTreeMap<String, Option<Oid>>;

/// What a folder has.
#[derive(Default)]
pub struct Shelf {
    /// By all digits of what they are about.
    pub notes: BTreeMap<String, Oid>,
    /// By their names.
    pub folders: BTreeMap<String, Oid>,
}

impl Shelf {
    /// Reads a folder that lies below folders of these digits.
    pub fn read(content: &[u8], above: &str) -> Shelf {
        let mut shelf = Shelf::default();
        for (name, entry) in edit::entries(content) {
            let digits = String::from_utf8_lossy(name);
            if is_note(name, entry, above.len()) {
                shelf.notes.insert(format!("{above}{digits}"), entry.id);
            } else if is_folder(name, entry, above.len()) {
                shelf.folders.insert(digits.into_owned(), entry.id);
            }
        }
        shelf
    }
}

/// The notes on one object. There is one, unless somebody put another into another folder.
pub fn find(
    mut read: impl FnMut(Oid) -> Result<Arc<Vec<u8>>>,
    tree: Oid,
    target: &str,
) -> Result<Vec<Oid>> {
    let (mut tree, mut found) = (tree, Vec::new());
    for above in (0..DIGITS).step_by(FOLDER_DIGITS) {
        let content = read(tree)?;
        let entry = |name: &str| edit::find(&content, name.as_bytes());
        let note = &target[above..];
        found.extend(entry(note).filter(|it| is_note(note.as_bytes(), *it, above)).map(|it| it.id));
        match entry(&target[above..above + FOLDER_DIGITS]) {
            Some(folder) if folder.is_folder() => tree = folder.id,
            _ => break,
        }
    }
    Ok(found)
}

impl Transaction<'_> {
    /// The tree with some notes changed; nothing where it would be empty.
    pub fn shelve(&mut self, tree: Option<Oid>, changes: &Changes) -> Result<Option<Oid>> {
        self.shelve_below(tree, 0, changes)
    }

    /// The same for a folder whose notes have so many digits of their names above it.
    fn shelve_below(
        &mut self,
        tree: Option<Oid>,
        above: usize,
        changes: &Changes,
    ) -> Result<Option<Oid>> {
        let content = tree.map_or(Ok(Arc::default()), |it| self.content(it, pack::Kind::Tree))?;
        let count = |is: fn(&[u8], Entry, usize) -> bool| {
            edit::entries(&content).filter(|(name, entry)| is(name, *entry, above)).count()
        };
        let added = changes.values().filter(|it| it.is_some()).count();
        let is_full = NOTES_MAX < count(is_note) + added;
        let is_divided = is_full || count(is_folder) != 0;
        let folder = |group: &str| edit::find(&content, group.as_bytes());
        let goes_below = |group: &str| {
            // A file of another kind may have the folder's name.
            is_divided
                && above + FOLDER_DIGITS < DIGITS
                && folder(group).is_none_or(|it| it.is_folder())
        };
        let mut below: BTreeMap<String, Changes> = BTreeMap::new();
        let mut here: BTreeMap<Vec<u8>, Option<Entry>> = BTreeMap::new();
        let mut place = |target: String, note: Option<Oid>| {
            let group = &target[above..above + FOLDER_DIGITS];
            let name = target.as_bytes()[above..].to_vec();
            if goes_below(group) {
                here.insert(name, None);
                below.entry(group.to_owned()).or_default().insert(target, note);
            } else {
                here.insert(name, note.map(|id| Entry { mode: PLAIN, id }));
            }
        };
        if let Some((first, _)) = changes.first_key_value().filter(|_| is_full) {
            let shelf = Shelf::read(&content, &first[..above]);
            for (target, note) in shelf.notes {
                place(target, Some(note));
            }
        }
        changes.iter().for_each(|(target, note)| place(target.clone(), *note));
        for (group, changes) in below {
            let before = folder(&group).map(|it| it.id);
            let after = self.shelve_below(before, above + FOLDER_DIGITS, &changes)?;
            here.insert(group.into_bytes(), after.map(edit::folder));
        }
        let here = here.iter().map(|(name, entry)| (name.as_slice(), *entry)).collect();
        let edited = edit::edited(&content, &here);
        let edited = edited.ok_or_else(|| Error::corrupt("a folder of notes is damaged"))?;
        match (edited.is_empty(), tree) {
            (true, _) => Ok(None),
            (false, Some(before)) if edited == *content => Ok(Some(before)),
            _ => Ok(Some(self.add_tree(edited, tree.map(|it| (it, content.as_slice()))))),
        }
    }
}

fn is_note(name: &[u8], entry: Entry, above: usize) -> bool {
    let is_file = tree::Kind::of(entry.mode) == tree::Kind::File;
    is_file && name.len() + above == DIGITS && has_digits(name)
}

fn is_folder(name: &[u8], entry: Entry, above: usize) -> bool {
    let has_room = above + FOLDER_DIGITS < DIGITS;
    has_room && entry.is_folder() && name.len() == FOLDER_DIGITS && has_digits(name)
}

/// As Git writes them.
fn has_digits(name: &[u8]) -> bool {
    name.iter().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}
