//! A full queue refuses what comes next and says when to come again; quick requests never wait.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::replies_by_id;
use crate::{daemon::Daemon, repository::Repository};

#[test]
fn what_finds_no_place_to_wait_is_refused_with_a_time_to_come_again() {
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start_with(&["--workers", "1", "--waiting", "2"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1500, "id": 0}));
    for id in 1..=10 {
        daemon.send(json!({"op": "head", "path": repository.path(), "id": id}));
    }
    let replies = replies_by_id(&mut daemon, 11);
    assert_eq!(replies["0"]["ok"], true);
    let (busy, done): (Vec<&Value>, Vec<&Value>) =
        replies.values().partition(|reply| reply["code"] == "busy");
    assert!(busy.iter().all(|reply| reply["retry_after_ms"].as_u64().unwrap() > 0), "{busy:?}");
    assert!(done.iter().all(|reply| reply.get("ok").is_some()), "{done:?}");
    assert!(busy.len() >= 7, "at most two wait and one is taken: {replies:?}");
    assert!(done.len() >= 2, "the stall and one that waits: {replies:?}");
}

#[test]
fn a_full_queue_of_network_work_refuses_too() {
    let mut daemon = Daemon::start_with(&["--network", "1", "--waiting", "1"]);
    for id in 0..8 {
        daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 300, "id": id}));
    }
    let replies = replies_by_id(&mut daemon, 8);
    let count = |wanted: fn(&Value) -> bool| replies.values().filter(|one| wanted(one)).count();
    let done = count(|reply| reply["ok"] == true);
    let busy = count(|reply| reply["code"] == "busy" && reply["retry_after_ms"].is_u64());
    assert_eq!(done + busy, 8, "{replies:?}");
    assert!(done >= 1 && busy >= 1, "{replies:?}");
}

#[test]
fn ping_stats_and_hello_are_answered_while_every_worker_and_every_place_is_taken() {
    let mut daemon = Daemon::start_with(&["--workers", "1", "--network", "1", "--waiting", "1"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 2500, "id": "worker"}));
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1, "id": "waits"}));
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 2500, "id": "child"}));
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 1, "id": "child waits"}));
    for op in ["ping", "stats", "hello"] {
        daemon.send(json!({"op": op, "id": op}));
    }
    let mut replies = HashMap::new();
    while replies.len() < 7 {
        let reply = daemon.receive();
        replies.insert(reply["id"].as_str().unwrap().to_owned(), replies.len());
    }
    for quick in ["ping", "stats", "hello"] {
        for slow in ["worker", "child"] {
            assert!(replies[quick] < replies[slow], "{quick} came after {slow}: {replies:?}");
        }
    }
}

/// A commit in a batch, with a content of so many bytes.
fn large_batch(repository: &Repository, id: u64, bytes: usize) -> Value {
    let changes = json!([{"file": format!("f{id}"), "content": " ".repeat(bytes)}]);
    json!({"op": "batch", "id": id, "requests": [{"op": "commit", "path": repository.path(),
        "branch": "main", "message": "m", "encoding": "utf8", "changes": changes}]})
}

#[test]
fn the_bytes_of_batches_that_wait_are_bounded_too() {
    const MIB: usize = 1 << 20;
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start();
    daemon.send(json!({
        "op": "fault", "kind": "stall", "ms": 3000, "path": repository.path(), "id": 0,
    }));
    (1..=6).for_each(|id| daemon.send(large_batch(&repository, id, 15 * MIB)));
    let replies = replies_by_id(&mut daemon, 7);
    let taken = replies.values().filter(|it| it["ok"][0]["ok"].is_object()).count();
    let busy = replies.values().filter(|it| it["code"] == "busy" && it["retry_after_ms"] == 100);
    assert_eq!((taken, busy.count()), (4, 2));
    // They count no more.
    daemon.send(large_batch(&repository, 7, 15 * MIB));
    assert!(daemon.receive()["ok"][0]["ok"].is_object());
}

#[test]
fn a_request_that_is_larger_than_what_may_wait_is_taken_where_nothing_waits() {
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start_with(&["--request-bytes-max", "100000000"]);
    daemon.send(large_batch(&repository, 1, 70 << 20));
    assert!(daemon.receive()["ok"][0]["ok"].is_object());
    let mut alone = large_batch(&repository, 2, 70 << 20)["requests"][0].take();
    daemon.ok(alone.clone());
    alone["id"] = json!(3);
    alone["changes"][0]["file"] = json!("other");
    daemon.ok(alone);
}

#[test]
fn a_daemon_that_was_busy_serves_again() {
    let mut daemon = Daemon::start_with(&["--workers", "1", "--waiting", "1"]);
    for id in 0..20 {
        daemon.send(json!({"op": "fault", "kind": "stall", "ms": 20, "id": id}));
    }
    replies_by_id(&mut daemon, 20);
    for id in 0..20 {
        daemon.ok(json!({"op": "fault", "kind": "stall", "ms": 1, "id": id}));
    }
}
