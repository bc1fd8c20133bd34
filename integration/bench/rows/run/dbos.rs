//! The same beside DBOS, an engine that keeps its runs in PostgreSQL.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use super::{
    IN_FLIGHT, LENGTH,
    steps::{ours, started},
};
use crate::{
    Bench,
    postgres::Postgres,
    rounds::{alternate, median},
    table::{Quantity::PerSecond, Row},
};

pub const DBOS: &str = "durable steps of 10-step runs, 64 in flight (peer: DBOS)";

pub fn dbos(bench: &Bench) -> Vec<Row> {
    let python = match installed() {
        Ok(python) => python,
        Err(reason) => return vec![Row::missing(DBOS, &reason)],
    };
    let (rounds, our_runs, its_runs) = if bench.quick { (3, 2_000, 200) } else { (5, 10_000, 600) };
    let postgres = started();
    let theirs = || theirs(&python, &postgres, its_runs);
    let (ours, peer) = alternate(rounds, || ours(bench, our_runs), theirs);
    vec![Row::faster(DBOS, PerSecond(median(ours)), PerSecond(median(peer)), 30.0)]
}

/// The Python that has it.
fn installed() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dbos");
    let python = folder.join("bin/python");
    let is_forbidden = env::var("GITPORT_TEST_INSTALL").is_ok_and(|it| it == "no");
    if is_forbidden && !python.exists() {
        return Err("dbos is not here".to_owned());
    }
    let output = Command::new("sh")
        .args(["-c", ". integration/packages.sh && install_dbos \"$0\""])
        .arg(&folder)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(python),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("dbos is not here: {}", said.trim().lines().last().unwrap_or_default()))
        }
    }
}

/// Steps a second.
fn theirs(python: &Path, postgres: &Postgres, runs: usize) -> f64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/bench/runs_in_dbos.py");
    let processes = thread::available_parallelism().map_or(1, usize::from);
    let counts = [runs, LENGTH, IN_FLIGHT, processes].map(|it| it.to_string());
    let output = Command::new(python)
        .arg(script)
        .arg(postgres.url().replacen("postgres:", "postgresql:", 1))
        .args(counts)
        .output()
        .expect("python can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().find_map(|it| it.strip_prefix("dbos steps/s: "));
    rate.and_then(|it| it.parse().ok()).unwrap_or_else(|| {
        panic!("runs_in_dbos.py: {said}{}", String::from_utf8_lossy(&output.stderr));
    })
}
