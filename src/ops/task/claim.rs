//! `task.claim`: a worker asks for something to do, and may wait for it.

use serde::{Deserialize, Serialize};

use super::{TASKS_MAX, TIME_MS_MAX, lease_ms, types};
use crate::{
    error::{Error, Result},
    git::{RepositoryPath, boottime_ms},
    ops::{
        Context, Lane, Operation, Pause,
        plain::Plain,
        run::{name, reason, with_some},
    },
    runs::{
        listing::Task,
        tasks::{QUEUE, Wanted},
        work::{Ask, LEASE_MS, TaskId},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    path: RepositoryPath,
    worker: Plain,
    /// One that is wanted, whatever else there is.
    task: Option<Plain>,
    #[serde(default = "queue")]
    queue: Plain,
    types: Option<Vec<Plain>>,
    #[serde(default)]
    roles: Vec<Plain>,
    #[serde(default = "one")]
    max: usize,
    #[serde(default = "minute")]
    lease_ms: u64,
    #[serde(default)]
    wait_ms: u64,
    /// Why the task is claimed where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
    /// When waiting is over, once it has begun.
    #[serde(skip)]
    gives_up_ms: Option<u64>,
}

fn queue() -> Plain {
    QUEUE.into()
}

fn one() -> usize {
    1
}

fn minute() -> u64 {
    LEASE_MS
}

#[derive(Serialize)]
pub struct Reply {
    tasks: Vec<Task>,
}

impl Operation for Claim {
    const NAME: &'static str = "task.claim";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn must_wait(&mut self, context: &Context) -> Result<Option<Pause>> {
        let ask = self.ask()?;
        if self.wait_ms == 0 || self.task.is_some() {
            return Ok(None);
        }
        let gives_up_ms = *self.gives_up_ms.get_or_insert_with(|| boottime_ms() + self.wait_ms);
        if gives_up_ms <= boottime_ms() {
            return Ok(None);
        }
        with_some(context, |keeper, transaction| {
            let folder = transaction.repository().common_folder().to_owned();
            Ok((!keeper.has_any(&ask)).then_some(Pause::Task { folder, gives_up_ms }))
        })
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let ask = self.ask()?;
        let task = self.task.as_ref().map(|it| TaskId::new(it, "task")).transpose()?;
        let reason = reason(self.reason.as_ref())?;
        with_some(context, |keeper, transaction| {
            let tasks = match &task {
                Some(task) => {
                    keeper.look_for(&task.run, transaction)?;
                    keeper.claim_one(task, &ask, reason, transaction)?.into_iter().collect()
                }
                None => keeper.claim_now(&ask, transaction)?,
            };
            transaction.be_durable();
            Ok(Reply { tasks })
        })
    }
}

impl Claim {
    fn ask(&self) -> Result<Ask> {
        let bad = |message: String, field: &'static str| {
            Err(Error::bad_request(message).with("field", field))
        };
        if TIME_MS_MAX < self.wait_ms {
            return bad(format!("`wait_ms` is from 0 to {TIME_MS_MAX}"), "wait_ms");
        }
        if !(1..=TASKS_MAX).contains(&self.max) {
            return bad(format!("`max` is from 1 to {TASKS_MAX}"), "max");
        }
        reason(self.reason.as_ref())?;
        if self.reason.is_some() && self.task.is_none() {
            return bad("`override` is for a `task` that is named".to_owned(), "override");
        }
        Ok(Ask {
            worker: name(&self.worker, "worker")?,
            roles: self.roles.iter().map(|it| it.to_string()).collect(),
            wanted: Wanted { queue: self.queue.to_string(), types: types(self.types.clone()) },
            most: self.max,
            lease_ms: lease_ms(self.lease_ms)?,
        })
    }
}
