//! One run: its state, and the commits that say how it came to that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    children::Children,
    files::{Files, Objects, put},
    giver::Given,
    message::{Birth, CAUSE_FILE, Cause, Words},
    pinned::Pinned,
    policy::Doers,
    receipt::{Ended, Finished},
    tips::Tips,
};
use crate::{
    engine::{
        canonical::canonical_object,
        decide::{apply, decide},
        definition::Data,
        event::{Changes, Firing, Kind as Event, Names, Refused, What},
        migrate::migrated,
        or_join::Cache,
        state::{Id, ItemStatus, State, Status, table::Row},
    },
    git::{Content, Kind, Mark, Message, ObjectId, Person},
    process::artifact::digest_of,
};

#[derive(Debug, Clone)]
pub struct Run {
    pub id: String,
    pub birth: Birth,
    pub pinned: Arc<Pinned>,
    pub state: State,
    /// How many commits it has.
    pub seq: u64,
    /// Who does what was started.
    pub claims: BTreeMap<Id, Claim>,
    /// Who completed which steps.
    pub doers: Doers,
    /// Of the firings that something may still come from.
    commits: BTreeMap<Id, ObjectId>,
    tips: Tips,
    newest: Option<ObjectId>,
    /// Commits that the next one comes behind, besides those that it comes of.
    left: Vec<ObjectId>,
    /// What it has reached, and where first.
    pub milestones: BTreeMap<String, ObjectId>,
    pub children: Children,
    pub(super) files: Files,
    cache: Cache,
    /// Since when items are there for somebody.
    pub(super) offered: BTreeMap<Id, i64>,
    /// Whether what is finished gets receipts.
    pub(super) has_receipts: bool,
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
    /// Since when it was there for somebody.
    pub offered_ms: Option<i64>,
    /// The digest of the data that was there, where the run got receipts then.
    pub input: Option<String>,
}

