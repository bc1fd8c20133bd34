//! A bug costs the request that met it; a stray print costs nothing.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::AT_ONCE;
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::Repository,
};

fn fault(kind: &str, id: u32) -> Value {
    json!({"op": "fault", "kind": kind, "id": id})
}

#[test]
fn a_panic_is_internal_and_costs_only_its_request() {
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start_with(&["--workers", "2"]);
    for id in 0..40 {
        daemon.send(fault("panic", 2 * id));
        daemon.send(json!({"op": "head", "path": repository.path(), "id": 2 * id + 1}));
    }
    for reply in daemon.receive_many(80) {
        match reply["id"].as_u64().unwrap() % 2 {
            0 => assert_eq!(reply["code"], "internal", "{reply}"),
            _ => assert_eq!(reply["ok"]["sha"], repository.head(), "{reply}"),
        }
    }
    daemon.refused("internal", json!({"op": "fault", "kind": "panic"}));
    daemon.ok(json!({"op": "ping"}));
    assert!(daemon.end().status.success());
}

#[test]
fn a_panic_while_a_request_is_read_costs_only_that() {
    let mut daemon = Daemon::start();
    let unreadable = json!({"op": "fault", "kind": "print", "unreadable": true});
    daemon.refused("internal", unreadable.clone());
    let batch = json!({"op": "batch", "requests": [unreadable, {"op": "ping"}]});
    let replies = daemon.ok(batch);
    assert_eq!((&replies[0]["code"], &replies[1]["ok"]), (&json!("internal"), &json!("pong")));
    assert!(daemon.end().status.success());
}

#[test]
fn a_panic_in_a_write_does_not_block_its_repository() {
    let repository = Repository::of(&[("a", "1")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 100, "path": path, "id": 1}));
    daemon.send(json!({"op": "fault", "kind": "panic", "path": path, "id": 2}));
    daemon.send(json!({"op": "checkout", "path": path, "sha": "HEAD", "id": 3}));
    let mut replies = daemon.receive_many(3);
    // They are done one after the other; of two that are, the second may be told of first.
    replies.sort_by_key(|it| it["id"].as_u64());
    assert_eq!(replies[0], json!({"id": 1, "ok": true}));
    assert_eq!((&replies[1]["id"], &replies[1]["code"]), (&json!(2), &json!("internal")));
    assert_eq!(replies[2], json!({"id": 3, "ok": repository.head()}));
}

#[test]
fn stray_prints_reach_stderr_and_no_frame() {
    let mut daemon = Daemon::start();
    for id in 0..20 {
        daemon.send(fault("print", id));
        daemon.send(json!({"op": "ping", "id": 100 + id}));
        daemon.send(fault("child_print", 200 + id));
    }
    for reply in daemon.receive_many(60) {
        assert!(reply["ok"] == true || reply["ok"] == "pong", "{reply}");
    }
    // Each of 20 prints in the daemon and of 20 in a child is there, whole and once.
    let printed = daemon.stderr();
    for line in ["a stray line from Rust", "a stray line from C"] {
        let count = printed.lines().filter(|printed| *printed == line).count();
        assert_eq!(count, 40, "{line}:\n{printed}");
    }
    let end = daemon.end();
    assert!(end.frames.is_empty() && end.status.success(), "{:?}", end.frames);
}

#[test]
fn a_child_that_crashes_is_internal_and_costs_only_its_request() {
    let repository = Repository::of(&[("a", "1")]);
    let remote = json!({"op": "lsremote", "url": repository.path(), "branch": "main"});
    let mut daemon = Daemon::start();
    for _ in 0..5 {
        daemon.refused("internal", fault("child_crash", 1));
        assert_eq!(daemon.ok(remote.clone()), repository.head());
    }
}

#[test]
fn a_child_killed_by_another_is_answered_too() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 1}));
    until("a child works", PATIENCE, || !daemon.children().is_empty());
    for child in daemon.children() {
        let id = Pid::from_raw(child.id.cast_signed()).unwrap();
        kill_process(id, Signal::KILL).unwrap();
    }
    let reply = daemon.receive();
    assert_eq!((&reply["id"], &reply["code"]), (&json!(1), &json!("internal")));
    daemon.ok(json!({"op": "fault", "kind": "child_stall", "ms": 1}));
}

#[test]
fn children_do_not_outlive_their_work() {
    let mut daemon = Daemon::start();
    for id in 0..10 {
        daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 1, "id": id}));
    }
    daemon.receive_many(10);
    until("no child is left", AT_ONCE, || daemon.children().is_empty());
    let family = daemon.family();
    assert!(daemon.end().status.success());
    until("all are gone", AT_ONCE, || family.iter().all(|process| !process.is_alive()));
}

#[test]
fn killing_the_daemon_ends_its_children() {
    let mut daemon = Daemon::start();
    for id in 0..3 {
        daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": id}));
    }
    until("a child works", PATIENCE, || !daemon.children().is_empty());
    let family = daemon.family();
    daemon.signal(Signal::KILL);
    let gone = || family.iter().all(|process| !process.is_alive());
    until("no process is left", AT_ONCE, gone);
}
