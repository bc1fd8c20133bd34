//! Whether a run is what it says: its events are worked into its process once more, and each commit
//! has to come out as it is.

use serde::Serialize;

use super::{keeper::Keeper, run::Run};
use crate::{
    error::{Code, Detail, Error, Result},
    git::{ObjectId, RunId, Transaction},
};

#[derive(Debug, Serialize)]
pub struct Verified {
    run: String,
    ok: bool,
    /// How many commits there are.
    commits: u64,
    status: Option<&'static str>,
    problems: Vec<Wrong>,
}

/// What is wrong, and with the first commit that it shows in.
#[derive(Debug, Serialize)]
struct Wrong {
    commit: Option<String>,
    message: String,
}

impl Keeper {
    pub fn verify(&mut self, run: &RunId, transaction: &mut Transaction) -> Result<Verified> {
        if transaction.execution(run)?.is_none() {
            return Err(Error::not_found(format!("there is no run `{run}`")));
        }
        let read = self.read(run, transaction);
        let read = read.and_then(|it| expect_refs(&it, run, transaction).map(|()| it));
        let name = run.to_string();
        match read {
            Ok(it) => {
                let status = Some(it.state.status(&it.pinned.processes).word());
                let commits = it.seq;
                Ok(Verified { run: name, ok: true, commits, status, problems: Vec::new() })
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
                let problems = vec![Wrong { commit, message: error.message }];
                Ok(Verified { run: name, ok: false, commits, status: None, problems })
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
