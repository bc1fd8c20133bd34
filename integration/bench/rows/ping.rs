//! The port alone: how many pings a second, and how long one takes while others are busy.

use std::{env, process::Command};

use serde_json::json;

use crate::{
    Bench,
    daemon::{self, Daemon},
    reply::{HEADER_BYTES, Id, Reply, body},
    rounds::{alternate, median, part},
    slow::SlowRemote,
    table::{
        Quantity::{PerSecond, Seconds},
        Row,
    },
    wire::{Talk, Wire},
};

pub const ECHO: &str = "ping, 64 outstanding (peer: bare echo loop)";
pub const SLOW_CLONES: &str = "ping p99 while 8 clones of a slow remote run (peer: alone)";

pub fn echo(bench: &Bench) -> Vec<Row> {
    let mut ours = daemon::start(&[]).wire;
    let program = env::current_exe().expect("this program has a path");
    let mut peer = Wire::spawn(Command::new(program).arg("--echo"));
    let count = 50_000;
    let run = |wire: &mut Wire, answer| {
        let mut ping = Ping::new(answer);
        let time = wire.drive(&mut ping, 0..count, OUTSTANDING);
        ping.check(count);
        count as f64 / time.as_secs_f64()
    };
    // Where the kernel puts the two ends changes all figures by half; many short rounds meet it all.
    let rounds = if bench.quick { 24 } else { 80 };
    let (ours, peer) = alternate(rounds, || run(&mut ours, PONG), || run(&mut peer, b""));
    vec![Row::faster(ECHO, PerSecond(median(ours)), PerSecond(median(peer)), 0.6)]
}

pub fn slow_clones(bench: &Bench) -> Vec<Row> {
    let mut daemon = daemon::start(&["--network", "8"]);
    let remote = SlowRemote::start();
    let count = if bench.quick { 2_000 } else { 5_000 };
    let rounds = if bench.quick { 1 } else { 5 };
    let (mut busy, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        alone.push(tail(&mut daemon, count));
        let clones: Vec<u64> =
            (0..CLONES).map(|number| clone(bench, &mut daemon, &remote, number)).collect();
        remote.wait_for(CLONES);
        busy.push(tail(&mut daemon, count));
        assert_eq!(remote.dripping(), CLONES, "all clones were running all the time");
        for id in clones {
            cancel(&mut daemon, id);
        }
        remote.wait_for(0);
    }
    vec![Row::within(SLOW_CLONES, Seconds(median(busy)), Seconds(median(alone)), 2.0)]
}

/// Checks that each reply is the echo or the answer to one request.
struct Ping {
    template: Vec<u8>,
    answer: &'static [u8],
    sum: usize,
}

impl Ping {
    /// `answer` is what `ok` holds, or nothing where the request itself comes back.
    fn new(answer: &'static [u8]) -> Ping {
        let mut body = vec![0x82];
        for word in ["op", "ping", "id"] {
            rmp::encode::write_str(&mut body, word).expect("a vector takes everything");
        }
        let id = format!("{:0>width$}", 0, width = PING_BYTES - 2 - body.len());
        rmp::encode::write_str(&mut body, &id).expect("a vector takes everything");
        assert_eq!(body.len(), PING_BYTES);
        Ping { template: daemon::frame(&body), answer, sum: 0 }
    }

    /// Every id from 0 on came back.
    fn check(&self, count: usize) {
        assert_eq!(self.sum, count * (count - 1) / 2, "each reply has the id of its request");
    }
}

impl Talk for Ping {
    fn request(&mut self, index: usize, output: &mut Vec<u8>) {
        let mut number = index;
        for digit in self.template.iter_mut().rev().take(PING_DIGITS) {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        output.extend_from_slice(&self.template);
    }

    fn reply(&mut self, input: &[u8]) -> Option<usize> {
        let body = body(input)?;
        let reply = Reply::parse(body);
        assert_eq!(reply.ok.unwrap_or_default(), self.answer);
        let Id::Text(id) = reply.id else { panic!("a reply has the id of its request") };
        let digits = id.iter().skip(id.len() - PING_DIGITS);
        self.sum += digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        Some(HEADER_BYTES + body.len())
    }
}

/// The 99th percentile of pings one at a time, in seconds.
fn tail(daemon: &mut Daemon, count: usize) -> f64 {
    let mut ping = Ping::new(PONG);
    let times: Vec<f64> = (0..count)
        .map(|index| daemon.wire.drive(&mut ping, index..index + 1, 1).as_secs_f64())
        .collect();
    part(times, 0.99)
}

fn clone(bench: &Bench, daemon: &mut Daemon, remote: &SlowRemote, number: usize) -> u64 {
    let path = bench.scratch.join(format!("slow-{number}"));
    let url = remote.url();
    daemon.send("sync", json!({"url": url, "branch": "main", "path": path, "depth": 0}))
}

fn cancel(daemon: &mut Daemon, clone: u64) {
    let id = daemon.send("cancel", json!({"request": clone}));
    // The answer to `cancel` and the end of the clone come in either order.
    let replies = [daemon.receive(), daemon.receive()];
    let reply = |id| replies.iter().find(|reply| reply.id == Some(id)).expect("both are answered");
    assert_eq!(reply(id).ok.as_deref(), Some(TRUE));
    assert_eq!(reply(clone).code, "cancelled");
}

const CLONES: usize = 8;
const OUTSTANDING: usize = 64;
const PING_BYTES: usize = 94;
const PING_DIGITS: usize = 8;
const PONG: &[u8] = b"\xa4pong";
const TRUE: &[u8] = b"\xc3";
