//! What housekeeping leaves, and what it costs those who work meanwhile.

use std::{path::Path, time::Instant};

use serde_json::{Value, json};

use super::commit::{Shape, commits, repository};
use crate::{
    Bench,
    daemon::{self, Requests, frame, request},
    git,
    reply::{HEADER_BYTES, Reply, body},
    rounds::{alternate, median, part},
    scratch::{bytes, copy, text},
    table::{
        Quantity::{Bytes, Seconds},
        Row,
    },
    wire::{Talk, Wire},
};

pub const SIZE: &str = "objects of small commits after maintain (peer: git gc --aggressive)";
pub const READS: &str = "p99 of reads while maintain runs (peer: without)";
pub const WRITES: &str = "p99 of commits while maintain runs (peer: without)";

const OUTSTANDING: usize = 64;

pub fn size(bench: &Bench) -> Vec<Row> {
    let ours = repository(bench, Shape::Flat);
    let count = if bench.quick { 2_000 } else { 10_000 };
    let mut wire = daemon::start(&[]).wire;
    wire.drive(&mut Requests(commits(&ours, Shape::Flat)), 0..count, OUTSTANDING);
    drop(wire);
    let peer = copy(bench, &ours);
    let arguments = json!({"path": text(&ours), "full": true, "prune_after_ms": 0});
    let _: Value = daemon::start(&[]).call("maintain", arguments);
    git::git(&peer, &["gc", "--quiet", "--aggressive", "--prune=now"]);
    git::git(&ours, &["fsck", "--strict", "--no-progress"]);
    let objects = |folder: &Path| Bytes(bytes(&folder.join("objects")) as f64);
    vec![Row::within(SIZE, objects(&ours), objects(&peer), 1.3)]
}

pub fn beside(bench: &Bench) -> Vec<Row> {
    let rounds = if bench.quick { 3 } else { 7 };
    let (with, without) = alternate(rounds, || tail(bench, true), || tail(bench, false));
    if with.iter().any(|run| run.is_none()) {
        return [READS, WRITES].map(|it| Row::missing(it, "no maintain ended")).into();
    }
    let [with, without] =
        [with, without].map(|runs| runs.into_iter().flatten().collect::<Vec<[f64; 2]>>());
    let row = |what, kind: usize| {
        let [with, without] =
            [&with, &without].map(|runs| Seconds(median(runs.iter().map(|run| run[kind]))));
        Row::within(what, with, without, 3.0)
    };
    vec![row(READS, READ), row(WRITES, WRITE)]
}

/// The 99th percentiles of reads and of commits, which come in turns; nothing where a `maintain`
/// was to end and did not.
fn tail(bench: &Bench, maintain: bool) -> Option<[f64; 2]> {
    let folder = repository(bench, Shape::Flat);
    let mut wire = daemon::start(&[]).wire;
    let mut commit = commits(&folder, Shape::Flat);
    wire.drive(&mut Requests(&mut commit), 0..BEFORE, OUTSTANDING);
    let path = text(&folder);
    let mut mixed = Mixed {
        ask: |index: usize| match index % 2 {
            READ => ("read", json!({"path": path, "file": Shape::Flat.file(index), "rev": "main"})),
            _ => commit(BEFORE + index),
        },
        maintain: maintain.then(|| json!({"path": path, "full": true, "prune_after_ms": 0})),
        running: false,
        maintained: 0,
        begun: Vec::new(),
        times: [Vec::new(), Vec::new()],
    };
    drive(&mut wire, &mut mixed, maintain);
    let is_measured = !maintain || 0 < mixed.maintained;
    is_measured.then(|| mixed.times.map(|times| part(times, 0.99)))
}

/// Until there were enough requests, and one `maintain` ended among them if it does soon enough: it
/// stands back behind everybody else.
fn drive(wire: &mut Wire, mixed: &mut Mixed<impl FnMut(usize) -> Ask>, maintain: bool) {
    let mut slices = 0;
    while slices < SLICES || maintain && mixed.maintained == 0 && slices < SLICES_MAX {
        wire.drive(mixed, slices * SLICE..(slices + 1) * SLICE, OUTSTANDING);
        slices += 1;
    }
}

type Ask = (&'static str, Value);

/// Reads and writes whose times are taken, and between them one `maintain` after the other.
struct Mixed<F> {
    ask: F,
    maintain: Option<Value>,
    running: bool,
    maintained: usize,
    begun: Vec<Instant>,
    times: [Vec<f64>; 2],
}

impl<F: FnMut(usize) -> Ask> Talk for Mixed<F> {
    fn request(&mut self, index: usize, output: &mut Vec<u8>) {
        if let Some(arguments) = &self.maintain
            && !self.running
        {
            self.running = true;
            output.extend_from_slice(&frame(&request("maintain", MAINTAIN, arguments.clone())));
        }
        let (operation, arguments) = (self.ask)(index);
        output.extend_from_slice(&frame(&request(operation, index as u64, arguments)));
        self.begun.push(Instant::now());
    }

    /// The answer to `maintain`, which nobody counts, is taken together with the one after it.
    fn reply(&mut self, input: &[u8]) -> Option<usize> {
        let first = body(input)?;
        let length = HEADER_BYTES + first.len();
        let reply = Reply::parse(first);
        assert!(reply.ok.is_some(), "{} ({})", reply.err, reply.code);
        let index = reply.id.number().expect("a reply has the id of its request");
        if index == MAINTAIN {
            let rest = self.reply(&input[length..])?;
            self.running = false;
            self.maintained += 1;
            return Some(length + rest);
        }
        let index = index as usize;
        self.times[index % 2].push(self.begun[index].elapsed().as_secs_f64());
        Some(length)
    }
}

const READ: usize = 0;
const WRITE: usize = 1;
const MAINTAIN: u64 = u64::MAX;
const BEFORE: usize = 25 * OUTSTANDING;
const SLICE: usize = 25 * OUTSTANDING;
const SLICES: usize = 4;
const SLICES_MAX: usize = 12;
