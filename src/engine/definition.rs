//! What a process definition can say: the very types it is read into and its schema is made from.
//!
//! A key that is not here is an error. What is only said briefly (`next`, `await: event`) stays as
//! it was written; [`super::net`] gives it its meaning.

pub mod around;
pub mod flow;
pub mod form;
pub mod test;
pub mod trigger;
pub mod work;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::{
    around::{Deadline, Duration, Retry},
    flow::{Cancel, End, Join, Names, Split, Transition},
    test::Test,
    trigger::Trigger,
    work::{Await, Call, Collect, Each, Emit, Expression, Repeat, Values},
};

/// A JSON object.
pub type Data = serde_json::Map<String, Value>;

/// So deep data is nested at most, so that what it becomes a part of can be read again.
pub const DEPTH_MAX: usize = 48;

/// Whether values are nested deeper than data may be.
pub fn are_too_deep<'v>(values: impl Iterator<Item = &'v Value>) -> bool {
    // No recursion: this is about what is too deep for it.
    let mut open: Vec<(&Value, usize)> = values.map(|it| (it, 2)).collect();
    while let Some((value, depth)) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().map(|it| (it, depth + 1))),
            Value::Object(members) => open.extend(members.values().map(|it| (it, depth + 1))),
            _ => continue,
        }
        if DEPTH_MAX < depth {
            return true;
        }
    }
    false
}

/// One process: its steps and what surrounds them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The version of this language; 1 if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1))]
    pub schema: Option<u32>,
    pub process_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where a run begins; without it, at the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_step: Option<String>,
    /// What a run starts with; its input is laid over it.
    #[serde(default, skip_serializing_if = "Data::is_empty")]
    pub data: Data,
    /// A JSON Schema of what a run is started with, before it is laid over `data`: with anything
    /// else it does not begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// A JSON Schema of the data at the end: a run that comes to anything else has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    pub steps: Vec<Step>,
    /// What starts a run by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tests: BTreeMap<String, Test>,
}

/// A node of the process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub step_id: String,
    /// Who does it: a type the program knows (`route`, `timer`, `final_commit` …), or any worker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For whoever does the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Data>,

    /// When arriving threads start the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// Which transitions are taken at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transitions: Option<Vec<Transition>>,
    /// Short for transitions without conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Names>,
    /// What is withdrawn when the step completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    /// Ends the process or block that the step is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Of a `final_commit`: what the run is called when it ended here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_status: Option<String>,

    /// What the run has reached when the step completes: a tag of this name says where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,

    /// Many instances of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// Where the results of instances are put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect: Option<Collect>,
    /// An event or a time completes the step; nobody claims it.
    #[serde(default, rename = "await", skip_serializing_if = "Option::is_none")]
    pub awaits: Option<Await>,
    /// Events sent when the step completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<Emit>,
    /// The step may start only while this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_while: Option<Expression>,
    /// Locks of the process, held from the step's start to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutex: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,

    /// The step is a block of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    /// Where the block begins; without it, at its first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_step: Option<String>,
    /// The step is a run of another process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// What the called process is started with: text is an expression, all else stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Values>,
    /// What is taken over from the called process, as expressions over its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Values>,

    /// How long the step may take before it ends with the outcome `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long a worker may be silent; then the attempt fails with an error of type `heartbeat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// When the step should be done; it goes on, and somebody hears of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Names>,
    /// A JSON Schema of the data of the process when the step starts: with anything else it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// A JSON Schema of what a completion brings, unless it is a failure: anything else is refused,
    /// and of an event or a called process it is a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}
