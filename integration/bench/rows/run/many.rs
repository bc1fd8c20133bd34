//! Repositories with very many runs.

use std::{path::PathBuf, time::Instant};

use serde_json::{Value, json};

use super::{
    Claimed, LENGTH, in_a_row, publish, published,
    work::{Client, Plan, TEN},
};
use crate::{
    Bench,
    daemon::{self, Daemon},
    git,
    process::status_bytes,
    rounds::{alternate, median},
    scratch::{empty_repository, text},
    table::{
        Quantity::{Bytes, Seconds},
        Row,
    },
};

pub const COST: &str = "a step with 100,000 finished and 10,000 open runs there (peer: with none)";
pub const START: &str = "from the start of the daemon with 10,000 open runs to the first task";
pub const MEMORY: &str = "resident memory with 10,000 open runs, after the first task";
pub const MEMORY_OF_ALL: &str = "resident memory with 10,000 open runs, after all were read";
/// So many in the names of the rows; a quick run has less, and says so.
const FINISHED: (usize, &str) = (100_000, "100,000");
const FINISHED_QUICKLY: (usize, &str) = (10_000, "10,000");
const OPEN: (usize, &str) = (10_000, "10,000");
const OPEN_QUICKLY: (usize, &str) = (1_000, "1,000");

/// What is over with its only step.
const SHORT: Plan = Plan { process: "short", steps: 1, in_flight: 256, ..TEN };
/// What has come to a step that somebody else does.
const ASKED: Plan = Plan { process: "asked", steps: 3, in_flight: 256, ..TEN };
const QUEUE: &str = "people";

pub fn cost(bench: &Bench) -> Vec<Row> {
    let (rounds, runs) = if bench.quick { (3, 500) } else { (5, 2_000) };
    let (finished, open) =
        if bench.quick { (FINISHED_QUICKLY, OPEN_QUICKLY) } else { (FINISHED, OPEN) };
    let repository = with_open(bench, open.0);
    let mut daemon = daemon::start(&[]);
    publish(&mut daemon, &repository, &in_a_row(SHORT.process, SHORT.steps));
    publish(&mut daemon, &repository, &in_a_row(TEN.process, TEN.steps));
    Client::new(daemon, SHORT, &[&repository]).work(finished.0);
    let refs = git::git_says(&repository, &["for-each-ref", "refs/workflow/executions"]);
    assert_eq!(refs.lines().count(), finished.0 + open.0, "every run is there");
    let mut full = Client::new(daemon::start(&[]), TEN, &[&repository]);
    let (with, without) = alternate(
        rounds,
        || each(&mut full, runs),
        || {
            let mut daemon = daemon::start(&[]);
            let empty = published(bench, &mut daemon);
            each(&mut Client::new(daemon, TEN, &[&empty]), runs)
        },
    );
    let what = COST.replace(OPEN.1, open.1).replace(FINISHED.1, finished.1);
    vec![Row::within(what, Seconds(median(with)), Seconds(median(without)), 1.5)]
}

/// Seconds for a step, where the first ones do not count.
fn each(client: &mut Client, runs: usize) -> f64 {
    client.work(runs / 10);
    client.work(runs).as_secs_f64() / (runs * LENGTH) as f64
}

pub fn open(bench: &Bench) -> Vec<Row> {
    let (count, words) = if bench.quick { OPEN_QUICKLY } else { OPEN };
    let repository = with_open(bench, count);
    let path = text(&repository);
    let start = || {
        let began = Instant::now();
        let mut daemon = daemon::start(&[]);
        let claim = json!({"path": path, "worker": "w", "queue": QUEUE});
        let claimed: Claimed = daemon.call("task.claim", claim);
        let took = began.elapsed().as_secs_f64();
        assert_eq!(claimed.tasks.len(), 1, "there is a task");
        let memory = |daemon: &Daemon| {
            ["VmRSS", "RssAnon"].map(|it| status_bytes(daemon.wire.process(), it) as f64)
        };
        let first = memory(&daemon);
        // Whoever lists open runs has all of them read.
        let listed: Value = daemon.call("run.list", json!({"path": path, "limit": 1}));
        assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1), "there is a run");
        let all = memory(&daemon);
        [took, first[0], first[1], all[0], all[1]]
    };
    let starts: Vec<[f64; 5]> = (0..if bench.quick { 3 } else { 9 }).map(|_| start()).collect();
    let told = |kind: usize| median(starts.iter().map(|it| it[kind]));
    let memory = |what: &str, kind| {
        let bound = Bytes(f64::from(150 << 20));
        Row::below(what.replace(OPEN.1, words), Bytes(told(kind)), bound)
            .beside(format!("without mapped files: {}", Bytes(told(kind + 1))))
    };
    vec![
        Row::below(START.replace(OPEN.1, words), Seconds(told(0)), Seconds(2.0)),
        memory(MEMORY, 1),
        memory(MEMORY_OF_ALL, 3),
    ]
}

/// A repository with so many runs of ten steps that have come to their fourth, which nobody takes.
fn with_open(bench: &Bench, count: usize) -> PathBuf {
    let mut daemon = daemon::start(&[]);
    let repository = empty_repository(bench);
    let next = format!("step_id: a{}", ASKED.steps);
    let definition = in_a_row(ASKED.process, LENGTH);
    let definition = definition.replace(&next, &format!("{next}, queue: {QUEUE}"));
    publish(&mut daemon, &repository, &definition);
    Client::new(daemon, ASKED, &[&repository]).work(count);
    repository
}
