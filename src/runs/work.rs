//! What workers do: they claim tasks, and complete, fail, keep or release what they claimed.

use std::{
    collections::{BTreeSet, HashSet},
    hash::{BuildHasher, RandomState},
};

use super::{
    giver::Given,
    keeper::{Deed, Keeper},
    lease::Lease,
    listing::Task,
    own,
    policy::{Act, Action},
    run::Run,
    tasks::Wanted,
};
use crate::{
    engine::{
        definition::Data,
        event::What,
        offers::Meant,
        or_join::Cache,
        state::{Id, ItemStatus, Problem},
    },
    error::{Code, Error, Result},
    git::{RunId, Transaction},
};

/// So many tasks of one run are tried that cannot be started now, before others are looked at.
const TRIED_MAX: usize = 100;
/// So many are looked at in one request.
const LOOKED_MAX: usize = 10_000;
const LOOKED_MIN: usize = 8;

/// The rule of tasks that are somebody else's.
const MEANT_FOR: &str = "assignee and roles";

/// A task: an item of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId {
    pub run: RunId,
    pub item: Id,
}

impl TaskId {
    /// By the argument of this name.
    pub fn new(text: &str, field: &'static str) -> Result<TaskId> {
        let parts = text.rsplit_once('/');
        let parts = parts.and_then(|(run, item)| {
            let number: Id = item.parse().ok().filter(|it: &Id| it.to_string() == item)?;
            Some(TaskId { run: RunId::new(run).ok()?, item: number })
        });
        let bad = || Error::bad_request(format!("`{field}` is no task: they are `<run>/<number>`"));
        parts.ok_or_else(|| bad().with("field", field))
    }
}

/// Who wants to do something.
pub struct Ask {
    pub worker: String,
    pub roles: BTreeSet<String>,
    pub wanted: Wanted,
    /// How many at most.
    pub most: usize,
    pub lease_ms: u64,
}

/// A task that somebody has claimed, by the token that the claim was answered with.
#[derive(Debug, Clone)]
pub struct Holding {
    pub task: TaskId,
    pub token: String,
    pub worker: Option<String>,
}

impl Keeper {
    /// Gives somebody what there is to do.
    pub fn claim(&mut self, ask: &Ask, transaction: &mut Transaction) -> Result<Vec<Task>> {
        self.policy.standing.rules()?;
        let (mut tasks, mut tried) = (Vec::new(), HashSet::new());
        let mut look = ask.most + LOOKED_MIN;
        loop {
            let found = self.tasks.of(&ask.wanted, TRIED_MAX, look);
            let is_all = found.len() < look || LOOKED_MAX <= look;
            for (run, item) in found {
                if ask.most <= tasks.len() {
                    return Ok(tasks);
                }
                if tried.insert((run.clone(), item)) {
                    tasks.extend(self.give(&run, item, ask, transaction)?);
                }
            }
            if is_all {
                return Ok(tasks);
            }
            look *= 8;
        }
    }

    /// The same for somebody who does not wait: what was not read yet is, until there is something.
    pub fn claim_now(&mut self, ask: &Ask, transaction: &mut Transaction) -> Result<Vec<Task>> {
        loop {
            let tasks = self.claim(ask, transaction)?;
            if !tasks.is_empty() || !self.read_more(transaction)? {
                return Ok(tasks);
            }
        }
    }

    /// Gives somebody the task that is asked for, or says why not.
    pub fn claim_one(
        &mut self,
        task: &TaskId,
        ask: &Ask,
        reason: Option<&str>,
        transaction: &mut Transaction,
    ) -> Result<Option<Task>> {
        let TaskId { run, item } = task;
        self.policy.standing.rules()?;
        let it = self.run(run)?;
        let row = it.state.items.get(item);
        if let Some(claim) = it.claims.get(item).filter(|_| self.is_held(run, *item)) {
            let message = format!("the task {run}/{item} is held by `{}`", claim.worker);
            return Err(Error::conflict(message).with("actual", claim.worker.as_str()));
        }
        if row.is_some() && !self.is_meant_for(run, *item, ask) {
            let message = format!("the task {run}/{item} is not for `{}`", ask.worker);
            let act = Act::of(Action::Claim, &ask.worker).on(run).at(*item);
            return Err(self.refuse(&act, MEANT_FOR, message));
        }
        if !self.tasks.has(run, *item) {
            let message = format!("the task {run}/{item} cannot be claimed");
            let status = row.map_or("gone".to_owned(), |it| format!("{:?}", it.status));
            return Err(Error::conflict(message).with("actual", status.to_lowercase()));
        }
        let claim = Act::of(Action::Claim, &ask.worker).with_roles(&ask.roles);
        self.expect_allowed(claim.on(run).at(*item).because(reason))?;
        self.take_up(run, *item, ask, transaction)?;
        Ok(self.given(run, *item, ask))
    }

