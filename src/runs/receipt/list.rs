//! Receipts, page by page.

use std::collections::HashSet;

use super::{Receipt, stray::receipt_of};
use crate::{
    error::{Code, Error, Result},
    git::{Namespace, NotesQuery, ObjectId, Place, Repository, RunId, Transaction},
    runs::{keeper::Keeper, message},
    watch::Watch,
};

/// So many notes are looked at for one page, however few of them are asked for.
const LOOKED_MAX: usize = 100_000;
/// So many are read at a time.
const READ_MAX: usize = 1000;

/// Which receipts are asked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub run: Option<String>,
    pub process: Option<String>,
    pub version: Option<String>,
    pub step: Option<String>,
    pub actor: Option<String>,
    pub worker: Option<String>,
    pub outcome: Option<String>,
    /// When it was finished.
    pub since_ms: Option<i64>,
    pub until_ms: Option<i64>,
}

impl Query {
    pub fn has(&self, it: &Receipt) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let has =
            |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        is(&self.run, &it.run)
            && is(&self.process, &it.process)
            && has(&self.version, &it.version)
            && is(&self.step, &it.step)
            && is(&self.actor, &it.actor)
            && has(&self.worker, &it.worker)
            && is(&self.outcome, &it.outcome)
            && self.since_ms.is_none_or(|since| since <= it.finished_ms)
            && self.until_ms.is_none_or(|until| it.finished_ms < until)
    }
}

/// A receipt, and the line that it is.
pub struct Shown {
    pub receipt: Receipt,
    pub line: String,
}

pub struct Page {
    pub receipts: Vec<Shown>,
    /// The commit that the next page comes after.
    pub next: Option<String>,
}

/// Receipts in the order of their commits' ids.
pub fn page(
    repository: &Repository,
    query: &Query,
    limit: usize,
    mut after: Option<String>,
    watch: &Watch,
) -> Result<Page> {
    let mut receipts = Vec::new();
    for _ in 0..LOOKED_MAX / READ_MAX {
        let wanted =
            NotesQuery { namespace: Namespace::receipts(), limit: READ_MAX, after: after.clone() };
        let notes = repository.notes(&wanted, watch)?;
        for place in &notes.notes {
            watch.check()?;
            let Some(it) = shown(repository, place)?.filter(|it| query.has(&it.receipt)) else {
                continue;
            };
            if limit <= receipts.len() {
                return Ok(cut(receipts));
            }
            receipts.push(it);
        }
        after = notes.next.map(|it| it.0);
        if after.is_none() {
            break;
        }
    }
    Ok(Page { receipts, next: after })
}

/// Receipts of these commits of one run, in their order.
pub fn page_of(
    commits: &[ObjectId],
    repository: &Repository,
    query: &Query,
    limit: usize,
    after: Option<&str>,
    watch: &Watch,
) -> Result<Page> {
    let mut receipts = Vec::new();
    let start = match after {
        None => 0,
        Some(after) => {
            let at = commits.iter().position(|it| it.to_string() == after);
            let bad = || Error::bad_request("`after` is a `next` of the same run");
            at.ok_or_else(|| bad().with("field", "after"))? + 1
        }
    };
    for commit in &commits[start..] {
        watch.check()?;
        let place = match repository.note(&Namespace::receipts(), &commit.to_string()) {
            Err(error) if error.code == Code::NotFound => continue,
            place => place?,
        };
        let found = shown(repository, &place)?;
        let Some(it) = found.filter(|it| query.has(&it.receipt)) else { continue };
        if limit <= receipts.len() {
            return Ok(cut(receipts));
        }
        receipts.push(it);
    }
    Ok(Page { receipts, next: None })
}

/// The notes on commits that may be receipts which name a run, but for those on these commits.
pub fn naming(
    run: &RunId,
    known: &HashSet<ObjectId>,
    repository: &Repository,
    watch: &Watch,
) -> Result<Vec<(ObjectId, Vec<u8>)>> {
    let mut found = Vec::new();
    each(repository, watch, |target, place| {
        if !known.contains(&target) {
            let note = repository.note_content(place)?;
            if receipt_of(target, &note, run).is_some() {
                found.push((target, note.to_vec()));
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// The commit of the receipt of a task, of an attempt or of the last, by what is noted alone.
pub fn newest_of_task(
    run: &RunId,
    (task, attempt): (&str, Option<u64>),
    repository: &Repository,
    watch: &Watch,
) -> Result<Option<ObjectId>> {
    let mut newest = None;
    each(repository, watch, |target, place| {
        let note = repository.note_content(place)?;
        let receipt = receipt_of(target, &note, run).filter(|it| {
            it.task.as_deref() == Some(task) && (attempt.is_none() || it.attempt == attempt)
        });
        let found = receipt.map(|it| (it.finished_ms, it.seq, target));
        newest = newest.max(found);
        Ok(())
    })?;
    Ok(newest.map(|it| it.2))
}

/// Shows each note.
fn each(
    repository: &Repository,
    watch: &Watch,
    mut show: impl FnMut(ObjectId, &Place) -> Result<()>,
) -> Result<()> {
    let mut after = None;
    loop {
        let wanted = NotesQuery { namespace: Namespace::receipts(), limit: READ_MAX, after };
        let notes = repository.notes(&wanted, watch)?;
        for place in &notes.notes {
            watch.check()?;
            show(place.target.0.parse()?, place)?;
        }
        match notes.next {
            None => return Ok(()),
            next => after = next.map(|it| it.0),
        }
    }
}

fn cut(receipts: Vec<Shown>) -> Page {
    let next = receipts.last().map(|it| it.receipt.commit.clone());
    Page { receipts, next }
}

/// What a note says; nothing where it is no receipt of what it is on.
fn shown(repository: &Repository, place: &Place) -> Result<Option<Shown>> {
    let note = repository.note_content(place)?;
    let target: ObjectId = place.target.0.parse()?;
    Ok(Receipt::noted(target, &note).ok().and_then(|(receipt, line, _)| {
        let is_here = receipt.commit == place.target.0;
        is_here.then(|| Shown { line: line.to_owned(), receipt })
    }))
}

impl Keeper {
    /// The commits of a run in their order; nothing where it is not here.
    pub fn commits_of(
        &mut self,
        run: &RunId,
        transaction: &mut Transaction,
    ) -> Result<Option<Vec<ObjectId>>> {
        if self.newest(run).is_none() {
            return Ok(None);
        }
        let mut commits = Vec::new();
        for commit in transaction.history(run)? {
            commits.push((message::read(&commit.message)?.seq, commit.id));
        }
        commits.sort_unstable();
        Ok(Some(commits.into_iter().map(|it| it.1).collect()))
    }

    /// The runs that can have such receipts, and those that nobody can read.
    pub fn ids_like(&self, query: &Query) -> Vec<RunId> {
        let is_like = |run: &&RunId| {
            let is_it = query.run.as_ref().is_none_or(|wanted| wanted == run.as_str());
            is_it
                && self.summary(run).is_none_or(|it| {
                    query.process.as_ref().is_none_or(|wanted| *wanted == it.process)
                        && (query.version.is_none() || query.version == it.version)
                })
        };
        let mut ids: Vec<RunId> = self.all_ids().filter(is_like).cloned().collect();
        ids.sort_unstable();
        ids
    }
}
