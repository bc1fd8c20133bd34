//! What the daemon keeps in memory: doing nothing, after much work, and while it reads a file
//! that is larger than it may become.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    Bench,
    daemon::{self, Daemon},
    fixture::{HUGE_BYTES, huge_content},
    process::status_bytes,
    reply::Reply,
    table::{
        Quantity::{self, Bytes},
        Row,
    },
    text::Random,
};

pub const IDLE: &str = "resident memory, idle";
pub const GROWTH: &str = "growth over 10,000 mixed requests, from the first hundred on";
pub const GROWTH_IDLE: &str = "growth over 10,000 mixed requests, from idle on";
pub const HUGE: &str = "resident memory at most, reading a 600 MB blob by ranges";

pub fn mixed(bench: &Bench) -> Vec<Row> {
    let path = bench.fixtures.small().path.clone();
    let mut daemon = daemon::start(&[]);
    thread::sleep(Duration::from_secs(1));
    let idle = resident(&daemon);
    let mut mixture = Mixture { path, random: Random::new(5) };
    mixture.run(&mut daemon, 100);
    thread::sleep(Duration::from_secs(3));
    let before = resident(&daemon);
    mixture.run(&mut daemon, if bench.quick { 2_000 } else { 10_000 });
    thread::sleep(Duration::from_secs(3));
    let after = resident(&daemon);
    let growth = |from: u64| Bytes(after as f64 - from as f64);
    let values = |from: u64| format!("{} -> {}", bytes(from), bytes(after));
    vec![
        Row::below(IDLE, bytes(idle), Bytes(f64::from(15 << 20))),
        Row::below(GROWTH, growth(before), Bytes(f64::from(5 << 20))).beside(values(before)),
        Row::below(GROWTH_IDLE, growth(idle), Bytes(f64::from(5 << 20))).beside(values(idle)),
    ]
}

pub fn huge(bench: &Bench) -> Vec<Row> {
    let path = bench.fixtures.huge();
    let mut daemon = daemon::start(&[]);
    let mut random = Random::new(7);
    let last = (HUGE_BYTES - RANGE_BYTES) as usize;
    let ascending = (0..HUGE_BYTES).step_by(RANGE_BYTES as usize);
    let anywhere = (0..if bench.quick { 3 } else { 10 }).map(|_| random.below(last) as u64);
    let offsets: Vec<u64> = ascending.chain(anywhere).collect();
    for offset in offsets {
        let arguments = json!({
            "path": path, "file": "blob", "rev": "HEAD", "encoding": "binary",
            "offset": offset, "length": RANGE_BYTES,
        });
        let body = daemon.call_raw("read", arguments);
        let right = Reply::parse(&body).bytes() == huge_content(offset, RANGE_BYTES);
        assert!(right, "the range at {offset} has the right content");
    }
    let peak = status_bytes(daemon.wire.process(), "VmHWM");
    vec![Row::below(HUGE, bytes(peak), Bytes(f64::from(100 << 20)))]
}

/// Everything a client asks of a repository, and some of what it should not.
struct Mixture {
    path: String,
    random: Random,
}

impl Mixture {
    fn run(&mut self, daemon: &mut Daemon, count: usize) {
        let (mut sent, mut answered) = (0, 0);
        let mut wanted = std::collections::HashMap::new();
        while answered < count {
            while sent < count && sent - answered < 16 {
                let (operation, arguments, code) = self.request();
                wanted.insert(daemon.send(operation, arguments), (operation, code));
                sent += 1;
            }
            let reply = daemon.receive();
            let id = reply.id.expect("a reply has the id of its request");
            let (operation, code) = wanted.remove(&id).expect("each is answered once");
            assert_eq!(reply.code, code, "{operation}: {}", reply.err);
            answered += 1;
        }
    }

    /// An operation, its arguments, and the code of the error it must get, if any.
    fn request(&mut self) -> (&'static str, Value, &'static str) {
        let area = format!("area-{:02}/part-{:02}", self.random.below(10), self.random.below(10));
        let file = format!("{area}/file-{:02}.yaml", self.random.below(50));
        let path = self.path.as_str();
        match self.random.below(100) {
            0..40 => ("read", json!({"path": path, "file": file, "rev": "HEAD"}), ""),
            40..55 => ("read", json!({"path": path, "file": file}), ""),
            55..65 => ("files", json!({"path": path, "subpath": area}), ""),
            65..68 => ("files", json!({"path": path, "rev": "HEAD~1", "recursive": true}), ""),
            68..78 => ("head", json!({"path": path}), ""),
            78..82 => ("log", json!({"path": path}), ""),
            82..83 => ("log", json!({"path": path, "paths": [file]}), ""),
            83..86 => ("diff", json!({"path": path, "range": "HEAD~2..HEAD~1"}), ""),
            86..87 => ("diff", json!({"path": path, "range": "HEAD~1..HEAD", "patch": true}), ""),
            87..89 => ("status", json!({"path": path}), ""),
            89..92 => {
                ("read", json!({"path": path, "file": "no/such", "rev": "HEAD"}), "not_found")
            }
            92..94 => ("files", json!({"path": path, "rev": "no-such-branch"}), "not_found"),
            94..96 => ("read", json!({"path": path, "file": "../secret"}), "denied"),
            96..98 => ("head", json!({"path": path, "pth": path}), "bad_request"),
            _ => ("haed", json!({"path": path}), "unknown_operation"),
        }
    }
}

fn resident(daemon: &Daemon) -> u64 {
    status_bytes(daemon.wire.process(), "VmRSS")
}

fn bytes(count: u64) -> Quantity {
    Bytes(count as f64)
}

const RANGE_BYTES: u64 = 1 << 20;
