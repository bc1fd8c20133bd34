//! Events come to those who asked, in order, and only about what still runs.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, request_frame},
    processes::{PATIENCE, until, until_still},
    repository::Repository,
};

fn many_files() -> Repository {
    let repository = Repository::new();
    for number in 0..400 {
        repository.write(format!("folder-{}/{number}.txt", number % 20), format!("{number}\n"));
    }
    repository.commit("many");
    repository
}

fn sync(origin: &Repository, name: &str, id: Value) -> Value {
    let path = origin.beside(name);
    let mut request =
        json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path, "id": id});
    if id.is_null() {
        request.as_object_mut().unwrap().remove("id");
    }
    request
}

/// The events before the next reply, and the reply.
fn next_reply(daemon: &mut Daemon) -> (Vec<Value>, Value) {
    let mut events = Vec::new();
    loop {
        let frame = daemon.receive();
        if frame.get("event").is_none() {
            return (events, frame);
        }
        events.push(frame);
    }
}

/// Sends a request and reads nothing meanwhile.
fn offer(daemon: &mut Daemon, request: &Value) {
    let frame = request_frame(request);
    assert_eq!(daemon.offer_bytes(&frame), frame.len());
}

#[test]
fn the_progress_of_a_sync_comes_before_its_reply() {
    let origin = many_files();
    let mut daemon = Daemon::start();
    let answer = daemon.ok(json!({"op": "subscribe", "events": ["progress"]}));
    assert_eq!(answer, json!({"events": ["progress"]}));
    let mut seen = 0;
    for id in [json!("mine"), json!(7), json!(null)] {
        daemon.send(sync(&origin, &format!("clone-{id}"), id.clone()));
        let (events, reply) = next_reply(&mut daemon);
        assert_eq!(reply["ok"], origin.head());
        assert!(!events.is_empty(), "a clone of many files has progress to tell");
        for event in events {
            seen += 1;
            assert_eq!(event["event"], "progress");
            assert_eq!(event["seq"], seen);
            assert_eq!(event["dropped"], 0);
            assert_eq!(event["request"], id);
            assert_eq!(event["op"], "sync");
            let stage = event["stage"].as_str().unwrap();
            assert!(
                ["connecting", "receiving", "resolving", "checkout"].contains(&stage),
                "{event}"
            );
            let (done, total) = (event["done"].as_u64().unwrap(), event["total"].as_u64().unwrap());
            assert!(total == 0 || done <= total, "{event}");
            assert!(event["bytes"].is_u64(), "{event}");
            assert!(event.get("id").is_none(), "{event}");
        }
    }
    assert_eq!(daemon.end().frames.len(), 0, "no event follows the last reply");
}

#[test]
fn an_empty_list_ends_the_events() {
    let origin = many_files();
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "subscribe", "events": ["progress"]}));
    assert_eq!(daemon.ok(json!({"op": "subscribe", "events": []})), json!({"events": []}));
    daemon.ok(sync(&origin, "clone", json!(1)));
    assert_eq!(daemon.end().frames.len(), 0);
}

#[test]
fn an_event_that_does_not_exist_is_a_bad_request() {
    let mut daemon = Daemon::start();
    for events in [json!(["progres"]), json!(["progress", "other"]), json!("progress"), json!(1)] {
        let reply = daemon.refused("bad_request", json!({"op": "subscribe", "events": events}));
        assert!(reply["field"].as_str().unwrap().starts_with("events"), "{reply}");
    }
    assert_eq!(daemon.refused("bad_request", json!({"op": "subscribe"}))["field"], "events");
}

#[test]
fn a_client_that_does_not_read_gets_its_replies_and_a_count_of_what_was_dropped() {
    let origin = many_files();
    let large = TempDir::new().unwrap();
    fs::write(large.path().join("large"), vec![7; 6 << 20]).unwrap();
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "subscribe", "events": ["progress"]}));
    // One fills the pipe and one waits behind it: no room for events, but some for requests.
    for id in ["large 1", "large 2"] {
        let request = json!({"op": "read", "path": large.path(), "file": "large", "id": id,
                             "encoding": "binary"});
        offer(&mut daemon, &request);
    }
    until_still(daemon.id());
    for id in 0..10 {
        offer(&mut daemon, &sync(&origin, &format!("clone-{id}"), json!(id)));
    }
    until("all is done that nobody hears of", PATIENCE, || {
        (0..10).all(|id| origin.beside(&format!("clone-{id}")).exists())
    });
    let mut events = Vec::new();
    for _ in 0..12 {
        let (before, reply) = next_reply(&mut daemon);
        events.extend(before);
        let id = &reply["id"];
        assert!(id.is_string() || reply["ok"] == origin.head(), "{id}: {}", reply["code"]);
    }
    daemon.send(sync(&origin, "clone-heard", json!("heard")));
    let (heard, reply) = next_reply(&mut daemon);
    assert_eq!(reply["ok"], origin.head());
    assert!(!heard.is_empty());
    events.extend(heard);

    let (mut sequence, mut dropped) = (0, 0);
    for event in &events {
        let before = event["dropped"].as_u64().unwrap();
        (sequence, dropped) = (sequence + 1 + before, dropped + before);
        assert_eq!(event["seq"], sequence, "seq counts the dropped ones too");
    }
    assert!(dropped > 0, "{events:?}");
    let counts = daemon.ok(json!({"op": "stats"}))["events"].clone();
    assert_eq!(counts, json!({"sent": events.len(), "dropped": dropped}));
}
