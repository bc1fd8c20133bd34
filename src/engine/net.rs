//! A definition as the engine plays it: steps by number, the places between them, and what joins
//! ask of the whole.
//!
//! A place is an arc between two steps. A step that each thread starts has one place for all of
//! its arcs; `race` makes one place that all of its targets share; every other join has a place for
//! each arc, and one more where its threads wait once they are one.

mod arcs;
mod compile;
mod graph;
mod names;
mod step;
pub mod versions;

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;

use super::{
    definition::{
        around::{Escalation, RetryRule},
        flow::{End, Rest, Split},
        work::EachWord,
    },
    expression::Program,
    schema::Schema,
};

pub use self::{
    arcs::COLLECTING_MAX,
    compile::{SCHEMA_VALUES_LEAST, SCHEMAS_MAX, STEP_WAYS_MAX, WAYS_MAX, has_many_ways, ways},
    graph::Reach,
};

/// More threads than these in one place are only many to whoever asks what can still come.
pub const WEIGHT_MAX: u32 = 1000;

/// Number of a step in its net, of a place in its net, of a net.
pub type StepNo = u32;
pub type PlaceNo = u32;
pub type NetNo = u32;

/// What outcomes the engine itself gives; a transition has to name them to be taken.
pub const RESERVED: [&str; 3] = ["failed", "timeout", "cancelled"];

/// One or several processes, compiled.
#[derive(Debug)]
pub struct Processes {
    pub nets: Vec<Net>,
    pub main: NetNo,
}

/// The steps of a process or of a block.
#[derive(Debug)]
pub struct Net {
    /// Of a block: where it stands.
    pub parent: Option<(NetNo, StepNo)>,
    /// Which of the definitions it is from.
    pub definition: usize,
    pub process_name: String,
    /// Of a process: what it starts with.
    pub data: super::definition::Data,
    /// Of a process: what it takes, and what it comes to.
    pub input: Option<Schema>,
    pub output: Option<Schema>,
    pub steps: Vec<Step>,
    pub by_name: BTreeMap<String, StepNo>,
    pub places: Vec<Place>,
    pub initial: StepNo,
    pub reach: Reach,
    /// The largest number of threads on an arc or asked of one.
    pub weight_max: u32,
    /// Those that are neither started by each thread nor lazily.
    pub joins: Vec<StepNo>,
    /// Those that take threads of a race together with others.
    pub lazy: Vec<StepNo>,
}

#[derive(Debug)]
pub struct Place {
    pub from: Option<StepNo>,
    pub targets: Vec<StepNo>,
    pub kind: PlaceKind,
    /// The joins, by `from`, that a token here can still come to.
    pub leads_to: Vec<StepNo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// Before a join.
    Arc,
    /// Whoever is here may start.
    Ready,
    /// Shared by several steps.
    Race,
}

#[derive(Debug)]
pub struct Step {
    pub id: String,
    pub step_type: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    /// For whoever does it.
    pub configuration: super::definition::Data,
    pub body: Body,
    pub join: Join,
    /// The places before the join, in the order of definition.
    pub inputs: Vec<PlaceNo>,
    pub ready: PlaceNo,
    /// Race places that it takes from.
    pub races: Vec<PlaceNo>,
    pub split: Split,
    pub arcs: Vec<Arc>,
    /// The joins that collect what this splits.
    pub hands_out: Vec<StepNo>,
    pub cancel: Vec<Cancelled>,
    pub end: Option<End>,
    pub final_status: Option<String>,
    pub milestone: Option<String>,
    pub each: Option<Each>,
    pub awaits: Option<Awaited>,
    pub emit: Vec<Emitted>,
    pub only_while: Option<Condition>,
    pub mutex: Vec<String>,
    pub repeat: Option<Repeat>,
    pub timeout_ms: Option<u64>,
    pub deadline_ms: Option<u64>,
    pub escalation: Option<Escalation>,
    pub escalation_emit: Vec<Emitted>,
    pub retry: Vec<RetryRule>,
    pub heartbeat_ms: Option<u64>,
    pub input: Option<Schema>,
    pub output: Option<Schema>,
    pub priority: i32,
    pub queue: Option<String>,
    pub assignee: Option<String>,
    pub roles: Vec<String>,
}

#[derive(Debug)]
pub enum Body {
    /// Somebody does it.
    Work,
    /// It starts and completes by itself.
    Route,
    Block(NetNo),
    Call {
        net: NetNo,
        with: Vec<(String, Given)>,
        returns: Vec<(String, Given)>,
    },
}

