//! A batch carries out its requests one after the other and answers with all their replies.

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::Repository,
};

fn two_commits() -> (Repository, String, String) {
    let repository = Repository::of(&[("a.yaml", "1")]);
    let first = repository.head();
    repository.write("a.yaml", "2");
    let second = repository.commit("second");
    (repository, first, second)
}

#[test]
fn the_replies_stand_in_the_order_of_the_requests() {
    let (repository, first, second) = two_commits();
    let path = repository.path();
    let requests = json!([
        {"op": "ping"},
        {"op": "fault", "kind": "stall", "ms": 50},
        {"op": "checkout", "path": path, "sha": first},
        {"op": "read", "path": path, "file": "a.yaml", "encoding": "utf8"},
        {"op": "read", "path": path, "file": "none"},
        {"op": "checkout", "path": path, "sha": second},
        {"op": "read", "path": path, "file": "a.yaml", "encoding": "utf8"},
    ]);
    let mut daemon = Daemon::start();
    for id in [json!(null), json!(1)] {
        let request = json!({"op": "batch", "requests": requests, "id": id});
        let request = if id.is_null() { without_id(request) } else { request };
        let reply = daemon.call(request);
        let replies = reply["ok"].as_array().unwrap();
        assert_eq!(replies[..4], [ok("pong"), ok(true), ok(&*first), ok("1")]);
        assert_eq!(replies[4]["code"], "not_found");
        assert!(replies[4]["err"].is_string());
        assert_eq!(replies[5..], [ok(&*second), ok("2")]);
        assert_eq!(reply.get("id").cloned().unwrap_or_default(), id);
    }
}

fn ok(value: impl Into<Value>) -> Value {
    json!({"ok": value.into()})
}

fn without_id(mut request: Value) -> Value {
    request.as_object_mut().unwrap().remove("id");
    request
}

#[test]
fn after_a_failed_one_the_rest_is_cancelled_where_that_is_wished() {
    let (repository, first, second) = two_commits();
    let path = repository.path();
    let request = json!({"op": "batch", "stop_on_error": true, "requests": [
        {"op": "ping"},
        {"op": "read", "path": path, "file": "none"},
        {"op": "checkout", "path": path, "sha": first},
        {"op": "ping"},
    ]});
    let replies = Daemon::start().ok(request);
    assert_eq!(replies.as_array().unwrap().len(), 4);
    assert_eq!(replies[0], json!({"ok": "pong"}));
    assert_eq!(replies[1]["code"], "not_found");
    assert_eq!(replies[2]["code"], "cancelled");
    assert_eq!(replies[3]["code"], "cancelled");
    assert_eq!(repository.head(), second);
}

#[test]
fn what_cannot_be_in_a_batch_is_a_bad_request_and_the_rest_is_carried_out() {
    let forbidden = [
        json!({"op": "batch", "requests": [{"op": "ping"}]}),
        json!({"op": "cancel", "request": 1}),
        json!({"op": "subscribe", "events": []}),
        json!({"op": "shutdown"}),
        json!({"op": "ping", "id": 1}),
        json!({"op": "ping", "timeout_ms": 100}),
        json!({"op": "ping", "wrong": 1}),
        json!({}),
        json!("ping"),
        json!(null),
    ];
    let mut daemon = Daemon::start();
    for member in forbidden {
        let requests = [json!({"op": "ping"}), member.clone(), json!({"op": "ping"})];
        let replies = daemon.ok(json!({"op": "batch", "requests": requests}));
        assert_eq!(replies.as_array().unwrap().len(), 3);
        assert_eq!(replies[1]["code"], "bad_request", "{member} got {replies}");
        assert!(replies[1]["err"].is_string(), "{member} got {replies}");
        assert_eq!((&replies[0], &replies[2]), (&ok("pong"), &ok("pong")), "{member}");
    }
}

#[test]
fn a_batch_has_1_to_1000_requests() {
    let mut daemon = Daemon::start();
    let mut batch = |count: usize| {
        let requests = vec![json!({"op": "ping"}); count];
        daemon.call(json!({"op": "batch", "requests": requests}))
    };
    assert_eq!(batch(1)["ok"], json!([{"ok": "pong"}]));
    assert_eq!(batch(1000)["ok"].as_array().unwrap().len(), 1000);
    for count in [0, 1001] {
        let reply = batch(count);
        assert_eq!(reply["code"], "bad_request");
        assert_eq!(reply["field"], "requests");
    }
}

