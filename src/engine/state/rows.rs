//! What the rows of a state say.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Id;
use crate::engine::net::{NetNo, StepNo};

/// What there is once in a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub status: Status,
    /// The next number that is free.
    pub next: Id,
    /// The time of the last event.
    pub now_ms: i64,
    /// The last event from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Id>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// What a `final_commit` said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_status: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    New,
    /// Something is offered or done.
    Running,
    /// Only an event or a time can move it.
    Waiting,
    /// Threads are left, and nothing can move them.
    Stuck,
    /// Nothing is started until it is resumed.
    Suspended,
    Done,
    Failed,
    Cancelled,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Running => "running",
            Status::Waiting => "waiting",
            Status::Stuck => "stuck",
            Status::Suspended => "suspended",
            Status::Done => "done",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
}

/// A process or block that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub net: NetNo,
    /// The item that it is the inside of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Id>,
    /// The frame around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    /// The frame that has its data and locks.
    pub process: Id,
    /// How many blocks and calls it is in.
    pub depth: u32,
    /// Such as `deeper/blk`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// A thread that rests in a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The firing that made it.
    pub by: Id,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<Id>,
}

/// A step that is offered, waited for or done. There are many: what few have is beside them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub frame: Id,
    pub step: StepNo,
    pub status: ItemStatus,
    /// What it takes when it starts: place and token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<(u32, Id)>,
    /// The firing that made it what it is.
    pub by: Id,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<Id>,
    /// Which time a loop goes round, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u64,
    /// Attempts that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<Group>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Box<Instance>>,
    /// Its inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Id>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<(i64, Timer)>,
    /// Events that it waits for, each with a key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<(String, String)>,
    /// Its deadline has passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Box<Problem>>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// A thread is there: whoever starts it takes that.
    Offered,
    /// It has begun, and waits for somebody who does it.
    Open,
    Started,
    /// Tried again at a time.
    Backoff,
    /// For an event or a time.
    Awaiting,
    /// Its inside goes on.
    Inside,
}

/// What happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// What was waited for is there.
    After,
    Retry,
    Deadline,
    Timeout,
    /// A worker was silent for too long.
    Silence,
}

/// The instances of an item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub created: u64,
    pub completed: u64,
    pub active: u64,
    /// The thread has gone on.
    pub went_on: bool,
}

/// One of many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub of: Id,
    pub index: u64,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub item: Value,
}

/// An event that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    pub by: Id,
    /// When it came.
    pub at_ms: i64,
    pub key: String,
    pub data: serde_json::Map<String, Value>,
}

/// A join after it fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The firing that a late thread is absorbed into.
    pub by: Id,
    /// The places whose thread has come.
    pub arrived: Vec<u32>,
}

/// What a split handed out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub frame: Id,
    /// The join that collects it.
    pub join: StepNo,
    /// The firing of that join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Id>,
}

impl Mail {
    /// Whether it is still of use to who keeps events so long.
    pub fn is_fresh(&self, now_ms: i64, keep_ms: u64) -> bool {
        keep_ms == u64::MAX || now_ms.abs_diff(self.at_ms) < keep_ms
    }
}