/// A value of a definition: an expression, or what stands there.
#[derive(Debug)]
pub enum Given {
    Expression(Condition),
    Value(Value),
}

/// An expression and the steps that it counts.
#[derive(Debug)]
pub struct Condition {
    pub program: Program,
    /// For each count: how many blocks up, and the step there.
    pub steps: Vec<(u32, StepNo)>,
}

#[derive(Debug)]
pub enum Join {
    /// Each thread starts it.
    One,
    /// So many threads of one branch.
    Threads(u32),
    /// So many of every branch.
    All(u32),
    Any,
    /// Of so many branches, so many threads each.
    Count {
        n: Number,
        tokens: u32,
    },
    /// What a split handed out tickets for.
    From {
        n: Option<Number>,
        rest: Rest,
    },
}

#[derive(Debug)]
pub enum Number {
    Count(u64),
    Expression(Condition),
}

#[derive(Debug)]
pub struct Arc {
    pub on: Option<String>,
    pub when: Option<Condition>,
    pub otherwise: bool,
    /// Nothing: the thread ends.
    pub target: Option<(StepNo, PlaceNo)>,
    pub tokens: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    Everything,
    /// From so many blocks up, the step of a block of a block …, each by its number there.
    Step {
        up: u32,
        path: Vec<StepNo>,
    },
}

#[derive(Debug)]
pub struct Each {
    pub count: Instances,
    pub join: EachJoin,
    pub rest: Rest,
    pub add: Option<String>,
    pub finish: Option<String>,
    pub collect: Option<(String, Option<Condition>)>,
}

#[derive(Debug)]
pub enum Instances {
    Count(Number),
    Items(Condition),
}

#[derive(Debug)]
pub enum EachJoin {
    Word(EachWord),
    Count(u64),
    Condition(Condition),
}

#[derive(Debug)]
pub struct Awaited {
    pub event: Option<String>,
    /// How old an event may be that came before the step waited; nothing: there is none.
    pub keep_ms: Option<u64>,
    pub key: Option<Condition>,
    pub after_ms: Option<u64>,
}

#[derive(Debug)]
pub struct Emitted {
    pub event: String,
    pub key: Option<Condition>,
    pub data: Vec<(String, Given)>,
}

#[derive(Debug)]
pub enum Repeat {
    While(Condition),
    Until(Condition),
}

/// What is wrong with a definition, and where: `steps[3].transitions[0].when`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Which of the definitions.
    #[serde(skip)]
    pub definition: usize,
    pub process_name: String,
    pub path: String,
    pub message: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.process_name, self.path, self.message)
    }
}

impl Processes {
    pub fn net(&self, net: NetNo) -> &Net {
        &self.nets[net as usize]
    }

    pub fn step(&self, net: NetNo, step: StepNo) -> &Step {
        &self.nets[net as usize].steps[step as usize]
    }

    /// How long events of this name are of use to some step; nothing: nobody keeps them.
    pub fn keep_ms(&self, event: &str) -> Option<u64> {
        let awaited = self.nets.iter().flat_map(|it| &it.steps).filter_map(|it| it.awaits.as_ref());
        awaited.filter(|it| it.event.as_deref() == Some(event)).filter_map(|it| it.keep_ms).max()
    }
}

impl Net {
    pub fn step(&self, step: StepNo) -> &Step {
        &self.steps[step as usize]
    }

    pub fn place(&self, place: PlaceNo) -> &Place {
        &self.places[place as usize]
    }
}

impl Step {
    /// Whether nobody has to claim it.
    pub fn is_automatic(&self) -> bool {
        self.each.is_some() || !matches!(self.body, Body::Work)
    }

    /// Whether its threads are taken out of race places together with others.
    pub fn is_lazy(&self) -> bool {
        !self.races.is_empty() && matches!(self.join, Join::All(_))
    }

    /// Whether some transition takes this outcome; without transitions, any that is not reserved.
    pub fn names(&self, outcome: &str) -> bool {
        let is_reserved = RESERVED.contains(&outcome);
        match self.arcs.is_empty() {
            true => !is_reserved,
            false => self.arcs.iter().any(|it| it.takes(outcome)),
        }
    }
}

impl Arc {
    pub fn takes(&self, outcome: &str) -> bool {
        match &self.on {
            Some(on) => on == outcome,
            None => !RESERVED.contains(&outcome),
        }
    }
}
