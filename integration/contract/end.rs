//! However it is told to end, the daemon answers all it has taken, and says with its status how
//! that went.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::replies_by_id;
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
};

fn stall(id: u32, ms: u32) -> Value {
    json!({"op": "fault", "kind": "stall", "ms": ms, "id": id})
}

fn child_stall(id: u32, ms: u32) -> Value {
    json!({"op": "fault", "kind": "child_stall", "ms": ms, "id": id})
}

#[test]
fn shutdown_finishes_what_runs_refuses_what_comes_and_is_answered_last() {
    let mut daemon = Daemon::start();
    daemon.send(stall(1, 700));
    daemon.send(child_stall(2, 700));
    daemon.send(json!({"op": "shutdown", "id": 3}));
    daemon.send(json!({"op": "ping", "id": 4}));
    daemon.send(json!({"op": "nothing", "id": 5}));
    let end = daemon.rest();
    let ids: Vec<&Value> = end.frames.iter().map(|frame| &frame["id"]).collect();
    assert_eq!(end.frames.len(), 5, "{ids:?}");
    assert_eq!(end.frames[0]["code"], "unavailable");
    assert_eq!(end.frames[4], json!({"id": 3, "ok": {"finished": 2, "cancelled": 0}}));
    let refused = end.frames.iter().find(|frame| frame["id"] == 4).unwrap();
    assert_eq!(refused["code"], "unavailable");
    for id in [1, 2] {
        assert!(end.frames.contains(&json!({"id": id, "ok": true})), "{:?}", end.frames);
    }
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn shutdown_cancels_what_is_left_after_its_grace() {
    let mut daemon = Daemon::start_with(&["--workers", "1"]);
    daemon.send(child_stall(1, 600_000));
    daemon.send(stall(2, 600_000));
    daemon.send(stall(3, 600_000));
    daemon.send(json!({"op": "shutdown", "grace_ms": 300, "id": 4}));
    let end = daemon.rest();
    assert_eq!(end.frames.len(), 4, "{:?}", end.frames);
    assert_eq!(end.frames[3], json!({"id": 4, "ok": {"finished": 0, "cancelled": 3}}));
    assert!(end.frames[..3].iter().all(|frame| frame["code"] == "cancelled"), "{:?}", end.frames);
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn shutdown_of_an_idle_daemon_is_answered_at_once() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "shutdown"}));
    let end = daemon.rest();
    assert_eq!(end.frames, [json!({"ok": {"finished": 0, "cancelled": 0}})]);
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn shutdown_without_an_id_comes_after_the_requests_before_it() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 300}));
    daemon.send(json!({"op": "ping"}));
    daemon.send(json!({"op": "shutdown"}));
    let end = daemon.rest();
    assert_eq!(end.frames[..2], [json!({"ok": true}), json!({"ok": "pong"})]);
    assert!(end.frames[2]["ok"]["finished"].is_u64(), "{:?}", end.frames);
    assert_eq!(end.frames.len(), 3);
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn a_second_shutdown_is_refused_like_every_request() {
    let mut daemon = Daemon::start();
    daemon.send(stall(1, 500));
    daemon.send(json!({"op": "shutdown", "id": 2}));
    daemon.send(json!({"op": "shutdown", "id": 3}));
    let end = daemon.rest();
    assert_eq!(end.frames.len(), 3, "{:?}", end.frames);
    assert_eq!((&end.frames[0]["id"], &end.frames[0]["code"]), (&json!(3), &json!("unavailable")));
    assert_eq!(end.frames[2]["id"], 2);
}

#[test]
fn at_the_end_of_the_input_what_was_taken_is_finished() {
    let mut daemon = Daemon::start();
    daemon.send(stall(1, 300));
    daemon.send(child_stall(2, 300));
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 300}));
    daemon.send(json!({"op": "ping"}));
    let end = daemon.end();
    assert_eq!(end.frames.len(), 4, "{:?}", end.frames);
    assert!(end.frames.iter().all(|frame| frame.get("ok").is_some()), "{:?}", end.frames);
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn after_the_grace_of_the_daemon_the_rest_is_cancelled_and_answered() {
    let mut daemon = Daemon::start_with(&["--grace-ms", "300", "--workers", "1"]);
    for request in [child_stall(1, 600_000), stall(2, 600_000), stall(3, 1)] {
        daemon.send(request);
    }
    daemon.send(json!({"op": "ping", "id": 4}));
    daemon.close_input();
    let replies = replies_by_id(&mut daemon, 4);
    assert_eq!(replies["4"]["ok"], "pong");
    for id in ["1", "2", "3"] {
        assert_eq!(replies[id]["code"], "cancelled", "{replies:?}");
    }
    let end = daemon.rest();
    assert_eq!((end.frames.len(), end.status.code()), (0, Some(0)));
}

