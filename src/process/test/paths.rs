//! Where the items of a run are, kept while it goes on: a run has many, and a script names each.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{
    event::Changes,
    net::Processes,
    state::{Id, State, table::Row},
};

#[derive(Debug, Clone, Default)]
pub struct Paths {
    ids: BTreeMap<String, BTreeSet<Id>>,
    paths: BTreeMap<Id, String>,
}

impl Paths {
    /// Notes what came and went with changes that were made.
    pub fn follow(&mut self, changes: &Changes, state: &State, processes: &Processes) {
        for (id, row) in changes.rows.items.iter() {
            match row {
                Row::Is(_) if self.paths.contains_key(id) => (),
                Row::Is(_) => {
                    let Some(path) = state.path_of(processes, *id) else { continue };
                    self.ids.entry(path.clone()).or_default().insert(*id);
                    self.paths.insert(*id, path);
                }
                Row::Gone => {
                    let Some(path) = self.paths.remove(id) else { continue };
                    let Some(ids) = self.ids.get_mut(&path) else { continue };
                    ids.remove(id);
                    if ids.is_empty() {
                        self.ids.remove(&path);
                    }
                }
            }
        }
    }

    /// What is at a path, oldest first.
    pub fn at(&self, path: &str) -> impl Iterator<Item = Id> {
        self.ids.get(path).into_iter().flatten().copied()
    }
}
