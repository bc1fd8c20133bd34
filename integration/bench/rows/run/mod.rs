//! Runs of processes: steps done by workers, each durable when it is answered.

mod alone;
mod dbos;
mod elixir;
mod long;
mod many;
mod side;
mod size;
mod steps;
mod work;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Value, json};

pub use self::{
    alone::{FIRST, FIRST_SLOWEST, ONE, ONE_SLOWEST, first, one},
    dbos::{DBOS, dbos},
    elixir::{ELIXIR, elixir},
    long::{REPLAY, replay},
    many::{COST, MEMORY, MEMORY_OF_ALL, START, cost, open},
    side::{FOUR, four},
    size::{SIGNED, UNSIGNED, size},
    steps::{STEPS, steps},
};
use crate::{
    Bench,
    daemon::Daemon,
    scratch::{empty_repository, text},
};

/// So many steps have runs of the process `ten`.
const LENGTH: usize = 10;
const IN_FLIGHT: usize = 64;
/// As much as a small completion brings.
const DATA: &str = "a text of some forty bytes, as data is";

/// A repository in which the process `ten` is published: ten steps, one after the other.
fn published(bench: &Bench, daemon: &mut Daemon) -> PathBuf {
    let repository = empty_repository(bench);
    publish(daemon, &repository, &in_a_row("ten", LENGTH));
    repository
}

fn publish(daemon: &mut Daemon, repository: &Path, definition: &str) {
    let arguments = json!({"path": text(repository), "content": definition, "encoding": "utf8"});
    let _: Value = daemon.call("process.publish", arguments);
}

/// A process of so many steps, one after the other.
fn in_a_row(name: &str, steps: usize) -> String {
    let mut definition = format!("process_name: {name}\nprocess_version: 1.0.0\nsteps:\n");
    for number in 0..steps {
        let next = match number + 1 {
            end if end == steps => String::new(),
            next => format!(", next: a{next}"),
        };
        writeln!(definition, "  - {{step_id: a{number}{next}}}").expect("memory does not fail");
    }
    definition
}

#[derive(Deserialize)]
struct Claimed {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    task: String,
    token: String,
}

/// Waits for both replies; gives the task of the first.
fn answers(daemon: &mut Daemon, claimed: u64, other: u64) -> Task {
    let replies = [daemon.receive(), daemon.receive()];
    let value = |id: u64| {
        let reply = replies.iter().find(|it| it.id == Some(id)).expect("both are answered");
        reply.ok.clone().unwrap_or_else(|| panic!("{} ({})", reply.err, reply.code))
    };
    let _ = value(other);
    let claimed: Claimed = rmp_serde::from_slice(&value(claimed)).expect("it has tasks");
    claimed.tasks.into_iter().next().expect("there is one")
}
