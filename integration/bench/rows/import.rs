//! A database of full snapshots that becomes a history.

use std::{fs, time::Instant};

use serde::Deserialize;
use serde_json::json;

use crate::{
    Bench, daemon,
    rounds::median,
    scratch::{bytes, folder, text},
    snapshots::{Shape, write_sqlite},
    table::{
        Quantity::{Bytes, PerSecond},
        Row,
    },
};

pub const SMALLER: &str = "bytes after import of 200 states x 100 files (peer: the SQLite file)";
pub const STATES: &str = "states imported, without the reading (beside: with it)";

#[derive(Deserialize)]
struct Reply {
    path: String,
    commits: usize,
    reading_ms: f64,
}

pub fn snapshots(bench: &Bench) -> Vec<Row> {
    let place = folder(bench);
    let database = place.join("snapshots.db");
    write_sqlite(&database, SHAPE);
    let before = fs::metadata(&database).expect("it was just written").len();
    let data = text(&place.join("data"));
    let (mut after, mut without, mut with) = (0, Vec::new(), Vec::new());
    for round in 0..if bench.quick { 5 } else { 11 } {
        let mut daemon = daemon::start(&["--data", &data]);
        let arguments =
            json!({"workspace": format!("round-{round}"), "from": {"sqlite": text(&database)}});
        let started = Instant::now();
        let reply: Reply = daemon.call("workspace.import", arguments);
        let took = started.elapsed().as_secs_f64();
        drop(daemon);
        assert_eq!(reply.commits, SHAPE.states);
        without.push(SHAPE.states as f64 / (took - reply.reading_ms / 1e3));
        with.push(SHAPE.states as f64 / took);
        after = bytes(reply.path.as_ref());
    }
    let with = PerSecond(median(with)).to_string();
    vec![
        Row::within(SMALLER, Bytes(after as f64), Bytes(before as f64), 0.01),
        Row::above(STATES, PerSecond(median(without)), PerSecond(1_000.0)).beside(with),
    ]
}

const SHAPE: Shape = Shape { states: 200, files: 100, bytes: 4_000 };
