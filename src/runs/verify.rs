//! Whether a run is what it says: its events are worked into its process once more, and each commit
//! has to come out as it is. Where all do, its receipts are checked by what came out.

use std::collections::HashSet;

use serde::Serialize;

use super::{
    keeper::Keeper,
    receipt::{Checked, Checking, Wrong},
    run::Run,
};
use crate::{
    engine::state::Status,
    error::{Code, Detail, Error, Result},
    git::{Execution, ObjectId, RunId, Transaction},
};

#[derive(Debug, Serialize)]
pub struct Verified {
    run: String,
    ok: bool,
    /// How many commits there are.
    commits: u64,
    /// Nothing where the commits are not what they should be.
    status: Option<&'static str>,
    /// How many receipts there are, and how many of them are signed.
    receipts: u64,
    signed: u64,
    problems: Vec<Wrong>,
    /// Its commits, if they are what they should be and others may have come after them.
    #[serde(skip)]
    pub known: Option<HashSet<ObjectId>>,
}

impl Verified {
    /// Takes in what else was found out.
    pub fn add(&mut self, checked: Checked, checking: &Checking) {
        self.ok &= checked.found == 0;
        self.receipts += checked.receipts;
        self.signed += checked.signed;
        let room = checking.limit.saturating_sub(self.problems.len());
        self.problems.extend(checked.problems.into_iter().take(room));
    }
}

impl Keeper {
    pub fn verify(
        &mut self,
        run: &RunId,
        checking: &Checking,
        transaction: &mut Transaction,
    ) -> Result<Verified> {
        if transaction.execution(run)?.is_none() {
            return Err(Error::not_found(format!("there is no run `{run}`")));
        }
        let mut finished = Vec::new();
        let read = self.read_and_tell(run, None, Some(&mut finished), transaction);
        let read = read.and_then(|it| expect_refs(&it, run, transaction).map(|()| it));
        let name = run.to_string();
        match read {
            Ok(it) => {
                let status = it.state.status(&it.pinned.processes);
                let mut checked = Checked::default();
                self.check_finished(run, &finished, checking, &mut checked, transaction)?;
                let Checked { receipts, signed, problems, .. } = checked;
                let (ok, commits) = (problems.is_empty(), it.seq);
                // Nothing ever comes after one that is done.
                let is_end = status == Status::Done;
                let history =
                    |history: Vec<Execution>| history.into_iter().map(|it| it.id).collect();
                let known = (!is_end).then(|| transaction.history(run).map(history)).transpose()?;
                let status = Some(status.word());
                Ok(Verified { run: name, ok, commits, status, receipts, signed, problems, known })
            }
            // Of a run that is as it should be, everything can be read.
            Err(error) if error.code == Code::Internal => Err(error),
            Err(error) => {
                let commit = error.details().iter().find(|it| it.0 == "commit");
                let commit = commit.and_then(|it| match &it.1 {
                    Detail::Text(id) => Some(id.clone()),
                    _ => None,
                });
                let commits = transaction.history(run).map_or(0, |it| it.len() as u64);
                let message = error.message;
                let wrong = Wrong { kind: "commit", commit, run: None, task: None, message };
                let (status, problems) = (None, vec![wrong]);
                let (ok, receipts, signed, known) = (false, 0, 0, None);
                Ok(Verified { run: name, ok, commits, status, receipts, signed, problems, known })
            }
        }
    }
}

/// Its refs have to be where its commits say.
fn expect_refs(it: &Run, run: &RunId, transaction: &mut Transaction) -> Result<()> {
    let wrong = |what: &str, commit: Option<ObjectId>| {
        let error = Error::corrupt(format!("{what} is not where the run's commits lead"));
        Err(commit.iter().fold(error, |error, it| error.with("commit", it.to_string())))
    };
    let newest = transaction.execution(run)?;
    if newest != it.newest() {
        return wrong("the ref of the run", newest);
    }
    let (there, wanted) = (transaction.marks(run)?, it.marks());
    if let Some((mark, at)) = there.iter().find(|it| wanted.get(it.0) != Some(it.1)) {
        return wrong(&format!("the ref of the {mark}"), Some(*at));
    }
    match wanted.iter().find(|it| !there.contains_key(it.0)) {
        Some((mark, at)) => wrong(&format!("the ref of the {mark}"), Some(*at)),
        None => Ok(()),
    }
}