    /// A task, if it can be given to who asks.
    pub(super) fn give(
        &mut self,
        run: &RunId,
        item: Id,
        ask: &Ask,
        transaction: &mut Transaction,
    ) -> Result<Option<Task>> {
        if !self.is_meant_for(run, item, ask)
            || self.is_held(run, item)
            || !self.may_take(run, item, ask)
        {
            return Ok(None);
        }
        self.tasks.took_turn(run, item);
        match self.take_up(run, item, ask, transaction) {
            Ok(()) => (),
            // Something else stands against it, and may not in a moment.
            Err(error) if matches!(error.code, Code::Conflict | Code::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(self.given(run, item, ask))
    }

    /// Whether policies let somebody claim a task. What the program does by itself they have other
    /// lists for; but where nobody knows what they say, it waits as well.
    fn may_take(&self, run: &RunId, item: Id, ask: &Ask) -> bool {
        match ask.wanted.queue == own::LANE {
            true => self.policy.standing.rules().is_ok(),
            false => self.may_claim(run, item, ask),
        }
    }

    /// What was just taken up, unless there was nothing to do: its loop may have had no round, or
    /// what it is about may be no input of the step.
    fn given(&mut self, run: &RunId, item: Id, ask: &Ask) -> Option<Task> {
        self.open.get(run)?.claims.get(&item)?;
        let lease = self.leases.hold(run, item, ask.lease_ms);
        Some(Task { lease_ms: Some(lease.lease_ms), ..self.task(run, item)? })
    }

    /// Whether there is anything that somebody could be given.
    pub fn has_any(&self, ask: &Ask) -> bool {
        // Whoever asks is told why there is nothing, without waiting for it.
        if self.policy.standing.rules().is_err() {
            return true;
        }
        let tasks = self.tasks.of(&ask.wanted, TRIED_MAX, LOOKED_MAX);
        let mut cache = Cache::default();
        tasks.into_iter().any(|(run, item)| {
            let is_there = |it: &Run| it.state.is_there(&it.pinned.processes, item, &mut cache);
            self.is_meant_for(&run, item, ask)
                && !self.is_held(&run, item)
                && self.may_take(&run, item, ask)
                && self.run(&run).is_ok_and(is_there)
        })
    }

    /// Whether a step is meant for who asks.
    fn is_meant_for(&self, run: &RunId, item: Id, ask: &Ask) -> bool {
        let Ok(it) = self.run(run) else { return false };
        let Some(row) = it.state.items.get(&item) else { return false };
        let Some(step) = it.state.step_of(&it.pinned.processes, row) else { return false };
        let is_own = self.tasks.is_own(run, step.step_type.as_deref().unwrap_or_default());
        if is_own || ask.wanted.queue == own::LANE {
            return is_own && ask.wanted.queue == own::LANE;
        }
        let meant = Meant::of(step, row);
        meant.assignee.is_none_or(|it| it == ask.worker)
            && (meant.roles.is_empty() || self.has_role(ask, meant.roles))
    }

    fn take_up(
        &mut self,
        run: &RunId,
        item: Id,
        ask: &Ask,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let worker = &ask.worker;
        let it = self.run(run)?;
        let status = it.state.items.get(&item).map(|it| it.status);
        if status == Some(ItemStatus::Started) {
            // Nobody gets it now: whoever had it may still end it.
            if it.state.head.suspended {
                return Err(Error::conflict("the run is suspended"));
            }
            // Whoever had it has no lease any more.
            self.happen(run, worker, What::Release { item }, transaction)?;
        }
        let given = Some(Given::now(ask.lease_ms));
        let deed = Deed { given, ..Deed::of(worker, What::Start { item }) };
        self.happen_by(run, deed, transaction).map(drop)
    }

    /// Whether somebody has a lease of it, here or of another daemon.
    pub(super) fn is_held(&self, run: &RunId, item: Id) -> bool {
        let elsewhere = || {
            let claim = self.open.get(run)?.claims.get(&item)?;
            Some(claim.given.as_ref()?.is_kept(claim.at_ms))
        };
        self.leases.get(run, item).is_some() || elsewhere() == Some(true)
    }

    /// Fails unless the task is held by who says so.
    pub(super) fn held(&self, holding: &Holding) -> Result<()> {
        let Holding { task: TaskId { run, item }, token, worker } = holding;
        let over = |why: &str| {
            let message = format!("the task {run}/{item} {why}");
            Err(Error::conflict(message).with("expected", token.as_str()))
        };
        let it = self.run(run)?;
        match it.claims.get(item) {
            None => over(
                "is not held: it is done, was withdrawn, or was offered again when its lease ended",
            )
            .map_err(|it| it.with("actual", "not held")),
            Some(claim) if claim.token.to_string() != *token => {
                over("is held with another token").map_err(|it| it.with("actual", "another token"))
            }
            Some(claim) if worker.as_ref().is_some_and(|it| *it != claim.worker) => {
                let message = format!("the task {run}/{item} is held by `{}`", claim.worker);
                Err(Error::conflict(message)
                    .with("expected", worker.as_deref().unwrap_or_default())
                    .with("actual", claim.worker.as_str()))
            }
            Some(_) => Ok(()),
        }
    }

    /// Fails unless the policies let whoever holds a task end it like this.
    pub fn expect_may_end(
        &mut self,
        action: Action,
        holding: &Holding,
        reason: Option<&str>,
    ) -> Result<()> {
        self.held(holding)?;
        let TaskId { run, item } = &holding.task;
        let worker = self.run(run)?.claims.get(item).map(|it| it.worker.clone());
        let worker = worker.unwrap_or_default();
        self.expect_allowed(Act::of(action, &worker).on(run).at(*item).because(reason))
    }

    /// Ends a task; gives the commit that says so.
    pub fn complete(
        &mut self,
        holding: &Holding,
        outcome: Option<String>,
        data: Data,
        transaction: &mut Transaction,
    ) -> Result<String> {
        let item = holding.task.item;
        self.end(holding, What::Complete { item, outcome, data }, transaction)
    }

    pub fn fail(
        &mut self,
        holding: &Holding,
        problem: Problem,
        last: bool,
        transaction: &mut Transaction,
    ) -> Result<String> {
        // Which of those who failed together comes back when is left to chance.
        let chance = RandomState::new().hash_one(0) as u32;
        let item = holding.task.item;
        self.end(holding, What::Fail { item, problem, chance, last }, transaction)
    }

    pub fn release(&mut self, holding: &Holding, transaction: &mut Transaction) -> Result<String> {
        self.end(holding, What::Release { item: holding.task.item }, transaction)
    }

    fn end(
        &mut self,
        holding: &Holding,
        what: What,
        transaction: &mut Transaction,
    ) -> Result<String> {
        self.held(holding)?;
        let run = &holding.task.run;
        let worker = self.run(run)?.claims.get(&holding.task.item).map(|it| it.worker.clone());
        let happened = self.happen(run, &worker.unwrap_or_default(), what, transaction)?;
        let commit = happened.commit.ok_or_else(|| Error::internal("nothing came of a task"))?;
        Ok(commit.to_string())
    }

    /// Whoever holds a task is still at it.
    pub fn heartbeat(
        &mut self,
        holding: &Holding,
        lease_ms: Option<u64>,
        transaction: &mut Transaction,
    ) -> Result<Lease> {
        self.held(holding)?;
        let TaskId { run, item } = &holding.task;
        let it = self.run(run)?;
        let worker = it.claims.get(item).map(|it| it.worker.clone()).unwrap_or_default();
        let row = it.state.items.get(item);
        let step = row.and_then(|row| it.state.step_of(&it.pinned.processes, row));
        // A process that counts on hearing of it hears; others have leases for that.
        if step.is_some_and(|it| it.heartbeat_ms.is_some()) {
            self.happen(run, &worker, What::Heartbeat { item: *item }, transaction)?;
        }
        // What was held when this process did not live yet is held again.
        self.tasks.remove(run, *item);
        let before = self.leases.get(run, *item).map(|it| it.lease_ms);
        let lease_ms = lease_ms.or(before).unwrap_or(LEASE_MS);
        Ok(self.leases.hold(run, *item, lease_ms))
    }
}

/// How long a task is somebody's who does not say.
pub const LEASE_MS: u64 = 60_000;
