//! One run: its state, and the commits that say how it came to that.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    files::{Files, Objects, put},
    giver::Given,
    message::{Birth, CAUSE_FILE, Cause, Words},
    pinned::Pinned,
    tips::{Path, PathMove, Tips},
};
use crate::{
    engine::{
        canonical::canonical,
        decide::{apply, decide},
        definition::Data,
        event::{Changes, Refused, What},
        or_join::Cache,
        state::{Id, ItemStatus, State, Status, table::Row},
    },
    git::{Content, Kind, Message, ObjectId, Person},
    process::artifact::digest_of,
};

#[derive(Debug)]
pub struct Run {
    pub id: String,
    pub birth: Birth,
    pub pinned: Arc<Pinned>,
    pub state: State,
    /// How many commits it has.
    pub seq: u64,
    /// Who does what was started.
    pub claims: BTreeMap<Id, Claim>,
    /// Of the firings that something may still come from.
    commits: BTreeMap<Id, ObjectId>,
    tips: Tips,
    newest: Option<ObjectId>,
    files: Files,
    cache: Cache,
}

/// Somebody has taken something up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub worker: String,
    /// The commit that says so: nobody else who takes it up has the same.
    pub token: ObjectId,
    /// By whom it was given, and when.
    pub given: Option<Given>,
    pub at_ms: i64,
}

/// What became of an event.
#[derive(Debug, Default)]
pub struct Made {
    pub changes: Option<Changes>,
    /// In their order.
    pub commits: Vec<ObjectId>,
    /// Commits, and what they are made of.
    pub objects: Objects,
    /// Where parallel paths go on.
    pub paths: Vec<PathMove>,
}

impl Run {
    /// A run to which nothing has happened.
    pub fn new(id: &str, pinned: Arc<Pinned>, attributes: BTreeMap<String, String>) -> Run {
        let birth = Birth {
            actor: String::new(),
            began_ms: 0,
            process: pinned.name.clone(),
            version: pinned.version.clone(),
            digest: pinned.digest.clone(),
            input: String::new(),
            attributes,
        };
        Run {
            id: id.to_owned(),
            birth,
            pinned,
            state: State::default(),
            seq: 0,
            claims: BTreeMap::new(),
            commits: BTreeMap::new(),
            tips: Tips::default(),
            newest: None,
            files: Files::default(),
            cache: Cache::default(),
        }
    }

    /// Works something into the run. What is refused changes nothing, nor does what sets off
    /// nothing, and then there is no commit.
    pub fn happen(&mut self, cause: &Cause) -> Result<Made, Refused> {
        let Cause { actor, event, .. } = cause;
        let changes = decide(&self.pinned.processes, &self.state, event, &mut self.cache)?;
        let mut made = Made::default();
        if changes.firings.is_empty() {
            return Ok(made);
        }
        if self.seq == 0 {
            self.files = Files::of(&self.pinned.files, &mut made.objects);
            (self.birth.began_ms, self.birth.actor) = (event.at_ms, actor.clone());
        }
        if let What::Begin { data } = &event.what {
            self.birth.input = input_digest(data);
        }
        apply(&mut self.state, &changes);
        self.files.follow(&changes.rows, &self.state, &mut made.objects);
        let (line, is_short) = cause.line();
        let trees = self.files.trees((!is_short).then_some(&line), &mut made.objects);
        let said = if is_short { &line } else { CAUSE_FILE };
        for (at, firing) in changes.firings.iter().enumerate() {
            self.seq += 1;
            let (tree, cause) = if at == 0 { (trees.1, Some(said)) } else { (trees.0, None) };
            let (run, seq) = (&*self.id, self.seq);
            let is_last = at + 1 == changes.firings.len();
            let status = self.state.head.status;
            let end = (is_last && status != Status::Running).then_some(status);
            let birth = (seq == 1 || end.is_some()).then_some(&self.birth);
            let text = Words { run, seq, actor, firing, cause, birth, end }.message();
            let parents = firing.parents.iter().filter_map(|it| self.commits.get(it).copied());
            let parents: Vec<ObjectId> = parents.collect();
            let content = content(tree, &parents, actor, event.at_ms, text);
            let commit = put(Kind::Commit, content, &mut made.objects);
            self.tips.grow(commit, &parents);
            self.newest = Some(commit);
            self.commits.insert(firing.id, commit);
            made.commits.push(commit);
        }
        self.follow_claims(cause, &changes, made.commits[0]);
        made.paths = self.tips.moves();
        made.changes = Some(changes);
        Ok(made)
    }

    fn follow_claims(&mut self, cause: &Cause, changes: &Changes, commit: ObjectId) {
        for (item, row) in changes.rows.items.iter() {
            if !matches!(row, Row::Is(it) if it.status == ItemStatus::Started) {
                self.claims.remove(item);
            }
        }
        if let What::Start { item } = cause.event.what
            && self.state.items.get(&item).is_some_and(|it| it.status == ItemStatus::Started)
        {
            let (worker, token, given) = (cause.actor.clone(), commit, cause.given.clone());
            let at_ms = cause.event.at_ms;
            self.claims.insert(item, Claim { worker, token, given, at_ms });
        }
    }

    /// Where the refs of its parallel paths are.
    pub fn paths(&self) -> &BTreeMap<Path, ObjectId> {
        self.tips.refs()
    }

    /// The newest commit, where there is one.
    pub fn newest(&self) -> Option<ObjectId> {
        self.newest
    }
}

/// What tells the input of a run from every other one.
pub fn input_digest(input: &Data) -> String {
    digest_of(&canonical(&Value::Object(input.clone())))
}

/// The content of a commit, made at the time of its event by who it is of.
fn content(tree: ObjectId, parents: &[ObjectId], actor: &str, at_ms: i64, text: String) -> Vec<u8> {
    let (name, email) = (actor.as_bytes().to_vec(), Vec::new());
    let person = Person { name, email, time: at_ms.div_euclid(1000).max(0), offset: 0 };
    let message = Message { text: text.into_bytes(), encoding: None };
    let (author, committer) = (&person, &person);
    Content { tree, parents, author, committer, message: &message }.bytes()
}
