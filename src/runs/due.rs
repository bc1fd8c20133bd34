//! When time moves which run next.

use std::collections::{BTreeSet, HashMap};

use crate::git::RunId;

#[derive(Debug, Default)]
pub struct Due {
    at_ms: HashMap<RunId, i64>,
    order: BTreeSet<(i64, RunId)>,
}

impl Due {
    /// Time moves a run at this time next, or never.
    pub fn set(&mut self, run: &RunId, at_ms: Option<i64>) {
        if self.at_ms.get(run).copied() == at_ms {
            return;
        }
        if let Some(before) = self.at_ms.remove(run) {
            self.order.remove(&(before, run.clone()));
        }
        if let Some(at_ms) = at_ms {
            self.at_ms.insert(run.clone(), at_ms);
            self.order.insert((at_ms, run.clone()));
        }
    }

    pub fn first_ms(&self) -> Option<i64> {
        self.order.first().map(|it| it.0)
    }

    /// The runs that are due at this time, those first that have been for longest.
    pub fn until(&self, now_ms: i64) -> Vec<RunId> {
        self.order.iter().take_while(|it| it.0 <= now_ms).map(|it| it.1.clone()).collect()
    }
}
