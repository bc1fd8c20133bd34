//! One step at a time, and how soon a run begins.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::FileExt as _,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{LENGTH, answers, published};
use crate::{
    Bench, daemon,
    rounds::{alternate, median, part},
    scratch::{folder, text},
    table::{Quantity::Seconds, Row},
};

pub const ONE: &str = "a step of a run, one at a time (bound: one fdatasync + 0.3 ms)";
pub const ONE_SLOWEST: &str = "the same, 99 of 100 (bound: 3 times one fdatasync, 99 of 100)";
pub const FIRST: &str = "from run.start to the first task at a worker who waits";
pub const FIRST_SLOWEST: &str = "the same from run.start, 99 of 100";

pub fn one(bench: &Bench) -> Vec<Row> {
    let (rounds, runs) = if bench.quick { (3, 50) } else { (5, 200) };
    let (ours, disk) = alternate(rounds, || alone(bench, runs), || flushes(bench, runs * LENGTH));
    let all = |it: Vec<Vec<f64>>| it.into_iter().flatten().collect::<Vec<f64>>();
    let (ours, disk) = (all(ours), all(disk));
    let row = |what, share, bound: &dyn Fn(f64) -> f64| {
        let (ours, disk) = (part(ours.clone(), share), part(disk.clone(), share));
        Row::below(what, Seconds(ours), Seconds(bound(disk)))
            .beside(format!("one fdatasync: {}", Seconds(disk)))
    };
    vec![row(ONE, 0.5, &|it| it + 0.3e-3), row(ONE_SLOWEST, 0.99, &|it| 3.0 * it)]
}

/// What each step of runs takes, one after the other, by a worker who asks for the next task
/// before it says that the last is done.
fn alone(bench: &Bench, runs: usize) -> Vec<f64> {
    let mut daemon = daemon::start(&[]);
    let repository = published(bench, &mut daemon);
    let path = text(&repository);
    let mut took = Vec::new();
    for _ in 0..runs {
        let claim = json!({"path": path, "worker": "w", "wait_ms": 10_000});
        let mut claimed = daemon.send("task.claim", claim.clone());
        let start = daemon.send("run.start", json!({"path": path, "process": "ten"}));
        let mut task = answers(&mut daemon, claimed, start);
        for step in 0..LENGTH {
            let began = Instant::now();
            let is_last = step + 1 == LENGTH;
            if !is_last {
                claimed = daemon.send("task.claim", claim.clone());
            }
            let arguments = json!({"path": path, "task": task.task, "token": task.token});
            let done = daemon.send("task.complete", arguments);
            match is_last {
                true => drop(daemon.receive()),
                false => task = answers(&mut daemon, claimed, done),
            }
            took.push(began.elapsed().as_secs_f64());
        }
    }
    took
}

fn flushes(bench: &Bench, count: usize) -> Vec<f64> {
    let path = folder(bench).join("flushed");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .expect("the scratch folder can be written to");
    file.write_all(&vec![0; 1 << 20]).expect("there is room");
    file.sync_all().expect("it can be flushed");
    let flush = |at: usize| {
        let began = Instant::now();
        file.write_all_at(&[1; 512], (at * 512 % (1 << 20)) as u64).expect("there is room");
        file.sync_data().expect("it can be flushed");
        began.elapsed().as_secs_f64()
    };
    (0..count).map(flush).collect()
}

pub fn first(bench: &Bench) -> Vec<Row> {
    let count = if bench.quick { 50 } else { 200 };
    let mut daemon = daemon::start(&[]);
    let repository = published(bench, &mut daemon);
    let path = text(&repository);
    let mut took = Vec::new();
    for _ in 0..count {
        let claim = json!({"path": path, "worker": "w", "wait_ms": 10_000});
        let claimed = daemon.send("task.claim", claim);
        // The worker waits before there is anything.
        std::thread::sleep(Duration::from_millis(5));
        let began = Instant::now();
        let start = daemon.send("run.start", json!({"path": path, "process": "ten"}));
        answers(&mut daemon, claimed, start);
        took.push(began.elapsed().as_secs_f64());
    }
    let slowest = part(took.clone(), 0.99);
    let row = |what, took| Row::below(what, Seconds(took), Seconds(5e-3));
    vec![row(FIRST, median(took)), row(FIRST_SLOWEST, slowest)]
}
