//! The commits of a run, made again from what they say happened.

use std::{collections::VecDeque, sync::Arc};

use super::{
    message::{self, Because, Cause},
    pinned::Pinned,
    run::Run,
};
use crate::{
    error::{Error, Result},
    git::ObjectId,
};

/// A commit as it is found.
pub struct Found {
    pub id: ObjectId,
    pub message: Vec<u8>,
    /// The file that says why it is there, if it has one.
    pub cause: Option<Vec<u8>>,
}

/// The run that these commits are, which are all of its commits in any order. Fails at the first
/// that is not what the events before it make.
pub fn replay(id: &str, pinned: Arc<Pinned>, found: Vec<Found>) -> Result<Run> {
    let (mut commits, mut attributes) = (Vec::new(), None);
    for it in found {
        let said = message::read(&it.message).map_err(|error| at(it.id, &error.message))?;
        if said.run != id {
            return Err(at(it.id, &format!("it is of the run `{}`", said.run)));
        }
        if said.seq == 1 {
            attributes = said.birth.map(|it| it.attributes);
        }
        commits.push((said.seq, said.cause, it));
    }
    commits.sort_by_key(|it| it.0);
    let mut run = Run::new(id, pinned, attributes.unwrap_or_default());
    let mut left: VecDeque<_> = commits.into();
    while let Some((_, because, first)) = left.pop_front() {
        let cause = match because {
            Because::Of(cause) => *cause,
            Because::File => {
                let file = first.cause.as_deref();
                Cause::read(file.ok_or_else(|| at(first.id, "its event is gone"))?)?
            }
            Because::Before => return Err(at(first.id, "the event before it does not make it")),
        };
        let made = run.happen(&cause);
        let made =
            made.map_err(|it| at(first.id, &format!("its event is refused: {}", it.message)))?;
        let mut here = Some(first.id);
        for commit in &made.commits {
            let there = here.take().or_else(|| left.pop_front().map(|it| it.2.id));
            match there {
                Some(there) if there == *commit => (),
                Some(there) => return Err(at(there, &format!("the events make {commit} here"))),
                None => return Err(at(*commit, "it is not there")),
            }
        }
        if made.commits.is_empty() {
            return Err(at(first.id, "its event makes no commit"));
        }
    }
    Ok(run)
}

/// The error of a commit that is not what it should be.
pub fn at(commit: ObjectId, why: &str) -> Error {
    Error::corrupt(format!("the commit {commit} is not one of the run: {why}"))
        .with("commit", commit.to_string())
}
