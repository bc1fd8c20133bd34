//! The commits of a run, made again from what they say happened.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    message::{Because, Birth, Cause, Said},
    pinned::Pinned,
    receipt::Finished,
    run::Run,
};
use crate::{
    engine::event::What,
    error::{Error, Result},
    git::ObjectId,
};

/// A commit as it is found.
pub struct Found {
    pub id: ObjectId,
    pub said: Said,
    /// The file that says why it is there, if it has one.
    pub cause: Option<Vec<u8>>,
    /// The process in it, if the run goes on by that from here.
    pub pinned: Option<Arc<Pinned>>,
}

/// A commit, and what it says that counts here.
struct Told {
    seq: u64,
    run: String,
    cause: Option<Cause>,
    id: ObjectId,
    pinned: Option<Arc<Pinned>>,
}

/// The run that these commits are, which are all of its commits in any order. Fails at the first
/// that is not what the events before it make. Tells what was finished where somebody asks.
pub fn replay(
    id: &str,
    pinned: Arc<Pinned>,
    found: Vec<Found>,
    finished: Option<&mut Vec<Finished>>,
) -> Result<Run> {
    let (mut commits, mut birth) = (Vec::new(), None);
    for Found { id, said, cause, pinned } in found {
        if said.seq == 1 {
            birth = said.birth;
        }
        let cause = match said.cause {
            Because::Of(cause) => Some(*cause),
            Because::File => Some(Cause::read(&cause.ok_or_else(|| at(id, "its event is gone"))?)?),
            Because::Before => None,
        };
        commits.push(Told { seq: said.seq, run: said.run, cause, id, pinned });
    }
    commits.sort_by_key(|it| it.seq);
    let first = commits.first().map_or(id, |it| &*it.run);
    let Birth { attributes, revision, .. } = birth.unwrap_or_default();
    let mut run = Run::new(first, pinned, attributes);
    run.birth.revision = revision;
    run.has_receipts = finished.is_some();
    let mut unasked = Vec::new();
    play(run, commits, finished.unwrap_or(&mut unasked))
}

fn play(mut run: Run, commits: Vec<Told>, finished: &mut Vec<Finished>) -> Result<Run> {
    let back_to = |it: &Told| match it.cause.as_ref()?.event.what {
        What::Retry { seq } => Some(seq),
        _ => None,
    };
    // What the run was like with the commits that it goes back to.
    let wanted: BTreeSet<u64> = commits.iter().filter_map(back_to).collect();
    let mut earlier: BTreeMap<u64, Run> = BTreeMap::new();
    let mut left: VecDeque<Told> = commits.into();
    while let Some(first) = left.pop_front() {
        for seq in wanted.range(..first.seq) {
            earlier.entry(*seq).or_insert_with(|| run.clone());
        }
        let cause = first.cause.as_ref();
        let cause = cause.ok_or_else(|| at(first.id, "the event before it does not make it"))?;
        match &cause.event.what {
            What::Retry { seq } => {
                let earlier = earlier.get(seq).cloned();
                let none = || at(first.id, "it goes back to what was not before it");
                run = run.back_at(earlier.ok_or_else(none)?);
            }
            What::Fork { run: of, .. } if *of != run.id => {
                return Err(at(first.id, &format!("it comes after the run `{}`", run.id)));
            }
            What::Fork { .. } => run = run.forked(&first.run),
            _ => (),
        }
        expect_of(&run, &first)?;
        let made = run.happen(cause, first.pinned.as_ref());
        let made =
            made.map_err(|it| at(first.id, &format!("its event is refused: {}", it.message)))?;
        let mut here = Some(first.id);
        for commit in &made.commits {
            let next = || left.pop_front().map(|it| expect_of(&run, &it).map(|()| it.id));
            match here.take().map(Ok).or_else(next).transpose()? {
                Some(there) if there == *commit => (),
                Some(there) => return Err(at(there, &format!("the events make {commit} here"))),
                None => return Err(at(*commit, "it is not there")),
            }
        }
        finished.extend(made.finished);
        if made.commits.is_empty() {
            return Err(at(first.id, "its event makes no commit"));
        }
    }
    run.has_receipts = true;
    Ok(run)
}

fn expect_of(run: &Run, told: &Told) -> Result<()> {
    match told.run == run.id {
        true => Ok(()),
        false => Err(at(told.id, &format!("it is of the run `{}`", told.run))),
    }
}

/// The error of a commit that is not what it should be.
pub fn at(commit: ObjectId, why: &str) -> Error {
    Error::corrupt(format!("the commit {commit} is not one of the run: {why}"))
        .with("commit", commit.to_string())
}
