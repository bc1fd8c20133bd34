//! What can happen to a run, and what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    definition::{DEPTH_MAX, Data, are_too_deep},
    state::{Id, Problem, Rows},
};

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub at_ms: i64,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The run begins; the data lies over that of the definition.
    Begin {
        data: Data,
    },
    /// Somebody starts what is offered.
    Start {
        item: Id,
    },
    /// What was started is done.
    Complete {
        item: Id,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<String>,
        #[serde(default)]
        data: Data,
    },
    /// What was started failed; `chance` spreads the next attempts, of which there are none where
    /// whoever did it knows that it was the last.
    Fail {
        item: Id,
        problem: Problem,
        #[serde(default)]
        chance: u32,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        last: bool,
    },
    /// Whoever started it is still there.
    Heartbeat {
        item: Id,
    },
    /// What was started is offered again.
    Release {
        item: Id,
    },
    /// Something happened outside.
    Signal {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Value>,
        #[serde(default)]
        data: Data,
    },
    /// Time has passed.
    Tick,
    /// The whole run is withdrawn.
    Cancel,
    /// Nothing more is started, and no time counts, until it is resumed.
    Suspend,
    Resume,
    /// The run goes on from where it was with the commit of this number; what came after that has
    /// no effect on it.
    Retry {
        seq: u64,
    },
    /// The run begins as another one was with the commit of this number.
    Fork {
        run: String,
        seq: u64,
    },
    /// The run goes on by another definition, in which some steps have other names.
    Migrate {
        digest: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        #[serde(default, skip_serializing_if = "Names::is_empty")]
        steps: Names,
    },
}

/// New names of steps by their old ones.
pub type Names = std::collections::BTreeMap<String, String>;

/// The outcome of a step of which nothing else was said.
pub const OK: &str = "ok";

/// What an event changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// What happened in the net, in its order.
    pub firings: Vec<Firing>,
    /// Calls that began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    pub rows: Rows,
}

/// A process is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Where: such as `blk/p`.
    pub path: String,
    pub item: Id,
    pub process: String,
}

/// One thing that happened: it becomes a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    pub id: Id,
    pub kind: Kind,
    /// Such as `blk/p` or `m#2`; empty for the run itself.
    pub path: String,
    /// The firings that made what this one took.
    pub parents: Vec<Id>,
    /// How many threads it made.
    pub made: u64,
    /// Which transitions of its step it took, from 0: `transitions`, then `next`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub took: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What it laid over the data.
    #[serde(default, skip_serializing_if = "Data::is_empty")]
    pub data: Data,
    /// What went wrong on the way, or could not be told: whoever reads the commit wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Problem>,
    /// What the run has reached with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Begin,
    Start,
    Complete,
    /// Another attempt, another round, a deadline: the step is where it was.
    Again,
    Join,
    Absorb,
    Cancel,
    Signal,
    /// A process or block ended.
    End,
    Suspend,
    Resume,
    /// The run goes on from an earlier commit, in itself or as another one.
    Retry,
    Fork,
    /// By another definition.
    Migrate,
}

/// What happened, in words.
impl fmt::Display for Firing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the run" } else { &*self.path };
        let outcome = self.outcome.as_deref().unwrap_or_default();
        match self.kind {
            Kind::Begin => write!(f, "the run begins"),
            Kind::Start => write!(f, "{path} starts"),
            Kind::Complete => write!(f, "{path} is {outcome}"),
            Kind::Again => write!(f, "{path} again"),
            Kind::Join if !outcome.is_empty() => write!(f, "{path} is {outcome}"),
            Kind::Join => write!(f, "{path} joins {}", self.parents.len()),
            Kind::Absorb => write!(f, "{path} absorbs"),
            Kind::Cancel => write!(f, "{path} cancels"),
            Kind::Signal => write!(f, "{outcome} comes"),
            Kind::End => write!(f, "{path} ends"),
            Kind::Suspend => write!(f, "{path} is suspended"),
            Kind::Resume => write!(f, "{path} is resumed"),
            Kind::Retry => write!(f, "{path} is tried again"),
            Kind::Fork => write!(f, "{path} forks"),
            Kind::Migrate => write!(f, "{path} migrates"),
        }
    }
}

/// Why an event was refused; the state is what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub why: Why,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nothing like that is under way.
    NotFound,
    /// It is not in the state for that.
    Conflict,
    /// The outcome or the data is not what the definition has.
    Invalid,
    /// More than a run may have.
    TooLarge,
}

impl What {
    /// Fails where what it brings is more than data may be. What was kept before is not asked.
    pub fn expect_fit(&self) -> Result<(), Refused> {
        let (data, key) = match self {
            What::Begin { data } | What::Complete { data, .. } => (data, None),
            What::Signal { data, key, .. } => (data, key.as_ref()),
            _ => return Ok(()),
        };
        match are_too_deep(data.values().chain(key)) {
            true => Err(Refused::too_large(format!("data is nested at most {DEPTH_MAX} deep"))),
            false => Ok(()),
        }
    }
}

impl Refused {
    pub fn new(why: Why, message: impl Into<String>) -> Refused {
        Refused { why, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Refused {
        Refused::new(Why::Invalid, message)
    }

    pub fn conflict(message: impl Into<String>) -> Refused {
        Refused::new(Why::Conflict, message)
    }

    pub fn too_large(message: impl Into<String>) -> Refused {
        Refused::new(Why::TooLarge, message)
    }
}
