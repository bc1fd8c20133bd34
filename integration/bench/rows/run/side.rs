//! Several repositories at once.

use std::path::PathBuf;

use super::{
    IN_FLIGHT, LENGTH, published,
    work::{Client, Plan, TEN},
};
use crate::{
    Bench, daemon,
    rounds::{alternate, median},
    table::{Quantity::PerSecond, Row},
};

pub const FOUR: &str =
    "durable steps in four repositories, 64 runs in flight in all (peer: in one)";

pub fn four(bench: &Bench) -> Vec<Row> {
    let (rounds, runs) = if bench.quick { (3, 2_000) } else { (5, 10_000) };
    let (four, one) = alternate(rounds, || rate(bench, 4, runs), || rate(bench, 1, runs));
    vec![Row::faster(FOUR, PerSecond(median(four)), PerSecond(median(one)), 1.6)]
}

/// Steps a second of one daemon, the runs and those in flight spread over so many repositories.
fn rate(bench: &Bench, repositories: usize, runs: usize) -> f64 {
    let mut daemon = daemon::start(&[]);
    let folders: Vec<PathBuf> = (0..repositories).map(|_| published(bench, &mut daemon)).collect();
    let folders: Vec<_> = folders.iter().map(PathBuf::as_path).collect();
    let plan = Plan { in_flight: IN_FLIGHT / repositories, ..TEN };
    let took = Client::new(daemon, plan, &folders).work(runs / repositories);
    (runs * LENGTH) as f64 / took.as_secs_f64()
}
