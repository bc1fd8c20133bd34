//! Events come to those who asked, in order, and only about what still runs.

use serde_json::{Value, json};

use crate::{daemon::Daemon, repository::Repository};

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
            assert!(["connecting", "receiving", "checkout"].contains(&stage), "{event}");
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
    let mut daemon = Daemon::start_with(&["--grace-ms", "600000"]);
    daemon.ok(json!({"op": "subscribe", "events": ["progress"]}));
    let requests = 10;
    for id in 0..requests {
        let request = sync(&origin, &format!("clone-{id}"), json!(id));
        let frame = crate::daemon::request_frame(&request);
        assert_eq!(daemon.offer_bytes(&frame), frame.len());
    }
    daemon.close_input();
    let end = daemon.rest();
    let (events, replies): (Vec<&Value>, Vec<&Value>) =
        end.frames.iter().partition(|frame| frame.get("event").is_some());
    assert_eq!(replies.len(), requests);
    assert!(replies.iter().all(|reply| reply["ok"] == origin.head()), "{replies:?}");
    let mut sequence = 0;
    for event in events {
        sequence += 1 + event["dropped"].as_u64().unwrap();
        assert_eq!(event["seq"], sequence, "seq counts the dropped ones too");
    }
}
