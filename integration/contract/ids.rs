//! Requests with an id are carried out side by side, but writes of one repository in order.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::replies_by_id;
use crate::{daemon::Daemon, repository::Repository};

#[test]
fn a_quick_request_overtakes_a_slow_one() {
    let origin = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start_with(&["--workers", "2"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 2000, "id": 1}));
    daemon.send(json!({"op": "ping", "id": 2}));
    assert_eq!(daemon.receive(), json!({"id": 2, "ok": "pong"}));
    daemon.send(json!({"op": "head", "path": origin.path(), "id": 3}));
    assert_eq!(daemon.receive()["id"], 3);
    assert_eq!(daemon.receive(), json!({"id": 1, "ok": true}));
}

#[test]
fn requests_without_an_id_stay_in_order_while_those_with_one_pass_them() {
    let mut daemon = Daemon::start_with(&["--workers", "2"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1500}));
    daemon.send(json!({"op": "hello"}));
    daemon.send(json!({"op": "ping", "id": "fast"}));
    assert_eq!(daemon.receive(), json!({"id": "fast", "ok": "pong"}));
    assert_eq!(daemon.receive(), json!({"ok": true}));
    assert_eq!(daemon.receive()["ok"]["protocol"], 1);
}

#[test]
fn every_permitted_id_comes_back_as_it_was() {
    let long = "i".repeat(128);
    let ids = [
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!("x"),
        json!("1"),
        json!("grün"),
        json!(long),
    ];
    let mut daemon = Daemon::start();
    for id in ids {
        assert_eq!(daemon.call(json!({"op": "ping", "id": id})), json!({"id": id, "ok": "pong"}));
        let refused = daemon.refused("unknown_operation", json!({"op": "nothing", "id": id}));
        assert_eq!(refused["id"], id);
    }
}

#[test]
fn an_id_of_another_kind_is_a_bad_request() {
    let mut daemon = Daemon::start();
    let bytes = crate::msgpack::bin(b"id");
    let long = json!("i".repeat(129));
    for id in [json!(""), long, json!(1.5), json!(true), json!([1]), json!({}), bytes] {
        let reply = daemon.refused("bad_request", json!({"op": "ping", "id": id}));
        assert_eq!(reply["field"], "id");
        assert_eq!(reply.get("id"), None);
    }
}

#[test]
fn an_id_that_waits_for_its_reply_is_refused() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1000, "id": 5}));
    let reply = daemon.refused("bad_request", json!({"op": "ping", "id": 5}));
    assert_eq!(reply["id"], 5);
    assert_eq!(daemon.receive(), json!({"id": 5, "ok": true}));
}

#[test]
fn an_answered_id_may_be_used_again() {
    let mut daemon = Daemon::start();
    for _ in 0..3 {
        assert_eq!(daemon.call(json!({"op": "ping", "id": 5})), json!({"id": 5, "ok": "pong"}));
    }
}

#[test]
fn a_number_and_a_text_are_different_ids() {
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 500, "id": 7}));
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 500, "id": "7"}));
    let replies = replies_by_id(&mut daemon, 2);
    assert_eq!(replies["7"]["ok"], true);
    assert_eq!(replies["\"7\""]["ok"], true);
}

#[test]
fn writes_of_one_repository_run_in_the_order_they_came() {
    let repository = Repository::of(&[("a", "1")]);
    let first = repository.head();
    repository.write("a", "2");
    let second = repository.commit("second");
    let link = repository.beside("link");
    symlink(repository.path(), &link).unwrap();
    let other = Repository::of(&[("b", "1")]);
    let path = repository.path();
    let mut daemon = Daemon::start_with(&["--workers", "4"]);
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 1500, "path": path, "id": 1}));
    daemon.send(json!({"op": "checkout", "path": path, "sha": second, "id": 2}));
    daemon.send(json!({"op": "checkout", "path": link, "sha": "HEAD~1", "id": 3}));
    daemon.send(json!({"op": "head", "path": path, "id": 4}));
    assert_eq!(daemon.receive()["id"], 4, "reading waits for no writer");
    daemon.send(json!({"op": "checkout", "path": other.path(), "sha": "HEAD", "id": 5}));
    let ids: Vec<Value> =
        daemon.receive_many(4).into_iter().map(|reply| reply["id"].clone()).collect();
    assert_eq!(ids, [5, 1, 2, 3]);
    assert_eq!(repository.head(), first);
}
