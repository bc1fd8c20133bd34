//! Which tasks an event finishes, and what is said of them.
//!
//! Each commit of the event `complete` finishes one, whoever did it: a worker, the program, a time.
//! So does the `again` of an attempt that failed, since that was work, too: what was tried, and how
//! often, is then told by receipts alone. Nobody finishes anything with a claim, a heartbeat or a
//! release.

use std::collections::BTreeMap;

use crate::{
    engine::{
        canonical::{canonical, canonical_object},
        event::{Changes, Firing, Kind, What},
        net::RESERVED,
        state::{Id, Item, ItemStatus, Timer, table::Row},
    },
    git::ObjectId,
    process::artifact::digest_of,
    runs::{
        giver::Given,
        message::Cause,
        run::{Claim, Run},
    },
};

use super::{Receipt, VERSION};

/// The outcome of an attempt that failed.
const FAILED: &str = "failed";
/// The problem of who was not heard of.
const SILENT: &str = "heartbeat";

/// A firing that finishes a task.
pub struct Ended {
    /// Which of the event's.
    firing: usize,
    item: Option<Worked>,
    again: bool,
}

/// The item of a task, as it was.
struct Worked {
    item: Id,
    attempt: u64,
    round: u64,
}

/// A receipt that is to be written.
#[derive(Debug, Clone)]
pub struct Finished {
    pub commit: ObjectId,
    pub receipt: Receipt,
    /// Who gave the task, and so sees to its receipt.
    pub given: Option<Given>,
    /// Whether all of it is known: of who began before this process lived, it may not be.
    pub is_whole: bool,
}

impl Ended {
    /// What an event finishes, while the run is as it was before it.
    pub fn of(run: &Run, cause: &Cause, changes: &Changes) -> Vec<Ended> {
        let firings = changes.firings.iter().enumerate();
        match &cause.event.what {
            What::Complete { item, .. } | What::Fail { item, .. } => {
                let is_first = |firing: usize| firing == 0;
                let ends = |it: &(usize, &Firing)| is_first(it.0) || it.1.kind == Kind::Complete;
                let ended = |(firing, it): (usize, &Firing)| {
                    let item = if is_first(firing) { worked(run, *item) } else { None };
                    Ended { firing, item, again: it.kind == Kind::Again }
                };
                firings.filter(ends).map(ended).collect()
            }
            What::Tick => of_time(run, cause, changes),
            _ => {
                let ends = firings.filter(|it| it.1.kind == Kind::Complete);
                ends.map(|it| Ended { firing: it.0, item: None, again: false }).collect()
            }
        }
    }
}

/// Time ends what somebody works at, too: then it is told by the firing before it which one.
fn of_time(run: &Run, cause: &Cause, changes: &Changes) -> Vec<Ended> {
    let is_any = |it: &Firing| matches!(it.kind, Kind::Complete | Kind::Again);
    if !changes.firings.iter().any(is_any) {
        return Vec::new();
    }
    let of = |item: &Id| Some((run.state.items.get(item)?.by, *item));
    let mut held: BTreeMap<Id, Id> = run.claims.keys().filter_map(of).collect();
    let mut agains: BTreeMap<Id, usize> = BTreeMap::new();
    let now_ms = cause.event.at_ms.max(run.state.head.now_ms);
    let mut ended = Vec::new();
    for (firing, it) in changes.firings.iter().enumerate().filter(|it| is_any(it.1)) {
        let is_here =
            |item: &Id| run.state.path_of(&run.pinned.processes, *item).as_ref() == Some(&it.path);
        let found = it.parents.iter().find_map(|by| held.get(by).map(|item| (*by, *item)));
        let found = found.filter(|it| is_here(&it.1));
        match (it.kind, found) {
            (Kind::Complete, found) => {
                let item = found.and_then(|it| worked(run, it.1));
                if let Some((by, _)) = found {
                    held.remove(&by);
                }
                ended.push(Ended { firing, item, again: false });
            }
            (_, Some((by, item))) => {
                held.remove(&by);
                let count = agains.entry(item).or_default();
                if run.state.items.get(&item).and_then(|it| silence(it, now_ms)) == Some(*count) {
                    ended.push(Ended { firing, item: worked(run, item), again: true });
                } else {
                    held.insert(it.id, item);
                }
                *count += 1;
            }
            (_, None) => (),
        }
    }
    ended
}