#[test]
fn cancelling_a_batch_keeps_what_was_done_and_does_no_more() {
    let (repository, first, second) = two_commits();
    let path = repository.path();
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "batch", "id": 1, "requests": [
        {"op": "checkout", "path": path, "sha": first},
        {"op": "fault", "kind": "stall", "ms": 1500},
        {"op": "checkout", "path": path, "sha": second},
    ]}));
    until("the first is done", PATIENCE, || repository.head() == first);
    daemon.send(json!({"op": "cancel", "request": 1, "id": 2}));
    let replies = super::replies_by_id(&mut daemon, 2);
    assert_eq!(replies["1"]["code"], "cancelled");
    assert_eq!(replies["2"]["ok"], true);
    let end = daemon.end();
    assert!(end.frames.is_empty() && end.status.success());
    assert_eq!(repository.head(), first);
}

#[test]
fn a_deadline_is_for_the_whole_batch() {
    let (repository, first, second) = two_commits();
    let path = repository.path();
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "batch", "timeout_ms": 2000, "requests": [
        {"op": "checkout", "path": path, "sha": first},
        {"op": "fault", "kind": "stall", "ms": 4000},
        {"op": "checkout", "path": path, "sha": second},
    ]}));
    let reply = daemon.receive();
    assert_eq!((&reply["code"], &reply["timeout_ms"]), (&json!("timeout"), &json!(2000)));
    assert!(daemon.end().status.success());
    assert_eq!(repository.head(), first);
}

#[test]
fn a_panic_in_a_batch_costs_one_request() {
    let request = json!({"op": "batch", "requests": [
        {"op": "fault", "kind": "panic"},
        {"op": "ping"},
    ]});
    let replies = Daemon::start().ok(request);
    assert_eq!(replies[0]["code"], "internal");
    assert_eq!(replies[1], json!({"ok": "pong"}));
}

#[test]
fn what_a_batch_writes_waits_for_its_turn() {
    let (repository, first, _) = two_commits();
    let path = repository.path();
    let mut daemon = Daemon::start_with(&["--workers", "4"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 800, "path": path, "id": 1}));
    daemon.send(json!({"op": "batch", "id": 2, "requests": [
        {"op": "checkout", "path": path, "sha": first},
    ]}));
    let ids: Vec<Value> = daemon.receive_many(2).iter().map(|reply| reply["id"].clone()).collect();
    assert_eq!(ids, [1, 2]);
    assert_eq!(repository.head(), first);
}

#[test]
fn a_read_after_a_checkout_sees_what_was_checked_out() {
    let repository = Repository::of(&[("a", "1\n")]);
    let first = repository.head();
    repository.write("a", "2\n");
    let second = repository.commit("second");
    let path = repository.path();
    let mut daemon = Daemon::start();
    let read = json!({"op": "read", "path": path, "rev": "HEAD", "file": "a", "encoding": "utf8"});
    let checkout = |sha: &str| json!({"op": "checkout", "path": path, "sha": sha});
    for _ in 0..20 {
        let requests =
            json!([checkout(&first), read, read, checkout(&second), read, checkout(&first), read]);
        let replies = daemon.ok(json!({"op": "batch", "requests": requests}));
        let contents = [1, 2, 4, 6].map(|it: usize| replies[it]["ok"].as_str().unwrap());
        assert_eq!(contents, ["1\n", "1\n", "2\n", "1\n"]);
    }
}

#[test]
fn a_batch_that_grows_beyond_a_reply_ends_there() {
    let repository = Repository::of(&[("large", &"x".repeat(200_000))]);
    let mut daemon = Daemon::start_with(&["--reply-bytes-max", "1000000"]);
    let read = json!({"op": "read", "path": repository.path(), "file": "large"});
    let requests = vec![read; 1000];
    let reply = daemon.refused("too_large", json!({"op": "batch", "requests": requests}));
    assert!(reply["bytes"].as_u64() < Some(2_000_000), "{reply}");
}
