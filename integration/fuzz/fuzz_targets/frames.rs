//! A stream gives the same frames and the same end, wherever it is cut; and what a length claims
//! costs nothing before the bytes are there.
#![no_main]

use std::{
    cell::Cell,
    io::{self, Read},
    iter::Cycle,
    slice::Iter,
};

use arbitrary::Arbitrary;
use gitport_fuzz::{
    allocated,
    port::frame::{Broken, Frames, LENGTH_BYTES},
};
use libfuzzer_sys::fuzz_target;

const LONG_BYTES_MAX: usize = 3 << 20;
const STREAM_BYTES_MAX: usize = 4 << 20;
/// Bounds how long a run takes.
const READS_MAX: usize = 10_000;
/// What a reader has before anything came, and while it gives a large buffer back.
const READER_BYTES: usize = 3 * 64 * 1024;

#[derive(Arbitrary, Debug)]
struct Case {
    parts: Vec<Part>,
    /// How many bytes can be read at once, again and again; 0 is an interruption.
    cuts: Vec<u16>,
    frame_bytes_max: u32,
}

#[derive(Arbitrary, Debug)]
enum Part {
    Frame(Vec<u8>),
    /// A frame of so many bytes.
    Long(u32),
    Bytes(Vec<u8>),
}

/// What comes out of a stream: where the bodies are, and how it ends.
#[derive(Debug, PartialEq)]
enum End {
    Between,
    Truncated,
    TooLong(usize),
}

struct Cut<'a> {
    rest: &'a [u8],
    cuts: Cycle<Iter<'a, u16>>,
    least: usize,
    was_interrupted: bool,
    reads: &'a Cell<usize>,
}

impl Read for Cut<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty(), "no room, which would look like the end");
        self.reads.set(self.reads.get() + 1);
        let cut = self.cuts.next().map_or(usize::MAX, |it| usize::from(*it));
        if cut == 0 && !self.was_interrupted {
            self.was_interrupted = true;
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.was_interrupted = false;
        let count = cut.max(self.least).min(buffer.len()).min(self.rest.len());
        let (now, later) = self.rest.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.rest = later;
        Ok(count)
    }
}

fuzz_target!(|case: Case| {
    let stream = stream(&case.parts);
    let frame_bytes_max = case.frame_bytes_max as usize;
    let (bodies, end) = expected(&stream, frame_bytes_max);
    for cuts in [&case.cuts[..], &[]] {
        let most = allocated::most(|| check(&stream, cuts, frame_bytes_max, &bodies, &end));
        assert!(most <= 2 * stream.len() + READER_BYTES, "{most} bytes for {}", stream.len());
    }
});

fn check(stream: &[u8], cuts: &[u16], frame_bytes_max: usize, bodies: &[&[u8]], end: &End) {
    let reads = Cell::new(0);
    let input = Cut {
        rest: stream,
        cuts: cuts.iter().cycle(),
        least: 1 + stream.len() / READS_MAX,
        was_interrupted: false,
        reads: &reads,
    };
    let mut frames = Frames::new(input, frame_bytes_max);
    let mut bodies = bodies.iter();
    let seen = loop {
        let (is_ready, before) = (frames.is_ready(), reads.get());
        match frames.next() {
            Ok(Some(frame)) => {
                assert_eq!(is_ready, reads.get() == before, "ready is what needs no reading");
                assert!(bodies.next().is_some_and(|it| *it == frame.body), "another body");
            }
            Ok(None) => break End::Between,
            Err(Broken::Truncated) => break End::Truncated,
            Err(Broken::TooLong { bytes }) => break End::TooLong(bytes),
            Err(Broken::Input(error)) => panic!("{error}"),
        }
    };
    assert_eq!((&seen, bodies.len()), (end, 0));
}

fn stream(parts: &[Part]) -> Vec<u8> {
    let mut stream = Vec::new();
    for part in parts {
        match part {
            Part::Frame(body) => {
                stream.extend((body.len() as u32).to_be_bytes());
                stream.extend(body);
            }
            Part::Long(length) => {
                let length = *length as usize % LONG_BYTES_MAX;
                if STREAM_BYTES_MAX < stream.len() + length {
                    continue;
                }
                stream.extend((length as u32).to_be_bytes());
                // No two places look the same, so that a byte out of place shows.
                stream.extend((0..length).map(|it| (it ^ (it >> 8) ^ (it >> 16)) as u8));
            }
            Part::Bytes(bytes) => stream.extend(bytes),
        }
    }
    stream
}

fn expected(stream: &[u8], frame_bytes_max: usize) -> (Vec<&[u8]>, End) {
    let (mut rest, mut bodies) = (stream, Vec::new());
    loop {
        if rest.is_empty() {
            return (bodies, End::Between);
        }
        let Some((length, after)) = rest.split_at_checked(LENGTH_BYTES) else {
            return (bodies, End::Truncated);
        };
        let length = length.iter().fold(0, |length, byte| 256 * length + usize::from(*byte));
        if frame_bytes_max < length {
            return (bodies, End::TooLong(length));
        }
        let Some((body, after)) = after.split_at_checked(length) else {
            return (bodies, End::Truncated);
        };
        bodies.push(body);
        rest = after;
    }
}