#[test]
fn the_grace_without_ids_ends_the_queue_too() {
    let mut daemon = Daemon::start_with(&["--grace-ms", "200"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 600_000}));
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 600_000}));
    let end = daemon.end();
    assert_eq!(end.frames.len(), 2, "{:?}", end.frames);
    assert!(end.frames.iter().all(|frame| frame["code"] == "cancelled"), "{:?}", end.frames);
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn sigterm_is_an_end_like_that_of_the_input() {
    let mut daemon = Daemon::start_with(&["--grace-ms", "1500"]);
    daemon.send(child_stall(1, 600_000));
    daemon.send(stall(2, 300));
    until("a child works", PATIENCE, || !daemon.children().is_empty());
    daemon.ok(json!({"op": "ping", "id": 3}));
    daemon.signal(Signal::TERM);
    let end = daemon.rest();
    assert_eq!(end.frames.len(), 2, "{:?}", end.frames);
    assert!(end.frames.contains(&json!({"id": 2, "ok": true})), "{:?}", end.frames);
    assert!(end.frames.iter().any(|frame| frame["code"] == "cancelled"), "{:?}", end.frames);
    assert_eq!(end.status.code(), Some(0));
}

#[test]
fn of_two_shutdowns_the_first_is_carried_out_and_both_are_answered() {
    let mut daemon = Daemon::start();
    // The one without an id waits for the request before it, and the other one overtakes it.
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 300}));
    daemon.send(json!({"op": "shutdown"}));
    daemon.send(json!({"op": "shutdown", "id": 1}));
    let end = daemon.rest();
    assert_eq!(end.frames[0], json!({"ok": true}));
    assert_eq!(end.frames[1]["code"], "unavailable");
    assert_eq!(end.frames[1].get("id"), None);
    assert_eq!(end.frames[2]["id"], 1);
    assert!(end.frames[2]["ok"].is_object(), "{:?}", end.frames);
    assert_eq!((end.frames.len(), end.status.code()), (3, Some(0)));
}

#[test]
fn sigterm_ends_an_idle_daemon() {
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "ping"}));
    daemon.signal(Signal::TERM);
    let end = daemon.rest();
    assert_eq!((end.frames.len(), end.status.code()), (0, Some(0)));
}

#[test]
fn a_signal_ends_the_first_process_of_a_container_too() {
    let alone = ["unshare", "-pf", "--kill-child"];
    let tried = Command::new(alone[0]).args(&alone[1..]).arg("true").output().unwrap();
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr);
        crate::skipped("a signal to process 1", &format!("there can be none here: {why}"));
        return;
    }
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::started_by(&alone);
        daemon.send(stall(1, 300));
        daemon.ok(json!({"op": "ping", "id": 2}));
        let [first] = daemon.children()[..] else { panic!("{:?}", daemon.children()) };
        let status = std::fs::read_to_string(format!("/proc/{}/status", first.id)).unwrap();
        let ids = status.lines().find(|line| line.starts_with("NSpid:")).unwrap();
        assert!(ids.ends_with("\t1"), "{ids}");
        kill_process(Pid::from_raw(first.id.cast_signed()).unwrap(), signal).unwrap();
        let end = daemon.rest();
        assert_eq!(end.frames, [json!({"id": 1, "ok": true})]);
        assert_eq!(end.status.code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_bare_call_without_a_terminal_serves_too() {
    use std::{io::Write, process::Stdio};
    let home = tempfile::TempDir::new().unwrap();
    let mut command = crate::daemon::program(home.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let request = crate::daemon::request_frame(&json!({"op": "ping"}));
    process.stdin.take().unwrap().write_all(&request).unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"\0\0\0\x09\x81\xa2ok\xa4pong");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_end_of_the_input_takes_no_shutdown_its_reply() {
    for _ in 0..20 {
        let mut daemon = Daemon::start();
        daemon.send(stall(1, 1));
        daemon.send(json!({"op": "shutdown", "id": 2}));
        let end = daemon.end();
        assert_eq!(end.frames.len(), 2, "{:?}", end.frames);
        assert_eq!(end.frames[1]["id"], 2);
        assert!(end.frames[1]["ok"].is_object(), "{:?}", end.frames);
        assert_eq!(end.status.code(), Some(0));
    }
}

#[test]
fn whoever_closes_stdin_still_gets_every_reply() {
    let repository = crate::repository::Repository::of(&[("large", &"x".repeat(100_000))]);
    let mut daemon = Daemon::start();
    let read = json!({
        "op": "read", "path": repository.path(), "rev": "HEAD", "file": "large",
        "encoding": "binary", "id": 0,
    });
    daemon.call(read.clone());
    for id in 1..=300 {
        let mut read = read.clone();
        read["id"] = json!(id);
        daemon.send(read);
    }
    let end = daemon.end();
    assert_eq!((end.frames.len(), end.status.code()), (300, Some(0)));
}
