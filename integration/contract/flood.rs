//! Ten thousand requests at once, of every kind and with every misfortune: one reply for each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, request_frame},
    repository::{Repository, varied},
};

const REQUESTS: u64 = 10_000;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

fn request(number: u64, dice: &mut Dice, repository: &Repository) -> Value {
    let path = repository.path();
    // One in twenty takes the id of an earlier request, which may still wait for its reply.
    let id = if dice.below(20) == 0 { number - dice.below(number.min(200) + 1) } else { number };
    let mut request = match dice.below(100) {
        0..20 => json!({"op": "ping"}),
        20..40 => json!({"op": "read", "path": path, "file": "README.md", "rev": "HEAD"}),
        40..50 => json!({"op": "read", "path": path, "file": "long.txt"}),
        50..60 => json!({"op": "head", "path": path}),
        60..65 => json!({"op": "files", "path": path, "recursive": true}),
        65..70 => json!({"op": "log", "path": path, "limit": 2}),
        70..73 => json!({"op": "status", "path": path}),
        73..76 => json!({"op": "checkout", "path": path, "sha": "HEAD"}),
        76..82 => {
            let request = id_of(number - dice.below(number.min(300) + 1));
            json!({"op": "cancel", "request": request})
        }
        82..86 => json!({"op": "fault", "kind": "panic"}),
        86..92 => json!({"op": "fault", "kind": "stall", "ms": 1 + dice.below(4)}),
        92..94 => json!({"op": "nothing"}),
        94..96 => json!({"op": "read", "path": path, "unknown": 1}),
        96..98 => json!({"op": "batch", "requests": [{"op": "ping"}, {"op": "ping"}]}),
        _ => json!({"op": "stats"}),
    };
    if dice.below(10) == 0 {
        request["timeout_ms"] = (1 + dice.below(300)).into();
    }
    request["id"] = id_of(id);
    request
}

fn id_of(number: u64) -> Value {
    if number.is_multiple_of(3) { format!("text {number}").into() } else { number.into() }
}

fn flood(flags: &[&str]) {
    let repository = varied();
    let mut dice = Dice(42);
    let mut daemon = Daemon::start_with(flags);
    let requests: Vec<Value> =
        (0..REQUESTS).map(|number| request(number, &mut dice, &repository)).collect();
    let bytes: Vec<u8> = requests.iter().flat_map(request_frame).collect();
    daemon.send_bytes(&bytes);
    let replies = daemon.receive_many(requests.len());
    let (asked, answered) = (count_ids(&requests), count_ids(&replies));
    let wrong: Vec<&Value> = requests
        .iter()
        .chain(&replies)
        .filter(|frame| {
            let id = frame["id"].to_string();
            asked.get(&id) != answered.get(&id)
        })
        .collect();
    assert!(wrong.is_empty(), "not one reply for each request: {wrong:#?}");

    let count = |code: &str| replies.iter().filter(|reply| reply["code"] == code).count();
    let done = replies.iter().filter(|reply| reply.get("ok").is_some()).count();
    let failed: usize = ["timeout", "cancelled", "internal", "bad_request", "unknown_operation"]
        .into_iter()
        .map(|code| {
            assert!(count(code) > 0, "none was {code}");
            count(code)
        })
        .sum();
    assert_eq!(done + failed + count("busy"), requests.len());
    assert_eq!(daemon.ok(json!({"op": "ping"})), "pong");
    let end = daemon.end();
    assert_eq!(end.frames.len(), 0, "{:?}", end.frames);
    assert_eq!(end.status.code(), Some(0));
}

fn count_ids(frames: &[Value]) -> BTreeMap<String, usize> {
    frames.iter().fold(BTreeMap::new(), |mut counts, frame| {
        *counts.entry(frame["id"].to_string()).or_default() += 1;
        counts
    })
}

#[test]
fn each_of_10000_requests_gets_exactly_one_reply() {
    flood(&["--waiting", "20000"]);
}

#[test]
fn each_of_10000_requests_gets_exactly_one_reply_where_few_may_wait() {
    flood(&["--waiting", "64"]);
}
