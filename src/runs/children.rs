//! The processes that a run calls: runs of their own inside of it, each with a ref.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{run::Run, view::Offered};
use crate::{
    engine::{
        definition::Data,
        event::{Call, Changes, Firing, Kind, OK},
        state::{Id, ItemStatus, Status},
    },
    git::ObjectId,
};

#[derive(Debug, Clone, Default)]
pub struct Children {
    all: BTreeMap<Id, Child>,
    /// Those under way, by where they are called.
    open: BTreeMap<String, Id>,
    /// Where the refs are that have to go on, nothing where there is none yet.
    changed: BTreeMap<Id, Option<ObjectId>>,
}

/// A process that was called.
#[derive(Debug, Clone)]
pub struct Child {
    /// Where: the step that calls it.
    path: String,
    process: String,
    /// Its newest commit.
    pub newest: Option<ObjectId>,
    /// How the call ended.
    outcome: Option<String>,
}

impl Children {
    /// Takes in what an event calls.
    pub fn begin(&mut self, changes: &Changes) {
        for Call { path, item, process } in &changes.calls {
            // A loop calls anew what is called by the same item.
            let child = self.all.entry(*item).or_insert_with(|| Child {
                path: path.clone(),
                process: process.clone(),
                newest: None,
                outcome: None,
            });
            child.outcome = None;
            self.open.insert(path.clone(), *item);
        }
    }

    /// Takes in a commit, which may be inside of several.
    pub fn follow(&mut self, firing: &Firing, commit: ObjectId) {
        if self.open.is_empty() {
            return;
        }
        let slashes = firing.path.match_indices('/').map(|it| it.0);
        let around: BTreeSet<usize> = slashes.chain([firing.path.len()]).collect();
        for end in around {
            let path = &firing.path[..end];
            let Some(item) = self.open.get(path).copied() else { continue };
            let Some(child) = self.all.get_mut(&item) else { continue };
            self.changed.entry(item).or_insert(child.newest);
            child.newest = Some(commit);
            if end == firing.path.len() && firing.kind == Kind::Complete {
                child.outcome.clone_from(&firing.outcome);
                self.open.remove(path);
            }
        }
    }

    /// Where refs go since it was last asked: from where, and to where.
    pub fn moves(&mut self) -> Vec<(Id, Option<ObjectId>, ObjectId)> {
        let changed = std::mem::take(&mut self.changed);
        let to =
            |(item, from): (Id, Option<ObjectId>)| Some((item, from, self.all.get(&item)?.newest?));
        changed.into_iter().filter_map(to).collect()
    }

    pub fn all(&self) -> &BTreeMap<Id, Child> {
        &self.all
    }

    /// The refs are where these have left them; what was called after the earlier state is over.
    pub fn lead_on_from(&mut self, others: &Children) {
        for (item, child) in &mut self.all {
            let there = others.all.get(item).and_then(|it| it.newest);
            if there != child.newest {
                self.changed.insert(*item, there);
            }
        }
        for (item, child) in &others.all {
            self.all.entry(*item).or_insert_with(|| child.clone());
        }
    }
}

/// A process that a run calls or has called.
#[derive(Debug, Serialize)]
pub struct Called {
    /// The run, and the number of the item that calls.
    pub run: String,
    /// The step that calls.
    pub step: String,
    pub process: String,
    pub status: &'static str,
    pub commit: String,
}

/// All there is to say about it.
#[derive(Debug, Serialize)]
pub struct CalledOverview {
    #[serde(flatten)]
    called: Called,
    parent: String,
    /// While it is under way.
    data: Data,
    offers: Vec<Offered>,
}

impl Run {
    pub fn called(&self) -> Vec<Called> {
        self.children.all.iter().filter_map(|(item, it)| self.as_called(*item, it)).collect()
    }

    /// What an item of the run calls.
    pub fn child(&self, item: Id) -> Option<CalledOverview> {
        let child = self.children.all.get(&item)?;
        let data = self.state.items.get(&item).and_then(|it| Some(self.state.data_of(it.inside?)));
        Some(CalledOverview {
            called: self.as_called(item, child)?,
            parent: self.id.clone(),
            data: data.unwrap_or_default(),
            offers: self.offered_in(&child.path),
        })
    }

    fn offered_in(&self, path: &str) -> Vec<Offered> {
        let rest =
            |it: &Offered| it.offer.path.strip_prefix(path).is_some_and(|it| it.starts_with('/'));
        self.offered().into_iter().filter(rest).collect()
    }

    fn as_called(&self, item: Id, child: &Child) -> Option<Called> {
        Some(Called {
            run: format!("{}/{item}", self.id),
            step: child.path.clone(),
            process: child.process.clone(),
            status: self.status_of(item, child).word(),
            commit: child.newest?.to_string(),
        })
    }

    fn status_of(&self, item: Id, child: &Child) -> Status {
        let is_open = self.state.items.get(&item).is_some_and(|it| it.inside.is_some());
        let is_offered = |it: &Offered| {
            matches!(it.offer.status, ItemStatus::Offered | ItemStatus::Open | ItemStatus::Started)
        };
        match child.outcome.as_deref() {
            _ if is_open && self.state.head.suspended => Status::Suspended,
            _ if is_open && self.offered_in(&child.path).iter().any(is_offered) => Status::Running,
            _ if is_open => Status::Waiting,
            Some(OK) => Status::Done,
            Some("failed") => Status::Failed,
            // Withdrawn with what was around it, or by itself.
            _ => Status::Cancelled,
        }
    }
}
