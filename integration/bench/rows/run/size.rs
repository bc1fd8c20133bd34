//! What runs take on disk, after housekeeping.

use std::process::Command;

use serde_json::{Value, json};

use super::{
    LENGTH, published,
    work::{Client, Plan, TEN},
};
use crate::{
    Bench, daemon, git,
    scratch::{bytes, copy, folder, text},
    table::{Quantity::Bytes, Row},
};

pub const SIGNED: &str = "bytes per step of 200 runs after maintain, with signed receipts";
pub const UNSIGNED: &str = "the same without receipts";

const RUNS: usize = 200;
const STEPS: usize = RUNS * LENGTH;
/// Each step brings something else.
const OTHER: Plan =
    Plan { data: |task| json!({"said": format!("what came of the task {task}")}), ..TEN };

pub fn size(bench: &Bench) -> Vec<Row> {
    let (alike, other) = (sizes(bench, TEN), sizes(bench, OTHER));
    let row = |what, kind: usize, bound: f64| {
        let beside = format!("{} if all data differ", Bytes(other[kind]));
        Row::below(what, Bytes(alike[kind]), Bytes(bound)).beside(beside)
    };
    vec![row(SIGNED, 0, 1_000.0), row(UNSIGNED, 1, 400.0)]
}

/// With receipts and without.
fn sizes(bench: &Bench, plan: Plan) -> [f64; 2] {
    let mut daemon = daemon::start(&["--receipt-key", &key(bench)]);
    let signed = published(bench, &mut daemon);
    let before = bytes(&signed);
    let mut client = Client::new(daemon, plan, &[&signed]);
    client.work(RUNS);
    drop(client);
    let receipts = git::git_says(&signed, &["notes", "--ref=gitvan/results", "list"]);
    assert_eq!(receipts.lines().count(), STEPS, "each step has a receipt");
    let unsigned = copy(bench, &signed);
    git::git(&unsigned, &["update-ref", "-d", "refs/notes/gitvan/results"]);
    [signed, unsigned].map(|repository| {
        let arguments = json!({"path": text(&repository), "full": true, "prune_after_ms": 0});
        let _: Value = daemon::start(&[]).call("maintain", arguments);
        git::git(&repository, &["fsck", "--strict", "--no-progress", "--no-dangling"]);
        (bytes(&repository) - before) as f64 / STEPS as f64
    })
}

/// A private key of ssh.
fn key(bench: &Bench) -> String {
    let file = folder(bench).join("key");
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&file);
    assert!(command.status().expect("ssh-keygen can be started").success(), "there is a key");
    text(&file)
}
