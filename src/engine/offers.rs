//! What can be done in a run, and how it stands.

use serde::Serialize;
use serde_json::Value;

use super::{
    decide::ROOT,
    definition::Data,
    net::{Processes, Step},
    or_join::Cache,
    state::{Id, Instance, Item, ItemStatus, State, Status},
    work::{Work, path},
};

/// Something that is offered, under way or waited for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Offer {
    pub item: Id,
    /// Such as `a`, `blk/p`, `deeper/a` or `m#2`.
    pub path: String,
    pub status: ItemStatus,
    /// Which time the step is gone through in a loop, and which attempt this is, from 1.
    pub round: u64,
    pub attempt: u64,
    pub overdue: bool,
    pub priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The next time at which something happens to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<Value>,
}

impl State {
    /// All that may be started, is done or is waited for, oldest first.
    pub fn offers(&self, processes: &Processes) -> Vec<Offer> {
        let mut cache = Cache::default();
        let work = Work::over(processes, self, &mut cache);
        self.items.iter().filter_map(|(id, item)| offer(&work, *id, item)).collect()
    }

    /// Whether an item is one of them.
    pub fn is_there(&self, processes: &Processes, id: Id, cache: &mut Cache) -> bool {
        let Some(item) = self.items.get(&id) else { return false };
        match item.status {
            ItemStatus::Offered => {
                let work = Work::over(processes, self, cache);
                let is_there = there(&work, item).is_some();
                work.spend();
                is_there
            }
            ItemStatus::Inside => false,
            _ => true,
        }
    }

    /// Where an item is, such as `blk/p`.
    pub fn path_of(&self, processes: &Processes, id: Id) -> Option<String> {
        let item = self.items.get(&id)?;
        let frame = self.frames.get(&item.frame)?;
        Some(path(&frame.path, &processes.step(frame.net, item.step).id, item))
    }

    /// How the run stands, also when it is under way.
    pub fn status(&self, processes: &Processes) -> Status {
        if self.head.status != Status::Running {
            return self.head.status;
        }
        if self.head.suspended {
            return Status::Suspended;
        }
        let mut cache = Cache::default();
        let work = Work::over(processes, self, &mut cache);
        let is_running = |item: &Item| match item.status {
            ItemStatus::Offered => work.may_start(item) == Ok(true),
            status => matches!(status, ItemStatus::Open | ItemStatus::Started),
        };
        if self.items.iter().any(|(_, item)| is_running(item)) {
            return Status::Running;
        }
        if work.can_move() { Status::Waiting } else { Status::Stuck }
    }

    /// When time moves the run next.
    pub fn due_ms(&self) -> Option<i64> {
        self.timers.iter().next().map(|it| it.0.0).filter(|_| !self.head.suspended)
    }

    /// The data of the run.
    pub fn data(&self) -> Data {
        self.data_of(ROOT)
    }

    /// The data that an item is about: that of its process.
    pub fn data_at(&self, item: &Item) -> Data {
        self.frames.get(&item.frame).map(|it| self.data_of(it.process)).unwrap_or_default()
    }

    /// The data of a process, by its frame.
    pub fn data_of(&self, process: Id) -> Data {
        self.entries_of(process).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The same without another one of it, each by its name.
    pub fn entries_of(&self, process: Id) -> impl Iterator<Item = (&String, &Value)> {
        let ours = self.data.range((process, String::new())..(process + 1, String::new()));
        ours.map(|((_, name), value)| (name, value))
    }

    /// The instance that an item is, or is inside of.
    pub fn instance_at<'s>(&'s self, mut item: &'s Item) -> Option<&'s Instance> {
        loop {
            if let Some(instance) = &item.instance {
                return Some(instance);
            }
            let frame = self.frames.get(&item.frame)?;
            if frame.process == item.frame {
                return None;
            }
            item = self.items.get(&frame.item?)?;
        }
    }

    /// The step of an item that somebody may claim, if nothing stands against it: one that is
    /// offered or open, and does not go on by itself.
    pub fn claimable<'p>(&self, processes: &'p Processes, item: &Item) -> Option<&'p Step> {
        let step = self.step_of(processes, item)?;
        let is_free =
            matches!(item.status, ItemStatus::Offered | ItemStatus::Open) && !self.head.suspended;
        (is_free && !is_by_itself(step, item)).then_some(step)
    }

    pub fn step_of<'p>(&self, processes: &'p Processes, item: &Item) -> Option<&'p Step> {
        Some(processes.step(self.frames.get(&item.frame)?.net, item.step))
    }
}

/// Blocks and the like are offered to nobody.
fn is_by_itself(step: &Step, item: &Item) -> bool {
    item.instance.is_none() && step.is_automatic() && item.status == ItemStatus::Offered
}

/// The step of an item that is there for somebody.
fn there<'w>(work: &Work<'w>, item: &Item) -> Option<&'w Step> {
    let is_there = match item.status {
        ItemStatus::Offered => work.may_start(item) == Ok(true),
        ItemStatus::Inside => false,
        _ => true,
    };
    work.step_of(item).filter(|it| is_there && !is_by_itself(it, item))
}

fn offer(work: &Work<'_>, id: Id, item: &Item) -> Option<Offer> {
    let step = there(work, item)?;
    let Meant { priority, queue, assignee, roles } = Meant::of(step, item);
    Some(Offer {
        item: id,
        path: work.path_of(item),
        status: item.status,
        round: item.round + 1,
        attempt: item.failures + 1,
        overdue: item.overdue,
        priority,
        step_type: step.step_type.clone(),
        queue: queue.map(str::to_owned),
        assignee: assignee.map(str::to_owned),
        roles: roles.to_vec(),
        due_ms: item.timers.iter().map(|it| it.0).min(),
        instance: item.instance.as_ref().map(|it| it.item.clone()),
    })
}

/// Who an item is meant for: others once it is overdue and the step says so.
pub struct Meant<'p> {
    pub priority: i32,
    pub queue: Option<&'p str>,
    pub assignee: Option<&'p str>,
    pub roles: &'p [String],
}

impl<'p> Meant<'p> {
    pub fn of(step: &'p Step, item: &Item) -> Meant<'p> {
        let escalation = step.escalation.as_ref().filter(|_| item.overdue);
        let roles = escalation.and_then(|it| it.roles.as_ref()).map(|it| it.as_slice());
        Meant {
            priority: escalation.and_then(|it| it.priority).unwrap_or(step.priority),
            queue: escalation.and_then(|it| it.queue.as_deref()).or(step.queue.as_deref()),
            assignee: escalation.and_then(|it| it.assignee.as_deref()).or(step.assignee.as_deref()),
            roles: roles.unwrap_or(&step.roles),
        }
    }
}
