//! Many refs in one step, against git's own.

use std::{fmt::Write as _, path::Path, time::Instant};

use serde_json::{Value, json};

use super::commit::{Shape, repository};
use crate::{
    Bench, daemon, git,
    rounds::{alternate, median},
    scratch::text,
    table::{Quantity::Seconds, Row},
};

pub const UPDATE: &str =
    "1,000 refs moved in one durable step (peer: update-ref --stdin, core.fsync=all)";

pub fn update(bench: &Bench) -> Vec<Row> {
    let (ours, peer) = alternate(if bench.quick { 3 } else { 7 }, || ours(bench), || peer(bench));
    vec![Row::faster(UPDATE, Seconds(median(ours)), Seconds(median(peer)), 10.0)]
}

/// Seconds that one step takes.
fn ours(bench: &Bench) -> f64 {
    let folder = repository(bench, Shape::Flat);
    let path = text(&folder);
    let ids = ids(&folder);
    let mut daemon = daemon::start(&[]);
    let mut move_to = |id: &str| {
        let updates: Vec<_> = names().map(|it| json!({"ref": it, "to": id})).collect();
        let _: Value = daemon.call("ref.update", json!({"path": path, "updates": updates}));
    };
    move_to(&ids[STEPS % 2]);
    let started = Instant::now();
    (0..STEPS).for_each(|step| move_to(&ids[step % 2]));
    let took = started.elapsed();
    drop(daemon);
    check(&folder, &ids);
    took.as_secs_f64() / STEPS as f64
}

/// One process does all steps, each as a transaction of its own.
fn peer(bench: &Bench) -> f64 {
    let folder = repository(bench, Shape::Flat);
    let ids = ids(&folder);
    let move_to = |input: &mut String, id: &str| {
        input.push_str("start\n");
        for name in names() {
            writeln!(input, "update {name} {id}").expect("memory does not fail");
        }
        input.push_str("commit\n");
    };
    let arguments = ["-c", "core.fsync=all", "update-ref", "--stdin"];
    let (mut first, mut steps) = (String::new(), String::new());
    move_to(&mut first, &ids[STEPS % 2]);
    (0..STEPS).for_each(|step| move_to(&mut steps, &ids[step % 2]));
    git::feed(&folder, &arguments, first.as_bytes());
    let started = Instant::now();
    git::feed(&folder, &arguments, steps.as_bytes());
    let took = started.elapsed();
    check(&folder, &ids);
    took.as_secs_f64() / STEPS as f64
}

fn names() -> impl Iterator<Item = String> {
    (0..1_000).map(|number| format!("refs/heads/topic-{number}"))
}

/// Two commits, between which the refs move.
fn ids(folder: &Path) -> [String; 2] {
    let first = git::git_says(folder, &["rev-parse", "main"]);
    let tree = ["commit-tree", "-p", &first, "-m", "second", "main^{tree}"];
    let second = git::git_says(folder, &tree);
    [first, second]
}

fn check(folder: &Path, ids: &[String; 2]) {
    let refs = git::git_says(folder, &["for-each-ref", "refs/heads/topic-*"]);
    let last = &ids[(STEPS - 1) % 2];
    assert_eq!(refs.lines().filter(|line| line.starts_with(last.as_str())).count(), 1_000);
}

const STEPS: usize = 4;
