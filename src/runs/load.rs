//! A run, read from its commits.

use std::{collections::HashMap, sync::Arc};

use super::{
    message::{self, Because, CAUSE_FILE, Said},
    pinned::Pinned,
    receipt::Finished,
    replay::{Found, at, replay},
    run::Run,
};
use crate::{
    error::Result,
    git::{Execution, ObjectId, RunId, Transaction},
};

/// A commit and what it says.
pub type Told = (Said, Execution);

/// What the commits of a run say; fails at one that says nothing of the kind.
pub fn told(history: Vec<Execution>) -> Result<Vec<Told>> {
    let told = |commit: Execution| {
        let said = message::read(&commit.message).map_err(|error| at(commit.id, &error.message))?;
        Ok((said, commit))
    };
    history.into_iter().map(told).collect()
}

/// The run that these commits are, which are all of its commits; or as it was with the commit of a
/// number, and with what followed from that by itself. It begins with this process, and goes on by
/// others from some commits.
pub fn run(
    run: &RunId,
    (pinned, others): (Arc<Pinned>, &HashMap<ObjectId, Arc<Pinned>>),
    told: Vec<Told>,
    until: Option<u64>,
    finished: Option<&mut Vec<Finished>>,
    transaction: &mut Transaction,
) -> Result<Run> {
    // What happened next from outside, and all that came of it, is left out.
    let is_next = |it: &&Told| {
        !matches!(it.0.cause, Because::Before) && until.is_some_and(|until| until < it.0.seq)
    };
    let next = told.iter().filter(is_next).map(|it| it.0.seq).min();
    let mut found = Vec::with_capacity(told.len());
    for (said, Execution { id, tree, .. }) in told {
        if next.is_some_and(|next| next <= said.seq) {
            continue;
        }
        let cause = match said.cause {
            Because::File => transaction.file(tree, CAUSE_FILE)?,
            _ => None,
        };
        let pinned = others.get(&id).cloned();
        found.push(Found { id, said, cause, pinned });
    }
    let it = replay(run.as_str(), pinned, found, finished)?;
    match it.newest() {
        // One that was forked was another one before.
        Some(newest) if until.is_none() && it.id != run.as_str() => {
            Err(at(newest, &format!("it is of the run `{}`", it.id)))
        }
        _ => Ok(it),
    }
}
