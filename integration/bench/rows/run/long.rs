//! A run of very many steps.

use std::time::Instant;

use serde_json::{Value, json};

use super::{DATA, answers, publish};
use crate::{
    Bench,
    daemon::{self, Daemon},
    rounds::median,
    scratch::{empty_repository, text},
    table::{Quantity::Seconds, Row},
};

pub const REPLAY: &str = "from the start of the daemon to run.get of a run that did 10,000 steps";

const STEPS: usize = 10_000;
const ROUND: &str = "\
process_name: round
process_version: 1.0.0
data: {enough: false}
steps:
  - {step_id: a, repeat: {until: enough}}
";

pub fn replay(bench: &Bench) -> Vec<Row> {
    let mut daemon = daemon::start(&[]);
    let repository = empty_repository(bench);
    publish(&mut daemon, &repository, ROUND);
    let path = text(&repository);
    go_round(&mut daemon, &path);
    drop(daemon);
    let get = || {
        let began = Instant::now();
        let run: Value = daemon::start(&[]).call("run.get", json!({"path": path, "run": "r"}));
        let took = began.elapsed().as_secs_f64();
        assert_eq!(run["status"], "running");
        took
    };
    let took = (0..if bench.quick { 3 } else { 9 }).map(|_| get());
    vec![Row::below(REPLAY, Seconds(median(took)), Seconds(1.0))]
}

/// A run that has done its steps and goes on.
fn go_round(daemon: &mut Daemon, path: &str) {
    let claim = json!({"path": path, "worker": "w", "wait_ms": 10_000});
    let claimed = daemon.send("task.claim", claim.clone());
    let start = daemon.send("run.start", json!({"path": path, "process": "round", "run": "r"}));
    let mut task = answers(daemon, claimed, start);
    for _ in 0..STEPS {
        let claimed = daemon.send("task.claim", claim.clone());
        let data = json!({"said": DATA});
        let arguments = json!({"path": path, "task": task.task, "token": task.token, "data": data});
        let done = daemon.send("task.complete", arguments);
        task = answers(daemon, claimed, done);
    }
}
