//! Notes of somebody else, merged into ours.
//!
//! Nothing that somebody noted is lost: what both changed is joined as `git notes merge` does
//! with `union`; of records of the program itself every line stays, once, and of receipts the one
//! that is right.

use std::collections::{BTreeMap, BTreeSet};

use git2::Oid;

use super::{
    fan::{Changes, Shelf},
    records::choose,
};
use crate::{
    error::Result,
    git::{
        Message, Namespace, Namespaces, Person, Transaction, commit::Content, pack::Kind,
        refs::NOTES_TRACKING,
    },
};

/// The notes that differ between two trees: before and after, by what they are about.
type Differences = BTreeMap<String, [Option<Oid>; 2]>;

impl Transaction<'_> {
    /// Brings in notes where they were when they were last fetched.
    pub fn merge_fetched(&mut self, wanted: &Namespaces) -> Result<()> {
        let mut fetched = Vec::new();
        for reference in self.repository().inner.references_glob(&format!("{NOTES_TRACKING}*"))? {
            let reference = reference?;
            let namespace = reference.name().ok().and_then(Namespace::tracked_by);
            let wanted = namespace.filter(|it| wanted.has(it.name()));
            fetched.extend(wanted.zip(reference.target()));
        }
        for (namespace, theirs) in fetched {
            self.merge_notes(&namespace, theirs)?;
        }
        Ok(())
    }

    fn merge_notes(&mut self, namespace: &Namespace, theirs: Oid) -> Result<()> {
        let reference = namespace.reference();
        let Some(ours) = self.at(&reference)? else {
            return self.move_to(&reference, Some(theirs));
        };
        let base = match ours == theirs {
            true => Some(theirs),
            false => self.repository().bases(ours, theirs)?.first().copied(),
        };
        if base == Some(theirs) {
            return Ok(());
        }
        if base == Some(ours) {
            return self.move_to(&reference, Some(theirs));
        }
        let base = base.map(|it| self.tree_of(it)).transpose()?;
        let (tree, their_tree) = (self.tree_of(ours)?, self.tree_of(theirs)?);
        let changes = self.merged(namespace, base, tree, their_tree)?;
        let tree = match self.shelve(Some(tree), &changes)? {
            Some(tree) => tree,
            None => self.empty_tree(),
        };
        let owner: Person = self.repository().owner();
        let text = format!("notes: Merged those of origin into {}\n", namespace.name());
        let message = Message { text: text.into_bytes(), encoding: None };
        let commit = self.add_commit(
            &Content {
                tree,
                parents: &[ours, theirs],
                author: &owner,
                committer: &owner,
                message: &message,
            },
            None,
        )?;
        self.move_to(&reference, Some(commit))
    }

    /// What becomes of our notes.
    fn merged(
        &mut self,
        namespace: &Namespace,
        base: Option<Oid>,
        ours: Oid,
        theirs: Oid,
    ) -> Result<Changes> {
        let ours = self.differences("", base, Some(ours))?;
        let theirs = self.differences("", base, Some(theirs))?;
        let mut changes = Changes::new();
        for (target, [_, their]) in theirs {
            let merged = match (ours.get(&target), their) {
                (None, their) => their,
                (Some([_, our]), their) if *our == their => continue,
                // A note that one side took away and the other wrote anew is wanted.
                (Some([_, None]), their) => their,
                (Some([_, Some(_)]), None) => continue,
                (Some([_, Some(our)]), Some(their)) => {
                    Some(self.union(namespace, &target, *our, their)?)
                }
            };
            changes.insert(target, merged);
        }
        Ok(changes)
    }

    fn union(&mut self, namespace: &Namespace, target: &str, our: Oid, their: Oid) -> Result<Oid> {
        let content = match namespace.has_records() {
            true if namespace.has_receipts() => {
                let (our, their) =
                    (self.content(our, Kind::Blob)?, self.content(their, Kind::Blob)?);
                choose(target, &our, &their)
            }
            false => {
                let their = self.content(their, Kind::Blob)?;
                self.joined(&[our], their.to_vec())?
            }
            true => {
                let (our, their) =
                    (self.content(our, Kind::Blob)?, self.content(their, Kind::Blob)?);
                let lines = our.split(|it| *it == b'\n').chain(their.split(|it| *it == b'\n'));
                let lines: BTreeSet<&[u8]> = lines.filter(|it| !it.is_empty()).collect();
                lines.into_iter().flat_map(|it| [it, b"\n"].concat()).collect()
            }
        };
        Ok(self.add(Kind::Blob, content))
    }

    /// Reads only folders that differ.
    fn differences(
        &mut self,
        above: &str,
        before: Option<Oid>,
        after: Option<Oid>,
    ) -> Result<Differences> {
        let mut differences = Differences::new();
        if before == after {
            return Ok(differences);
        }
        let mut shelves = [self.shelf(above, before)?, self.shelf(above, after)?];
        let names: BTreeSet<String> =
            shelves.iter().flat_map(|it| it.folders.keys().cloned()).collect();
        for name in names {
            let prefix = format!("{above}{name}");
            let is_inside = |it: &Shelf| it.notes.keys().any(|it| it.starts_with(&prefix));
            let folders = shelves.each_ref().map(|it| it.folders.get(&name).copied());
            if !shelves.iter().any(is_inside) {
                differences.extend(self.differences(&prefix, folders[0], folders[1])?);
                continue;
            }
            // Notes lie at different depths on both sides.
            for (shelf, folder) in shelves.iter_mut().zip(folders) {
                self.gather(&prefix, folder, &mut shelf.notes)?;
            }
        }
        let [before, after] = shelves.map(|it| it.notes);
        let targets: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for target in targets {
            let sides = [before.get(target).copied(), after.get(target).copied()];
            if sides[0] != sides[1] {
                differences.insert(target.clone(), sides);
            }
        }
        Ok(differences)
    }

    /// All notes below a folder, beside those that lie above it.
    fn gather(
        &mut self,
        above: &str,
        tree: Option<Oid>,
        notes: &mut BTreeMap<String, Oid>,
    ) -> Result<()> {
        let shelf = self.shelf(above, tree)?;
        for (target, note) in shelf.notes {
            notes.entry(target).or_insert(note);
        }
        for (name, folder) in shelf.folders {
            self.gather(&format!("{above}{name}"), Some(folder), notes)?;
        }
        Ok(())
    }

    fn shelf(&mut self, above: &str, tree: Option<Oid>) -> Result<Shelf> {
        let Some(tree) = tree else { return Ok(Shelf::default()) };
        Ok(Shelf::read(&self.content(tree, Kind::Tree)?, above))
    }
}
