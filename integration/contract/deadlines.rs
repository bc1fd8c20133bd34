//! A request is answered by its deadline, once, whatever it is doing.

use serde_json::json;

use super::{AT_ONCE, replies_by_id};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::Repository,
};

#[test]
fn a_running_request_past_its_deadline_is_answered_with_timeout_and_never_again() {
    let mut daemon = Daemon::start_with(&["--workers", "2"]);
    let stall = |id: u32, ms: u32| json!({"op": "fault", "kind": "stall", "ms": ms, "id": id});
    let mut limited = stall(1, 2000);
    limited["timeout_ms"] = 100.into();
    daemon.send(limited);
    let reply = daemon.receive();
    assert_eq!(reply["id"], 1);
    assert_eq!(reply["code"], "timeout");
    assert_eq!(reply["timeout_ms"], 100);
    daemon.send(stall(2, 2500));
    assert_eq!(daemon.receive(), json!({"id": 2, "ok": true}));
    let end = daemon.end();
    assert_eq!(end.frames.len(), 0, "{:?}", end.frames);
    assert!(end.status.success());
}

#[test]
fn a_waiting_request_past_its_deadline_is_answered_while_it_waits() {
    let mut daemon = Daemon::start_with(&["--workers", "1"]);
    let repository = Repository::of(&[("a", "1")]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1500, "id": 1}));
    daemon.send(json!({"op": "head", "path": repository.path(), "timeout_ms": 50, "id": 2}));
    let reply = daemon.receive();
    assert_eq!((&reply["id"], &reply["code"]), (&json!(2), &json!("timeout")));
    assert_eq!(daemon.receive(), json!({"id": 1, "ok": true}));
}

#[test]
fn a_deadline_ends_the_process_that_does_the_work() {
    let mut daemon = Daemon::start();
    let request =
        json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "timeout_ms": 1500, "id": 1});
    daemon.send(request);
    until("a child works", PATIENCE, || !daemon.children().is_empty());
    let reply = daemon.receive();
    assert_eq!((&reply["code"], &reply["timeout_ms"]), (&json!("timeout"), &json!(1500)));
    until("the child is gone", AT_ONCE, || daemon.children().is_empty());
}

#[test]
fn the_limit_of_the_daemon_for_network_work_is_a_timeout_too() {
    let mut daemon = Daemon::start_with(&["--network-timeout-ms", "200"]);
    let reply = daemon
        .refused("timeout", json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 1}));
    assert_eq!(reply["timeout_ms"], 200);
    until("the child is gone", AT_ONCE, || daemon.children().is_empty());
}

#[test]
fn a_deadline_keeps_the_order_of_requests_without_an_id() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 700, "timeout_ms": 50}));
    daemon.send(json!({"op": "ping", "timeout_ms": 60_000}));
    assert_eq!(daemon.receive()["code"], "timeout");
    assert_eq!(daemon.receive(), json!({"ok": "pong"}));
}

#[test]
fn a_write_whose_deadline_passed_while_it_waited_does_not_happen() {
    let repository = Repository::of(&[("a", "1")]);
    let before = repository.head();
    repository.write("a", "2");
    let after = repository.commit("second");
    let path = repository.path();
    let mut daemon = Daemon::start_with(&["--workers", "2"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1000, "path": path, "id": 1}));
    let checkout =
        json!({"op": "checkout", "path": path, "sha": before, "timeout_ms": 50, "id": 2});
    daemon.send(checkout);
    let replies = replies_by_id(&mut daemon, 2);
    assert_eq!(replies["2"]["code"], "timeout");
    assert!(daemon.end().status.success());
    assert_eq!(repository.head(), after);
}

#[test]
fn a_request_that_is_done_in_time_is_not_disturbed() {
    let mut daemon = Daemon::start();
    for _ in 0..50 {
        daemon.ok(json!({"op": "ping", "timeout_ms": 86_400_000}));
    }
    assert_eq!(daemon.end().frames.len(), 0);
}

#[test]
fn a_timeout_is_a_whole_number_of_milliseconds_up_to_a_day() {
    let mut daemon = Daemon::start();
    for wrong in [json!(0), json!(-1), json!(86_400_001), json!(u64::MAX), json!(1.5), json!("5")] {
        let request = json!({"op": "ping", "timeout_ms": wrong, "id": 9});
        let reply = daemon.refused("bad_request", request);
        assert_eq!((&reply["field"], &reply["id"]), (&json!("timeout_ms"), &json!(9)));
    }
    daemon.ok(json!({"op": "ping", "timeout_ms": 1000}));
}
