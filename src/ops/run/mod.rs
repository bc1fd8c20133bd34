//! Runs of processes: started, watched and told what happens.

pub mod cancel;
pub mod fork;
pub mod get;
pub mod graph;
pub mod history;
pub mod list;
pub mod migrate;
pub mod prune;
pub mod resume;
pub mod retry;
pub mod signal;
pub mod start;
pub mod suspend;
pub mod verify;
mod which;

use serde::{Deserialize, Serialize};

use super::{Context, plain::Plain};
use crate::{
    engine::event::What,
    error::{Error, Result},
    git::{RepositoryPath, RunId, Transaction},
    runs::{
        again::Again,
        keeper::{Happened, Keeper},
        policy::{Act, Action},
    },
};

const ACTOR_BYTES_MAX: usize = 200;
const REASON_BYTES_MAX: usize = 500;

/// Works on all runs of a request's repository, together with what runs in one step with it.
pub fn with<T>(
    context: &Context,
    work: impl FnOnce(&mut Keeper, &mut Transaction) -> Result<T>,
) -> Result<T> {
    let mut transaction = context.transaction();
    with_in(context, &mut transaction, work)
}

/// The same for one of them.
pub fn with_run<T>(
    context: &Context,
    run: &RunId,
    work: impl FnOnce(&mut Keeper, &mut Transaction) -> Result<T>,
) -> Result<T> {
    with_some(context, |keeper, transaction| {
        keeper.look_for(run, transaction)?;
        work(keeper, transaction)
    })
}

/// The same for those that were read already: where there are many, all are only after a while.
pub fn with_some<T>(
    context: &Context,
    work: impl FnOnce(&mut Keeper, &mut Transaction) -> Result<T>,
) -> Result<T> {
    let mut transaction = context.transaction();
    with_some_in(context, &mut transaction, work)
}

/// The same for all, in a transaction that is at hand.
pub fn with_in<T>(
    context: &Context,
    transaction: &mut Transaction,
    work: impl FnOnce(&mut Keeper, &mut Transaction) -> Result<T>,
) -> Result<T> {
    with_some_in(context, transaction, |keeper, transaction| {
        keeper.read_all(transaction)?;
        work(keeper, transaction)
    })
}

/// The same for those that were read already.
pub fn with_some_in<T>(
    context: &Context,
    transaction: &mut Transaction,
    work: impl FnOnce(&mut Keeper, &mut Transaction) -> Result<T>,
) -> Result<T> {
    let keeper = context.runs.keeper(transaction.repository().common_folder());
    let mut keeper = keeper.lock().map_err(|_| Error::internal("a bug ended another request"))?;
    keeper.wake(transaction)?;
    let done = work(&mut keeper, transaction);
    if done.is_err() {
        keeper.go_back();
    }
    done
}

/// Changes a repository together with what runs in one step, or alone where others should not wait
/// for what it needs from elsewhere.
pub fn in_step<T>(
    path: &RepositoryPath,
    context: &Context,
    change: impl FnOnce(&mut Transaction) -> Result<T>,
) -> Result<T> {
    match context.transaction {
        Some(transaction) => change(&mut transaction.borrow_mut()),
        None => {
            let changed = context.store.change_alone(path, context.watch, change);
            // What was to be may not be in Git.
            changed.inspect_err(|_| context.runs.doubt())
        }
    }
}

/// Who does something: by a name that Git can keep, or whoever the repository says it is.
pub fn actor(
    actor: Option<&Plain>,
    field: &'static str,
    transaction: &Transaction,
) -> Result<String> {
    match actor {
        Some(actor) => name(actor, field),
        None => Ok(String::from_utf8_lossy(&transaction.repository().owner().name).into_owned()),
    }
}

pub fn name(name: &str, field: &'static str) -> Result<String> {
    let is_fit = (1..=ACTOR_BYTES_MAX).contains(&name.len())
        && name.trim() == name
        && !name.contains(|it: char| it.is_control() || "<>".contains(it));
    match is_fit {
        true => Ok(name.to_owned()),
        false => Err(Error::bad_request(format!(
            "`{field}` is a name of 1 to {ACTOR_BYTES_MAX} bytes, without `<`, `>`, line ends and \
             blanks around it"
        ))
        .with("field", field)),
    }
}

/// Why something is done that policies forbid, in one line.
pub fn reason(reason: Option<&Plain>) -> Result<Option<&str>> {
    let is_fit = |it: &str| {
        (1..=REASON_BYTES_MAX).contains(&it.len())
            && it.trim() == it
            && !it.contains(char::is_control)
    };
    match reason.map(|it| &**it) {
        Some(it) if !is_fit(it) => Err(Error::bad_request(format!(
            "`override` is a reason, in one line of 1 to {REASON_BYTES_MAX} bytes"
        ))
        .with("field", "override")),
        reason => Ok(reason),
    }
}

pub fn run_id(run: &Plain) -> Result<RunId> {
    RunId::new(run)
}

/// A request about a run that says no more than who makes it, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plainly {
    path: RepositoryPath,
    run: Plain,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Plainly {
    fn happen(&self, action: Action, what: What, context: &Context) -> Result<Taken> {
        let run = run_id(&self.run)?;
        let reason = reason(self.reason.as_ref())?;
        with_run(context, &run, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_allowed(Act::of(action, &actor).on(&run).because(reason))?;
            let happened = keeper.happen(&run, &actor, what, transaction)?;
            transaction.be_durable();
            Taken::of(&run, &happened, keeper)
        })
    }
}

/// What a request comes to that something happened by.
#[derive(Serialize)]
pub struct Taken {
    run: String,
    status: &'static str,
    /// The commit that took it.
    commit: Option<String>,
}

impl Taken {
    pub fn of(run: &RunId, happened: &Happened, keeper: &Keeper) -> Result<Taken> {
        let status = keeper.status(run).ok_or_else(|| Error::internal("a run is gone"))?;
        let commit = happened.commit.map(|it| it.to_string());
        Ok(Taken { run: run.to_string(), status, commit })
    }
}

/// What a request comes to that has a run go on from an earlier commit.
#[derive(Serialize)]
pub struct Rewound {
    #[serde(flatten)]
    taken: Taken,
    /// Work that was done or under way, and is not any more.
    again: Vec<Again>,
}

impl Rewound {
    fn of(run: &RunId, happened: &Happened, again: Vec<Again>, keeper: &Keeper) -> Result<Rewound> {
        Ok(Rewound { taken: Taken::of(run, happened, keeper)?, again })
    }
}
