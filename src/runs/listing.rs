//! Tasks, as those who do them need to know them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{keeper::Keeper, run::Run, tasks::QUEUE, work::TaskId};
use crate::{
    engine::{definition::Data, offers::Meant, or_join::Cache, state::Id},
    git::RunId,
};

/// A task, as whoever does it needs to know it.
#[derive(Debug, Serialize)]
pub struct Task {
    pub task: String,
    /// What shows that whoever has it was given the task: the commit that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    pub run: String,
    /// Such as `review` or `order/pay#2`.
    pub step: String,
    pub process: String,
    pub version: Option<String>,
    #[serde(rename = "type")]
    pub step_type: Option<String>,
    pub queue: String,
    pub priority: i32,
    pub assignee: Option<String>,
    pub roles: Vec<String>,
    /// Which attempt this is, from 1, and which time a loop goes round.
    pub attempt: u64,
    pub round: u64,
    pub title: Option<String>,
    pub description: Option<String>,
    pub configuration: Data,
    pub data: Data,
    /// Of many instances of a step: which one, from 0, and what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
    /// Who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// The next time at which something happens to it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<i64>,
    pub overdue: bool,
}

impl Keeper {
    /// A task, whoever has it.
    pub fn task(&self, run: &RunId, item: Id) -> Option<Task> {
        let it = self.open.get(run)?;
        let row = it.state.items.get(&item)?;
        let processes = &it.pinned.processes;
        let step = it.state.step_of(processes, row)?;
        let meant = Meant::of(step, row);
        let claim = it.claims.get(&item);
        let instance = it.state.instance_at(row);
        Some(Task {
            task: format!("{run}/{item}"),
            token: claim.map(|it| it.token.to_string()),
            run: run.to_string(),
            step: it.state.path_of(processes, item)?,
            process: it.birth.process.clone(),
            version: it.birth.version.clone(),
            step_type: step.step_type.clone(),
            queue: meant.queue.unwrap_or(QUEUE).to_owned(),
            priority: meant.priority,
            assignee: meant.assignee.map(str::to_owned),
            roles: meant.roles.to_vec(),
            attempt: row.failures + 1,
            round: row.round + 1,
            title: step.title.clone(),
            description: step.description.clone(),
            configuration: step.configuration.clone(),
            data: it.state.data_at(row),
            index: instance.map(|it| it.index),
            item: instance.map(|it| it.item.clone()),
            worker: claim.map(|it| it.worker.clone()),
            lease_ms: None,
            due_ms: row.timers.iter().map(|it| it.0).min(),
            overdue: row.overdue,
        })
    }

    /// The tasks of open runs that somebody could claim or has claimed, in the order of runs.
    pub fn list_tasks(&self, query: &TaskQuery) -> TaskPage {
        let mut runs: Vec<(&RunId, &Run)> = self.open.iter().collect();
        runs.sort_unstable_by_key(|it| it.0);
        let mut tasks = Vec::new();
        let mut cache = Cache::default();
        for (run, it) in
            runs.into_iter().filter(|it| query.run.as_ref().is_none_or(|run| run == it.0))
        {
            for (item, row) in it.state.items.iter() {
                let is_after = |after: &TaskId| (&after.run, after.item) < (run, *item);
                let is_claimed = it.claims.contains_key(item);
                let is_free = it.state.claimable(&it.pinned.processes, row).is_some()
                    && it.state.is_there(&it.pinned.processes, *item, &mut cache);
                if !query.after.as_ref().is_none_or(is_after) || !(is_claimed || is_free) {
                    continue;
                }
                let Some(task) = self.task(run, *item) else { continue };
                if query.has(&task) {
                    if query.limit <= tasks.len() {
                        let next = tasks.last().map(|it: &Task| it.task.clone());
                        return TaskPage { tasks, next };
                    }
                    tasks.push(Task { token: None, ..task });
                }
            }
        }
        TaskPage { tasks, next: None }
    }
}

/// Which tasks are asked for.
pub struct TaskQuery {
    pub run: Option<RunId>,
    pub queue: Option<String>,
    pub types: Option<BTreeSet<String>>,
    pub worker: Option<String>,
    pub limit: usize,
    pub after: Option<TaskId>,
}

impl TaskQuery {
    fn has(&self, task: &Task) -> bool {
        let step_type = task.step_type.as_deref().unwrap_or_default();
        self.queue.as_ref().is_none_or(|it| *it == task.queue)
            && self.types.as_ref().is_none_or(|it| it.contains(step_type))
            && self.worker.as_ref().is_none_or(|it| task.worker.as_ref() == Some(it))
    }
}

#[derive(Debug, Serialize)]
pub struct TaskPage {
    tasks: Vec<Task>,
    next: Option<String>,
}
