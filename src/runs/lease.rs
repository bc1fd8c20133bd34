//! Who works at what, for how long: in memory alone, so that no crash leaves anything held.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    engine::state::Id,
    git::{RunId, boottime_ms},
};

#[derive(Debug, Default)]
pub struct Leases {
    held: HashMap<RunId, BTreeMap<Id, Lease>>,
    /// When each is over, by a clock that nobody can set.
    ends: BTreeSet<(u64, RunId, Id)>,
}

#[derive(Debug, Clone, Copy)]
pub struct Lease {
    pub lease_ms: u64,
    pub until_ms: u64,
}

impl Leases {
    pub fn hold(&mut self, run: &RunId, item: Id, lease_ms: u64) -> Lease {
        let lease = Lease { lease_ms, until_ms: boottime_ms() + lease_ms };
        self.put(run, item, lease);
        lease
    }

    pub fn put(&mut self, run: &RunId, item: Id, lease: Lease) {
        self.remove(run, item);
        self.held.entry(run.clone()).or_default().insert(item, lease);
        self.ends.insert((lease.until_ms, run.clone(), item));
    }

    /// All of a run.
    pub fn of(&self, run: &RunId) -> BTreeMap<Id, Lease> {
        self.held.get(run).cloned().unwrap_or_default()
    }

    pub fn get(&self, run: &RunId, item: Id) -> Option<Lease> {
        self.held.get(run)?.get(&item).copied()
    }

    pub fn remove(&mut self, run: &RunId, item: Id) {
        let Some(items) = self.held.get_mut(run) else { return };
        if let Some(it) = items.remove(&item) {
            self.ends.remove(&(it.until_ms, run.clone(), item));
        }
        if items.is_empty() {
            self.held.remove(run);
        }
    }

    pub fn forget(&mut self, run: &RunId) {
        for (item, it) in self.held.remove(run).unwrap_or_default() {
            self.ends.remove(&(it.until_ms, run.clone(), item));
        }
    }

    /// What nobody works at any more.
    pub fn expired(&mut self) -> Vec<(RunId, Id)> {
        let now = boottime_ms();
        let over = self.ends.iter().take_while(|it| it.0 <= now);
        over.map(|(_, run, item)| (run.clone(), *item)).collect()
    }

    /// When the next is over.
    pub fn next_ms(&self) -> Option<u64> {
        self.ends.first().map(|it| it.0)
    }
}
