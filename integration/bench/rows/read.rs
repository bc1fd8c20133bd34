//! Reading files at a revision, against `git cat-file --batch` and `git show`.

use std::path::Path;

use crate::{
    Bench,
    daemon::{self, frame},
    fixture::{Small, SmallFile},
    git::{self, CatFile},
    reply::{HEADER_BYTES, Id, Reply, body},
    rounds::{alternate, median},
    table::{Quantity::PerSecond, Row},
    text::Random,
    wire::{Talk, Wire},
};

pub const FIRST: &str = "read, 64 outstanding, first touch (peer: cat-file --batch)";
pub const WARM: &str = "read, 64 outstanding, warm (peer: cat-file --batch)";
pub const SINGLE: &str = "read, one at a time, first touch (peer: cat-file --batch)";
pub const SINGLE_WARM: &str = "read, one at a time, warm (peer: cat-file --batch)";
pub const SHOW: &str = "read, one at a time (peer: a git show per file)";

pub fn outstanding(bench: &Bench) -> Vec<Row> {
    let rounds = if bench.quick { 3 } else { 7 };
    let (ours, peer) = passes(bench, rounds, bench.fixtures.small().files.len(), 64);
    let [first, warm] = [0, 1]
        .map(|pass| [&ours, &peer].map(|runs| PerSecond(median(runs.iter().map(|run| run[pass])))));
    vec![Row::faster(FIRST, first[0], first[1], 3.0), Row::faster(WARM, warm[0], warm[1], 6.0)]
}

pub fn single(bench: &Bench) -> Vec<Row> {
    let rounds = if bench.quick { 3 } else { 7 };
    let (ours, peer) = passes(bench, rounds, 2_000, 1);
    let [first, warm] = [0, 1]
        .map(|pass| [&ours, &peer].map(|runs| PerSecond(median(runs.iter().map(|run| run[pass])))));
    let shown = median((0..rounds).map(|_| show(bench.fixtures.small())));
    vec![
        Row::faster(SINGLE, first[0], first[1], 1.3),
        Row::faster(SINGLE_WARM, warm[0], warm[1], 1.3),
        Row::faster(SHOW, first[0], PerSecond(shown), 20.0),
    ]
}

/// Reads a second in a fresh process, and then again in the same one.
type Passes = [f64; 2];

fn passes(
    bench: &Bench,
    rounds: usize,
    count: usize,
    outstanding: usize,
) -> (Vec<Passes>, Vec<Passes>) {
    let small = bench.fixtures.small();
    let order = shuffled(small.files.len());
    let order = &order[..count];
    alternate(
        rounds,
        || {
            let mut wire = daemon::start(&[]).wire;
            let mut reads = Reads::new(small, order);
            two_passes(&mut wire, &mut reads, count, outstanding)
        },
        || {
            let mut wire = git::cat_file(&small.path);
            let mut files = CatFile::new(&small.files, order);
            two_passes(&mut wire, &mut files, count, outstanding)
        },
    )
}

fn two_passes(wire: &mut Wire, talk: &mut impl Talk, count: usize, outstanding: usize) -> Passes {
    [0..count, count..2 * count]
        .map(|range| count as f64 / wire.drive(talk, range, outstanding).as_secs_f64())
}

/// `git show` processes a second.
fn show(small: &Small) -> f64 {
    let started = std::time::Instant::now();
    let order = shuffled(small.files.len());
    for index in &order[..SHOWN] {
        let file = &small.files[*index];
        let name = format!("HEAD:{}", file.name);
        let mut command = git::command(Path::new(&small.path), &["show", &name]);
        let output = command.stdout(std::process::Stdio::piped()).output().expect("git starts");
        assert!(output.stdout == file.content, "{name} has the right content");
    }
    SHOWN as f64 / started.elapsed().as_secs_f64()
}

/// An order in which nobody wrote the files.
pub fn shuffled(count: usize) -> Vec<usize> {
    let mut random = Random::new(3);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, random.below(last + 1));
    }
    order
}

/// `read` at `HEAD`, each reply compared with the file that was asked for.
struct Reads<'a> {
    files: &'a [SmallFile],
    order: &'a [usize],
    start: Vec<u8>,
}

impl Reads<'_> {
    fn new<'a>(small: &'a Small, order: &'a [usize]) -> Reads<'a> {
        let mut start = vec![0x86];
        let arguments = [
            ("op", "read"),
            ("path", small.path.as_str()),
            ("rev", "HEAD"),
            ("encoding", "binary"),
        ];
        for (key, value) in arguments {
            write(&mut start, key);
            write(&mut start, value);
        }
        Reads { files: &small.files, order, start }
    }
}

impl Talk for Reads<'_> {
    fn request(&mut self, index: usize, output: &mut Vec<u8>) {
        let mut body = self.start.clone();
        write(&mut body, "file");
        write(&mut body, &self.files[self.order[index % self.order.len()]].name);
        write(&mut body, "id");
        rmp::encode::write_uint(&mut body, index as u64).expect("a vector takes everything");
        output.extend_from_slice(&frame(&body));
    }

    fn reply(&mut self, input: &[u8]) -> Option<usize> {
        let body = body(input)?;
        let reply = Reply::parse(body);
        let Id::Number(index) = reply.id else { panic!("a reply has the id of its request") };
        let file = &self.files[self.order[index as usize % self.order.len()]];
        assert!(reply.bytes() == file.content, "{} has the right content", file.name);
        Some(HEADER_BYTES + body.len())
    }
}

fn write(body: &mut Vec<u8>, text: &str) {
    rmp::encode::write_str(body, text).expect("a vector takes everything");
}

const SHOWN: usize = 100;
