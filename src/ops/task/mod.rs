//! Tasks: the work of runs, claimed and done by workers.

pub mod claim;
pub mod complete;
pub mod credit;
pub mod fail;
pub mod heartbeat;
pub mod list;
pub mod release;
pub mod subscribe;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{plain::Plain, run::name};
use crate::{
    error::{Error, Result},
    runs::{
        keeper::Keeper,
        work::{Holding, TaskId},
    },
};

/// A day.
const TIME_MS_MAX: u64 = 86_400_000;

fn lease_ms(lease_ms: u64) -> Result<u64> {
    match lease_ms {
        1..=TIME_MS_MAX => Ok(lease_ms),
        _ => Err(Error::bad_request(format!("`lease_ms` is from 1 to {TIME_MS_MAX}"))
            .with("field", "lease_ms")),
    }
}

/// How many tasks somebody is given at a time.
const TASKS_MAX: usize = 1000;

fn types(types: Option<Vec<Plain>>) -> Option<BTreeSet<String>> {
    types.map(|it| it.into_iter().map(String::from).collect())
}

/// What shows that somebody was given a task.
fn holding(task: &Plain, token: Plain, worker: Option<&Plain>) -> Result<Holding> {
    let worker = worker.map(|it| name(it, "worker")).transpose()?;
    Ok(Holding { task: TaskId::new(task, "task")?, token: token.into(), worker })
}

/// What became of a task.
#[derive(Serialize)]
pub struct Ended {
    task: String,
    run: String,
    /// How the run stands now.
    status: &'static str,
    /// The commit that says what became of it.
    commit: String,
}

impl Ended {
    fn of(holding: &Holding, commit: String, keeper: &Keeper) -> Result<Ended> {
        let TaskId { run, item } = &holding.task;
        let status = keeper.status(run).ok_or_else(|| Error::internal("a run is gone"))?;
        Ok(Ended { task: format!("{run}/{item}"), run: run.to_string(), status, commit })
    }
}