fn worked(run: &Run, item: Id) -> Option<Worked> {
    let row = run.state.items.get(&item)?;
    Some(Worked { item, attempt: row.failures + 1, round: row.round + 1 })
}

/// Of all that is due of an item, which one is that nothing was heard of its worker.
fn silence(item: &Item, now_ms: i64) -> Option<usize> {
    let mut due: Vec<_> = item.timers.iter().filter(|it| it.0 <= now_ms).collect();
    due.sort_unstable();
    due.iter().position(|it| it.1 == Timer::Silence)
}

impl Run {
    /// What is said of what an event finished, whose commits are these; the run is as it was after
    /// it, but for who holds what.
    pub(in crate::runs) fn finished(
        &self,
        ended: Vec<Ended>,
        cause: &Cause,
        changes: &Changes,
        commits: &[ObjectId],
    ) -> Vec<Finished> {
        let before = self.seq - commits.len() as u64;
        let told = |it: Ended| {
            let commit = commits[it.firing];
            let seq = before + it.firing as u64 + 1;
            let firing = &changes.firings[it.firing];
            let claim = it.item.as_ref().and_then(|it| self.claims.get(&it.item));
            let receipt = Receipt {
                seq,
                commit: commit.to_string(),
                ..self.receipt(&it, firing, cause, claim)
            };
            let is_whole = claim.is_none() || receipt.input.is_some();
            let given = claim.and_then(|it| it.given.clone());
            Finished { commit, receipt, given, is_whole }
        };
        ended.into_iter().map(told).collect()
    }

    fn receipt(
        &self,
        ended: &Ended,
        firing: &Firing,
        cause: &Cause,
        claim: Option<&Claim>,
    ) -> Receipt {
        let told = match &cause.event.what {
            What::Fail { problem, .. } if ended.firing == 0 => Some(problem),
            _ => None,
        };
        let output = match told.map(serde_json::to_value) {
            Some(problem) => canonical(&problem.unwrap_or_default()),
            None => canonical_object(firing.data.iter()),
        };
        let outcome = firing.outcome.as_deref().filter(|_| !ended.again).unwrap_or(FAILED);
        let noted = firing.notes.last().filter(|_| RESERVED.contains(&outcome));
        let problem = told.or(noted).map(|it| it.kind.clone());
        let problem = problem.or_else(|| ended.again.then(|| SILENT.to_owned()));
        let item = ended.item.as_ref();
        Receipt {
            receipt: VERSION,
            run: self.id.clone(),
            process: self.birth.process.clone(),
            version: self.birth.version.clone(),
            definition: self.birth.digest.clone(),
            step: firing.path.clone(),
            task: item.map(|it| format!("{}/{}", self.id, it.item)),
            attempt: item.map(|it| it.attempt),
            round: item.map(|it| it.round).filter(|it| *it != 1),
            actor: cause.actor.clone(),
            worker: claim.map(|it| it.worker.clone()),
            outcome: outcome.to_owned(),
            problem,
            again: ended.again,
            input: claim.and_then(|it| it.input.clone()),
            output: digest_of(&output),
            offered_ms: claim.and_then(|it| it.offered_ms),
            claimed_ms: claim.map(|it| it.at_ms),
            finished_ms: cause.event.at_ms,
            commit: String::new(),
            seq: 0,
            signature: None,
        }
    }

    /// Remembers since when items are there for somebody.
    pub(in crate::runs) fn follow_offers(&mut self, changes: &Changes, at_ms: i64) {
        for (item, row) in changes.rows.items.iter() {
            let is_free = |it: &Item| matches!(it.status, ItemStatus::Offered | ItemStatus::Open);
            match row {
                Row::Is(it) if is_free(it) => drop(self.offered.entry(*item).or_insert(at_ms)),
                // Who takes it up takes this along.
                Row::Is(it) if it.status == ItemStatus::Started => (),
                _ => drop(self.offered.remove(item)),
            }
        }
    }

    /// The digest of the data that an item is about.
    pub(in crate::runs) fn seen(&mut self, item: Id) -> Option<String> {
        let row = self.state.items.get(&item)?;
        let process = self.state.frames.get(&row.frame)?.process;
        let state = &self.state;
        let digest = || digest_of(&canonical_object(state.entries_of(process)));
        Some(self.files.digest(process, digest))
    }
}