/// What became of an event.
#[derive(Debug, Default)]
pub struct Made {
    pub changes: Option<Changes>,
    /// In their order.
    pub commits: Vec<ObjectId>,
    /// Commits, and what they are made of.
    pub objects: Objects,
    /// From where to where its refs move, besides the one of its newest commit.
    pub marks: Vec<(Mark, Option<ObjectId>, Option<ObjectId>)>,
    /// What is finished.
    pub finished: Vec<Finished>,
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
            forked: None,
            first: None,
            revision: None,
        };
        Run {
            id: id.to_owned(),
            birth,
            pinned,
            state: State::default(),
            seq: 0,
            claims: BTreeMap::new(),
            doers: Doers::default(),
            commits: BTreeMap::new(),
            tips: Tips::default(),
            newest: None,
            left: Vec::new(),
            milestones: BTreeMap::new(),
            children: Children::default(),
            files: Files::default(),
            cache: Cache::default(),
            offered: BTreeMap::new(),
            has_receipts: true,
        }
    }

    /// Works something into the run. What is refused changes nothing, nor does what sets off
    /// nothing, and then there is no commit. Who migrates says to which process.
    pub fn happen(&mut self, cause: &Cause, pinned: Option<&Arc<Pinned>>) -> Result<Made, Refused> {
        let Cause { actor, event, .. } = cause;
        let completed = match event.what {
            What::Complete { item, .. } => self.state.path_of(&self.pinned.processes, item),
            _ => None,
        };
        let pinned = pinned.filter(|_| matches!(event.what, What::Migrate { .. }));
        let changes = match (&event.what, pinned) {
            (What::Migrate { steps, .. }, Some(pinned)) => self.migrate(pinned, steps, cause)?,
            _ => decide(&self.pinned.processes, &self.state, event, &mut self.cache)?,
        };
        let mut made = Made::default();
        if changes.firings.is_empty() {
            return Ok(made);
        }
        if self.seq == 0 || pinned.is_some() {
            self.files.define(&self.pinned.files, &mut made.objects);
        }
        if let What::Begin { data } = &event.what {
            self.birth.input = input_digest(data);
            (self.birth.began_ms, self.birth.actor) = (event.at_ms, actor.clone());
        }
        if let What::Fork { run, seq } = &event.what {
            (self.birth.began_ms, self.birth.actor) = (event.at_ms, actor.clone());
            self.birth.forked = Some(format!("{run}@{seq}"));
            let reached = self.milestones.iter();
            let reached =
                reached.map(|(name, at)| (Mark::Milestone(name.clone()), None, Some(*at)));
            made.marks.extend(reached);
        }
        completed.iter().for_each(|it| self.doers.complete(actor, it));
        let ended = if self.has_receipts { Ended::of(self, cause, &changes) } else { Vec::new() };
        apply(&mut self.state, &changes);
        self.files.follow(&changes.rows, &self.state, &mut made.objects);
        let (line, is_short) = cause.line();
        let trees = self.files.trees((!is_short).then_some(&line), &mut made.objects);
        let said: &str = if is_short { &line } else { CAUSE_FILE };
        self.children.begin(&changes);
        for (at, firing) in changes.firings.iter().enumerate() {
            let (tree, said) = if at == 0 { (trees.1, Some(said)) } else { (trees.0, None) };
            let is_last = at + 1 == changes.firings.len();
            self.commit(cause, firing, (tree, said, is_last), &mut made);
        }
        made.finished = self.finished(ended, cause, &changes, &made.commits);
        self.follow_offers(&changes, event.at_ms);
        self.follow_claims(cause, &changes, made.commits[0]);
        let paths = self.tips.moves().into_iter();
        made.marks.extend(paths.map(|(path, from, to)| (Mark::Path(path), from, to)));
        let children = self.children.moves().into_iter();
        made.marks.extend(children.map(|(item, from, to)| (Mark::Child(item), from, Some(to))));
        made.changes = Some(changes);
        Ok(made)
    }

    /// Adds the commit of a firing: with this tree, and what happened if it is the first of that.
    fn commit(
        &mut self,
        cause: &Cause,
        firing: &Firing,
        (tree, said, is_last): (ObjectId, Option<&str>, bool),
        made: &mut Made,
    ) {
        self.seq += 1;
        let (run, seq, actor) = (&*self.id, self.seq, &*cause.actor);
        let status = self.state.head.status;
        let end = (is_last && status != Status::Running).then_some(status);
        let is_birth = seq == 1 || matches!(firing.kind, Event::Fork | Event::Migrate);
        let birth = (is_birth || end.is_some()).then_some(&self.birth);
        let overrode = cause.overrode.as_ref().filter(|_| said.is_some());
        let words = Words { run, seq, actor, firing, cause: said, overrode, birth, end };
        let text = words.message();
        let parents = match firing.kind {
            Event::Fork | Event::Retry => self.all_before(),
            _ => firing.parents.iter().filter_map(|it| self.commits.get(it).copied()).collect(),
        };
        let content = content(tree, &parents, actor, cause.event.at_ms, text);
        let commit = put(Kind::Commit, content, &mut made.objects);
        if matches!(firing.kind, Event::Fork | Event::Retry) {
            // All that comes now comes of this one.
            self.commits.clear();
        }
        self.tips.grow(commit, &parents);
        self.newest = Some(commit);
        self.commits.insert(firing.id, commit);
        self.children.follow(firing, commit);
        if let Some(name) =
            firing.milestone.as_ref().filter(|it| !self.milestones.contains_key(*it))
        {
            self.milestones.insert(name.clone(), commit);
            made.marks.push((Mark::Milestone(name.clone()), None, Some(commit)));
        }
        made.commits.push(commit);
    }

    /// The newest commits of all paths, each once, and those that were left behind.
    fn all_before(&mut self) -> Vec<ObjectId> {
        let mut seen = BTreeSet::new();
        let all = self.tips.all().into_iter().chain(std::mem::take(&mut self.left));
        all.filter(|it| seen.insert(*it)).collect()
    }

    /// What it changes that the run goes on by another process.
    fn migrate(
        &mut self,
        pinned: &Arc<Pinned>,
        steps: &Names,
        cause: &Cause,
    ) -> Result<Changes, Refused> {
        let (old, new) = (&self.pinned.processes, &pinned.processes);
        let none = |missing: Vec<String>| {
            Refused::conflict(format!("what has no place in it: {}", missing.join("; ")))
        };
        let state = migrated(old, new, &self.state, steps).map_err(none)?;
        let mut cache = Cache::default();
        let changes = decide(new, &state, &cause.event, &mut cache)?;
        (self.state, self.cache, self.pinned) = (state, cache, pinned.clone());
        let Birth { version, digest, first, .. } = &mut self.birth;
        let version = std::mem::replace(version, pinned.version.clone());
        let digest = std::mem::replace(digest, pinned.digest.clone());
        first.get_or_insert((version, digest));
        Ok(changes)
    }

    /// The run as it was earlier, going on behind what it has come to.
    pub fn back_at(&self, earlier: Run) -> Run {
        let Birth { version, digest, first, .. } = earlier.birth.clone();
        let birth = Birth { version, digest, first, ..self.birth.clone() };
        let mut run = Run { id: self.id.clone(), birth, ..earlier };
        run.left = self.tips.all();
        run.tips.lead_on_from(&self.tips);
        run.children.lead_on_from(&self.children);
        run.milestones.clone_from(&self.milestones);
        (run.seq, run.newest) = (self.seq, self.newest);
        // No number is given twice, whatever came of it.
        run.state.head.next = run.state.head.next.max(self.state.head.next);
        run
    }

    /// Another run that begins where this one is.
    pub fn forked(mut self, id: &str) -> Run {
        self.id = id.to_owned();
        self.newest = None;
        self.tips.lead_on_from(&Tips::default());
        self.children.lead_on_from(&Children::default());
        self
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
            let (at_ms, offered_ms) = (cause.event.at_ms, self.offered.remove(&item));
            let input = if self.has_receipts { self.seen(item) } else { None };
            let claim = Claim { worker, token, given, at_ms, offered_ms, input };
            self.claims.insert(item, claim);
        }
    }

    /// Where its refs are, besides the one of its newest commit.
    pub fn marks(&self) -> BTreeMap<Mark, ObjectId> {
        let paths = self.tips.refs().iter().map(|(path, it)| (Mark::Path(*path), *it));
        let children = self.children.all().iter();
        let children = children.filter_map(|(item, it)| Some((Mark::Child(*item), it.newest?)));
        let milestones = self.milestones.iter();
        let milestones = milestones.map(|(name, it)| (Mark::Milestone(name.clone()), *it));
        paths.chain(children).chain(milestones).collect()
    }

    /// The newest commit, where there is one.
    pub fn newest(&self) -> Option<ObjectId> {
        self.newest
    }
}

/// What tells the input of a run from every other one.
pub fn input_digest(input: &Data) -> String {
    digest_of(&canonical_object(input.iter()))
}

/// The content of a commit, made at the time of its event by who it is of.
fn content(tree: ObjectId, parents: &[ObjectId], actor: &str, at_ms: i64, text: String) -> Vec<u8> {
    let (name, email) = (actor.as_bytes().to_vec(), Vec::new());
    let person = Person { name, email, time: at_ms.div_euclid(1000).max(0), offset: 0 };
    let message = Message { text: text.into_bytes(), encoding: None };
    let (author, committer) = (&person, &person);
    Content { tree, parents, author, committer, message: &message }.bytes()
}
