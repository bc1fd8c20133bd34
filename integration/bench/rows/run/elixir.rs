//! The same by many workers of the Elixir client, beside a client in Rust.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use serde_json::{Value, json};

use super::{Claimed, DATA, LENGTH, published};
use crate::{
    Bench,
    daemon::{self, Requests},
    rounds::{alternate, median},
    scratch::text,
    table::{Quantity::PerSecond, Row},
};

pub const ELIXIR: &str = "tasks by 16 workers of the Elixir client (peer: of a Rust client)";

const WORKERS: usize = 16;

pub fn elixir(bench: &Bench) -> Vec<Row> {
    let (rounds, runs) = if bench.quick { (3, 500) } else { (5, 2_000) };
    let (ours, peer) = alternate(rounds, || by_elixir(bench, runs), || Ok(by_rust(bench, runs)));
    let rate = |runs: Vec<Result<f64, String>>| {
        runs.into_iter().collect::<Result<Vec<f64>, String>>().map(|it| PerSecond(median(it)))
    };
    let row = match (rate(ours), rate(peer)) {
        (Ok(ours), Ok(peer)) => Row::faster(ELIXIR, ours, peer, 0.5),
        (Err(reason), _) | (_, Err(reason)) => Row::missing(ELIXIR, &reason),
    };
    vec![row]
}

/// A repository with so many runs that have begun.
fn begun(bench: &Bench, runs: usize) -> PathBuf {
    let mut daemon = daemon::start(&[]);
    let repository = published(bench, &mut daemon);
    let arguments = json!({"path": text(&repository), "process": "ten"});
    daemon.wire.drive(&mut Requests(|_| ("run.start", arguments.clone())), 0..runs, 64);
    repository
}

/// Tasks a second.
fn by_elixir(bench: &Bench, runs: usize) -> Result<f64, String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/elixir");
    let repository = begun(bench, runs);
    let output = Command::new("mix")
        .args(["run", "tasks.exs", &text(&repository), &(runs * LENGTH).to_string()])
        .current_dir(project)
        .env("GITPORT", daemon::PROGRAM)
        .output()
        .map_err(|_| "elixir is missing".to_owned())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().rev().find_map(|line| line.strip_prefix("elixir tasks/s: "));
    rate.and_then(|it| it.trim().parse().ok())
        .ok_or_else(|| format!("tasks.exs: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// The same.
fn by_rust(bench: &Bench, runs: usize) -> f64 {
    let repository = begun(bench, runs);
    let path = text(&repository);
    let mut daemon = daemon::start(&[]);
    let _: Value = daemon.call("run.list", json!({"path": path, "limit": 1}));
    let claim = |worker: usize| {
        let worker = format!("w{worker}");
        ("task.claim", json!({"path": path, "worker": worker, "wait_ms": 1000}))
    };
    let began = Instant::now();
    // Which worker asked, by the ids of requests.
    let mut asked: HashMap<u64, usize> = HashMap::new();
    for worker in 0..WORKERS {
        let (operation, arguments) = claim(worker);
        asked.insert(daemon.send(operation, arguments), worker);
    }
    let mut left = runs * LENGTH;
    while 0 < left {
        let reply = daemon.receive();
        let worker = reply.id.and_then(|it| asked.remove(&it)).expect("somebody asked");
        let value = reply.ok.unwrap_or_else(|| panic!("{} ({})", reply.err, reply.code));
        let (operation, arguments) = match rmp_serde::from_slice::<Claimed>(&value) {
            Ok(Claimed { tasks }) if !tasks.is_empty() => {
                let (task, token) = (&tasks[0].task, &tasks[0].token);
                let data = json!({"said": DATA});
                ("task.complete", json!({"path": path, "task": task, "token": token, "data": data}))
            }
            Ok(_) => claim(worker),
            Err(_) => {
                left -= 1;
                claim(worker)
            }
        };
        asked.insert(daemon.send(operation, arguments), worker);
    }
    (runs * LENGTH) as f64 / began.elapsed().as_secs_f64()
}
