//! The program itself: how soon it answers, and how large it is.

use std::{fs, path::Path, time::Instant};

use crate::{
    Bench, daemon, git,
    rounds::{alternate, median},
    table::{
        Quantity::{Bytes, Seconds},
        Row,
    },
};

pub const START: &str = "start to first reply (beside: git --version)";
pub const SIZE: &str = "release program, stripped";

pub fn start(bench: &Bench) -> Vec<Row> {
    let (ours, peer) = alternate(
        if bench.quick { 9 } else { 31 },
        || {
            let started = Instant::now();
            let _daemon = daemon::start(&[]);
            started.elapsed().as_secs_f64()
        },
        || {
            let started = Instant::now();
            git::git(Path::new("/"), &["--version"]);
            started.elapsed().as_secs_f64()
        },
    );
    let peer = Seconds(median(peer)).to_string();
    vec![Row::below(START, Seconds(median(ours)), Seconds(0.020)).beside(peer)]
}

pub fn size(_bench: &Bench) -> Vec<Row> {
    let bytes = fs::metadata(daemon::PROGRAM).expect("the program is built").len();
    vec![Row::below(SIZE, Bytes(bytes as f64), Bytes(f64::from(12 << 20)))]
}
