//! One run: its state, and the commits that say how it came to that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    files::{Files, Objects, put},
    message::{CAUSE_FILE, Cause, message},
};
use crate::{
    engine::{
        decide::{apply, decide},
        event::{Changes, Refused},
        net::Processes,
        or_join::Cache,
        state::{Id, State},
    },
    git::{Content, Kind, Message, ObjectId, Person},
};

/// The processes of a run and the files that they were read from.
#[derive(Debug, Clone)]
pub struct Pinned {
    pub processes: Arc<Processes>,
    pub definitions: Arc<Vec<(String, Vec<u8>)>>,
}

#[derive(Debug)]
pub struct Run {
    pub id: String,
    pub pinned: Pinned,
    pub state: State,
    /// How many commits it has.
    pub seq: u64,
    /// Of the firings that something may still come from.
    commits: BTreeMap<Id, ObjectId>,
    /// Those that are no parent of another one.
    tips: BTreeSet<ObjectId>,
    newest: Option<ObjectId>,
    files: Files,
}

/// What became of an event.
#[derive(Debug, Default)]
pub struct Made {
    pub changes: Option<Changes>,
    /// In their order.
    pub commits: Vec<ObjectId>,
    /// Commits, and what they are made of.
    pub objects: Objects,
}

impl Run {
    /// A run to which nothing has happened.
    pub fn new(id: &str, pinned: Pinned) -> Run {
        Run {
            id: id.to_owned(),
            pinned,
            state: State::default(),
            seq: 0,
            commits: BTreeMap::new(),
            tips: BTreeSet::new(),
            newest: None,
            files: Files::default(),
        }
    }

    /// Works something into the run. What is refused changes nothing, nor does what sets off
    /// nothing, and then there is no commit.
    pub fn happen(&mut self, cause: &Cause, cache: &mut Cache) -> Result<Made, Refused> {
        let changes = decide(&self.pinned.processes, &self.state, &cause.event, cache)?;
        let mut made = Made::default();
        if changes.firings.is_empty() {
            return Ok(made);
        }
        if self.seq == 0 {
            self.files = Files::of(&self.pinned.definitions, &mut made.objects);
        }
        apply(&mut self.state, &changes);
        self.files.follow(&changes.rows, &self.state, &mut made.objects);
        let (line, is_short) = cause.line();
        let trees = self.files.trees((!is_short).then_some(&line), &mut made.objects);
        let said = if is_short { &line } else { CAUSE_FILE };
        for (at, firing) in changes.firings.iter().enumerate() {
            self.seq += 1;
            let (tree, said) = if at == 0 { (trees.1, Some(said)) } else { (trees.0, None) };
            let text = message(&self.id, self.seq, &cause.actor, firing, said);
            let parents = firing.parents.iter().filter_map(|it| self.commits.get(it).copied());
            let parents: Vec<ObjectId> = parents.collect();
            let content = content(tree, &parents, &cause.actor, cause.event.at_ms, text);
            let commit = put(Kind::Commit, content, &mut made.objects);
            for parent in &parents {
                self.tips.remove(parent);
            }
            self.tips.insert(commit);
            self.newest = Some(commit);
            self.commits.insert(firing.id, commit);
            made.commits.push(commit);
        }
        made.changes = Some(changes);
        Ok(made)
    }

    /// The newest commit, and the others that it does not come from.
    pub fn tips(&self) -> (Option<ObjectId>, impl Iterator<Item = ObjectId>) {
        (self.newest, self.tips.iter().copied().filter(|it| Some(*it) != self.newest))
    }
}

/// The content of a commit, made at the time of its event by who it is of.
fn content(tree: ObjectId, parents: &[ObjectId], actor: &str, at_ms: i64, text: String) -> Vec<u8> {
    let (name, email) = (actor.as_bytes().to_vec(), Vec::new());
    let person = Person { name, email, time: at_ms.div_euclid(1000).max(0), offset: 0 };
    let message = Message { text: text.into_bytes(), encoding: None };
    let (author, committer) = (&person, &person);
    Content { tree, parents, author, committer, message: &message }.bytes()
}
