//! Programs that steps of runs are: prepared, run by a child that outlives none of them, and
//! judged by how they end.
//!
//! Nothing in here writes a run; who does takes the [`End`](super::own::End) of a task from here.

mod child;
mod exec;
mod output;
mod parent;
mod tree;

use std::{collections::BTreeMap, ffi::OsString};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use self::{
    child::run as run_child,
    exec::{evaluated, order, outcome},
    parent::{Handle, run},
};

/// How long whoever is asked to end may take to do so.
pub const GRACE_MS: u64 = 2000;

/// What a child is to run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// What the program is called by itself, and where it is.
    name: String,
    program: OsString,
    arguments: Vec<String>,
    env: BTreeMap<String, OsString>,
    folder: OsString,
    input: Option<ByteBuf>,
    timeout_ms: u64,
    output_bytes_max: usize,
}

/// What a child says.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    /// The program runs, as the leader of a group.
    Started(i32),
    Refused(String),
    Ended(Ended),
}

/// How a program ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ended {
    why: Why,
    code: Option<i32>,
    signal: Option<i32>,
    stdout: ByteBuf,
    stderr: ByteBuf,
    truncated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Why {
    Itself,
    Timeout,
    /// Somebody said so.
    Stopped,
}
