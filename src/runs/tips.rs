//! The commits of a run that are no parent of another one: a ref for each while there are several.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::git::ObjectId;

/// The number of a parallel path; the commits of a path have one for as long as it goes on.
pub type Path = u32;

#[derive(Debug, Clone, Default)]
pub struct Tips {
    paths: BTreeMap<Path, ObjectId>,
    /// The numbers that paths had, and none has.
    free: BTreeSet<Path>,
    of: HashMap<ObjectId, Path>,
    /// Paths that go on elsewhere, or are over, since it was last asked.
    changed: BTreeSet<Path>,
    /// Where the refs of paths are.
    refs: BTreeMap<Path, ObjectId>,
}

/// From where to where the ref of a path moves; nothing: there is none.
type PathMove = (Path, Option<ObjectId>, Option<ObjectId>);

impl Tips {
    /// Takes in a commit that comes after these.
    pub fn grow(&mut self, commit: ObjectId, parents: &[ObjectId]) {
        let taken: BTreeSet<Path> = parents.iter().filter_map(|it| self.of.remove(it)).collect();
        for path in &taken {
            self.paths.remove(path);
        }
        self.changed.extend(&taken);
        self.free.extend(&taken);
        let path = taken.first().or_else(|| self.free.first()).copied();
        let path = path.unwrap_or(self.paths.len() as Path + 1);
        self.free.remove(&path);
        self.paths.insert(path, commit);
        self.of.insert(commit, path);
        self.changed.insert(path);
    }

    /// What becomes of the refs of paths: there are none while there is one path.
    pub fn moves(&mut self) -> Vec<PathMove> {
        let are_several = 1 < self.paths.len();
        if are_several == self.refs.is_empty() {
            self.changed.extend(self.paths.keys());
        }
        let mut moves = Vec::new();
        for path in std::mem::take(&mut self.changed) {
            let to = self.paths.get(&path).copied().filter(|_| are_several);
            let from = match to {
                Some(to) => self.refs.insert(path, to),
                None => self.refs.remove(&path),
            };
            if from != to {
                moves.push((path, from, to));
            }
        }
        moves
    }

    /// The newest commits, in the order of their paths.
    pub fn all(&self) -> Vec<ObjectId> {
        self.paths.values().copied().collect()
    }

    /// The refs are where others have left them.
    pub fn lead_on_from(&mut self, others: &Tips) {
        self.refs.clone_from(&others.refs);
        self.changed = self.paths.keys().chain(self.refs.keys()).copied().collect();
    }

    /// Where the refs of paths are.
    pub fn refs(&self) -> &BTreeMap<Path, ObjectId> {
        &self.refs
    }
}
