//! Reads by many processes of the Elixir client at once.

use std::{path::Path, process::Command};

use crate::{
    Bench, daemon,
    table::{Quantity::PerSecond, Row},
};

pub const READS: &str = "reads by 8 Elixir processes at once, each answer its asker's";

pub fn reads(bench: &Bench) -> Vec<Row> {
    let row = match run(bench) {
        Ok(rate) => Row::above(READS, PerSecond(rate), PerSecond(50_000.0)),
        Err(reason) => Row::missing(READS, &reason),
    };
    vec![row]
}

fn run(bench: &Bench) -> Result<f64, String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/elixir");
    if !project.join("bench.exs").exists() {
        return Err("integration/elixir/bench.exs is missing".to_owned());
    }
    let path = bench.fixtures.small().path.as_str();
    let seconds = if bench.quick { "2" } else { "10" };
    let output = Command::new("mix")
        .args(["run", "bench.exs", path, "HEAD", "--seconds", seconds])
        .current_dir(project)
        .env("GITPORT", daemon::PROGRAM)
        .output()
        .map_err(|_| "elixir is missing".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rev().find_map(|line| line.strip_prefix("elixir reads/s: "));
    let (rate, wrong) = line
        .and_then(|line| line.split_once(" wrong: "))
        .ok_or_else(|| format!("bench.exs: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    match wrong.trim() {
        "0" => rate.trim().parse().map_err(|_| format!("`{rate}` is no number")),
        _ => Err(format!("{wrong} answers were another's")),
    }
}
