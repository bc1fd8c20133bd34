//! What no worker is given: steps that the program does by itself. They lie in a lane of their own,
//! and are claimed and ended like any other, by a worker that is the program.

use super::{
    keeper::{Keeper, MYSELF},
    listing::Task,
    tasks::Wanted,
    work::{Ask, Holding, TaskId},
};
use crate::{
    engine::{
        definition::Data,
        event::What,
        state::{Problem, Timer},
    },
    error::Result,
    git::{RunId, Transaction, now_ms},
    process::builtin::{Builtin, Wrong, exec, git},
};

/// The queue of these tasks. No request can name it.
pub const LANE: &str = "\0gitport";
/// How long a step may take beyond what its program may, before another machine gives it up.
const SLACK_MS: u64 = 60_000;
/// The program holds what it does for as long as it lives.
const FOREVER_MS: u64 = 1 << 42;
/// So many tasks of one run are tried, and of all together, before it is looked further.
const TRIED_MAX: usize = 100;
const LOOKED: [usize; 2] = [64, 10_000];

/// The types of steps that the program does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Own {
    pub exec: bool,
    pub git: bool,
    /// Whether it does only those of runs that its clients begin.
    pub is_of_begun: bool,
}

impl Own {
    pub fn has(self, step_type: &str) -> bool {
        (self.exec && step_type == exec::TYPE) || (self.git && step_type == git::TYPE)
    }

    pub fn is_any(self) -> bool {
        self.exec || self.git
    }
}

/// A task that the program has taken up.
pub struct Taken {
    pub task: Task,
    pub holding: Holding,
    /// What is to be done; nothing where its configuration does not say.
    pub what: Option<Result<Builtin, Vec<Wrong>>>,
    /// The commit that its run is about.
    pub revision: Option<String>,
}

/// What becomes of a task that the program has taken up.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    Complete {
        outcome: Option<String>,
        data: Data,
    },
    Fail {
        problem: Problem,
        /// Whether another attempt would end in the same way.
        last: bool,
    },
    /// It was not done.
    Release,
}

impl End {
    pub fn fail(kind: &str, message: impl Into<String>, last: bool) -> End {
        End::Fail { problem: Problem { kind: kind.to_owned(), message: message.into() }, last }
    }
}

impl Taken {
    /// The name that what the step brings is given in the data.
    pub fn step(&self) -> &str {
        let name = self.task.step.rsplit('/').next().unwrap_or_default();
        name.split(['#', '&']).next().unwrap_or_default()
    }

    /// How a step ends whose configuration does not say what is to be done.
    pub fn unclear(&self) -> End {
        let step_type = self.task.step_type.as_deref().unwrap_or_default();
        let key = if step_type == git::TYPE { git::DO } else { exec::PROGRAM };
        let why = match &self.what {
            Some(Err(wrong)) => {
                let one = |it: &Wrong| format!("`{}`: {}", it.path, it.message);
                wrong.iter().map(one).collect::<Vec<_>>().join("; ")
            }
            _ => format!("write `{key}`, or have a worker do it"),
        };
        let message = format!("the `configuration` of this `{step_type}` step is none: {why}");
        End::fail("invalid", message, true)
    }
}

impl Keeper {
    pub fn of(own: Own) -> Keeper {
        let mut keeper = Keeper::default();
        keeper.tasks.own = own;
        keeper
    }

    /// A client of this process begins this run, or goes on with it.
    pub fn be_begun_here(&mut self, run: &RunId) {
        if !self.tasks.own.is_of_begun || !self.tasks.begun.insert(run.clone()) {
            return;
        }
        if let Some(it) = self.open.remove(run) {
            self.index_all(run, &it);
            self.open.insert(run.clone(), it);
            self.has_news = true;
        }
    }

    /// Whether there is something that the program has to do.
    pub fn has_own(&self) -> bool {
        self.tasks.has_in(LANE)
    }

    /// Takes up the next task of a type, unless it is one of those that are being done. What this
    /// process knows of leases is gone with each look at what another one wrote.
    pub fn take_own(
        &mut self,
        step_type: &str,
        held: &[Holding],
        transaction: &mut Transaction,
    ) -> Result<Option<Taken>> {
        let types = Some([step_type.to_owned()].into());
        let wanted = Wanted { queue: LANE.to_owned(), types };
        for most in LOOKED {
            let found = self.tasks.of(&wanted, TRIED_MAX, most);
            let is_all = found.len() < most;
            for (run, item) in found {
                let id = TaskId { run, item };
                if held.iter().any(|it| it.task == id) {
                    continue;
                }
                let taken = self.take(id, &wanted, transaction)?;
                if taken.is_some() {
                    return Ok(taken);
                }
            }
            if is_all {
                break;
            }
        }
        Ok(None)
    }

    fn take(
        &mut self,
        id: TaskId,
        wanted: &Wanted,
        transaction: &mut Transaction,
    ) -> Result<Option<Taken>> {
        let Some(task) = self.task(&id.run, id.item) else { return Ok(None) };
        let step_type = task.step_type.as_deref().unwrap_or_default();
        let what = Builtin::read(step_type, &task.configuration);
        let lease_ms = match &what {
            Some(Ok(Builtin::Exec(exec))) => exec.timeout_ms + SLACK_MS,
            _ => SLACK_MS,
        };
        let (worker, wanted) = (MYSELF.to_owned(), wanted.clone());
        let ask = Ask { worker, roles: Default::default(), wanted, most: 1, lease_ms };
        let Some(task) = self.give(&id.run, id.item, &ask, transaction)? else { return Ok(None) };
        let revision = self.run(&id.run)?.birth.revision.clone();
        let token = task.token.clone().unwrap_or_default();
        self.leases.hold(&id.run, id.item, FOREVER_MS);
        let holding = Holding { task: id, token, worker: None };
        Ok(Some(Taken { task, holding, what, revision }))
    }

    /// Whether a task is still whose who has this.
    pub fn has(&self, holding: &Holding) -> bool {
        self.held(holding).is_ok()
    }

    /// Tells a process that counts on hearing of a task that it is being done. Says how soon it
    /// has to hear again.
    pub fn be_heard(
        &mut self,
        holding: &Holding,
        transaction: &mut Transaction,
    ) -> Result<Option<u64>> {
        let TaskId { run, item } = &holding.task;
        let it = self.run(run)?;
        let Some(row) = it.state.items.get(item) else { return Ok(None) };
        let step = it.state.step_of(&it.pinned.processes, row);
        let Some(silence_ms) = step.and_then(|it| it.heartbeat_ms) else { return Ok(None) };
        let heard_until = row.timers.iter().find(|it| it.1 == Timer::Silence).map(|it| it.0);
        let enough_ms = now_ms().saturating_add(silence_ms / 3 * 2).cast_signed();
        if heard_until.is_some_and(|it| it <= enough_ms) {
            self.happen(run, MYSELF, What::Heartbeat { item: *item }, transaction)?;
        }
        Ok(Some(silence_ms / 4))
    }

    /// Ends a task that the program took up.
    pub fn end_own(
        &mut self,
        holding: &Holding,
        end: End,
        transaction: &mut Transaction,
    ) -> Result<()> {
        match end {
            End::Complete { outcome, data } => self.complete(holding, outcome, data, transaction),
            End::Fail { problem, last } => self.fail(holding, problem, last, transaction),
            End::Release => self.release(holding, transaction),
        }
        .map(drop)
    }
}
