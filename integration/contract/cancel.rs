//! Cancelling ends a request that waits for its reply, and tells whether there was one.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{AT_ONCE, replies_by_id};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::Repository,
};

#[test]
fn a_waiting_request_is_cancelled_and_never_carried_out() {
    let repository = Repository::of(&[("a", "1")]);
    let before = repository.head();
    repository.write("a", "2");
    let after = repository.commit("second");
    let path = repository.path();
    let mut daemon = Daemon::start_with(&["--workers", "2"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1500, "path": path, "id": 1}));
    daemon.send(json!({"op": "checkout", "path": path, "sha": before, "id": "waits"}));
    daemon.send(json!({"op": "cancel", "request": "waits", "id": 3}));
    let replies = replies_by_id(&mut daemon, 3);
    assert_eq!(replies["\"waits\""]["code"], "cancelled");
    assert_eq!(replies["3"]["ok"], true);
    assert_eq!(replies["1"]["ok"], true);
    assert!(daemon.end().status.success());
    assert_eq!(repository.head(), after);
}

#[test]
fn cancelling_ends_the_process_that_does_the_work() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 1}));
    until("a child works", PATIENCE, || !daemon.children().is_empty());
    daemon.send(json!({"op": "cancel", "request": 1, "id": 2}));
    let replies = replies_by_id(&mut daemon, 2);
    assert_eq!(replies["1"]["code"], "cancelled");
    assert_eq!(replies["2"]["ok"], true);
    until("the child is gone", AT_ONCE, || daemon.children().is_empty());
}

#[test]
fn a_running_request_that_cannot_stop_is_answered_at_once_and_never_again() {
    let mut daemon = Daemon::start_with(&["--workers", "1"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1500, "id": 1}));
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1, "id": 2}));
    daemon.send(json!({"op": "cancel", "request": 1, "id": 3}));
    let replies = replies_by_id(&mut daemon, 3);
    assert_eq!(replies["1"]["code"], "cancelled");
    assert_eq!(replies["2"]["ok"], true);
    assert_eq!(replies["3"]["ok"], true);
    assert_eq!(daemon.end().frames.len(), 0);
}

#[test]
fn a_worktree_being_reset_is_reset_to_the_end_all_the_same() {
    let repository = Repository::new();
    for number in 0..5000 {
        repository.write(format!("{}/{number}", number % 50), format!("{number}\n"));
    }
    let full = repository.commit("many files");
    repository.git(&["rm", "-rq", "."]);
    repository.write("a", "1");
    let few = repository.commit("one file");
    let path = repository.path();
    let mut daemon = Daemon::start();
    let mut was_cancelled = false;
    let [full, few] = [(&full, "0/0"), (&few, "a")];
    for (sha, seen) in [full, few, full] {
        daemon.send(json!({"op": "checkout", "path": path, "sha": sha, "id": "reset"}));
        // What is to be done has been found out, and files are put in place.
        let deadline = Instant::now() + PATIENCE;
        while !repository.file(seen).exists() {
            assert!(Instant::now() < deadline, "the worktree is not being reset");
            std::thread::sleep(Duration::from_micros(200));
        }
        daemon.send(json!({"op": "cancel", "request": "reset", "id": "end"}));
        let replies = replies_by_id(&mut daemon, 2);
        let was_waiting = &replies["\"end\""]["ok"];
        let code = &replies["\"reset\""]["code"];
        assert_eq!(*was_waiting == true, code == "cancelled", "{replies:?}");
        // The next one that writes comes after it.
        daemon.ok(json!({"op": "fault", "kind": "stall", "ms": 0, "path": path}));
        let status = daemon.ok(json!({"op": "status", "path": path}));
        assert_eq!(status["head"], **sha);
        assert_eq!(status["entries"], json!([]), "of {sha}, cancelled: {was_waiting}");
        was_cancelled |= *was_waiting == true;
    }
    assert!(was_cancelled, "a reset of so many files takes its time");
}

#[test]
fn there_is_nothing_to_cancel_once_the_reply_came() {
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "ping", "id": 1}));
    assert_eq!(daemon.ok(json!({"op": "cancel", "request": 1})), false);
    assert_eq!(daemon.ok(json!({"op": "cancel", "request": 1, "id": 2})), false);
    assert_eq!(daemon.ok(json!({"op": "cancel", "request": "never sent", "id": 3})), false);
}

#[test]
fn a_request_is_cancelled_once() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 1}));
    daemon.send(json!({"op": "cancel", "request": 1, "id": 2}));
    daemon.send(json!({"op": "cancel", "request": 1, "id": 3}));
    let replies = replies_by_id(&mut daemon, 3);
    assert_eq!(replies["1"]["code"], "cancelled");
    assert_eq!(replies["2"]["ok"], true);
    assert_eq!(replies["3"]["ok"], false);
}

#[test]
fn cancel_itself_needs_no_id_but_names_one() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 1}));
    daemon.send(json!({"op": "cancel", "request": 1}));
    let replies = daemon.receive_many(2);
    let reply = replies.iter().find(|reply| reply.get("id").is_none()).unwrap();
    assert_eq!(*reply, json!({"ok": true}));
    for wrong in [json!({"op": "cancel"}), json!({"op": "cancel", "request": true})] {
        assert_eq!(daemon.refused("bad_request", wrong)["field"], "request");
    }
}
