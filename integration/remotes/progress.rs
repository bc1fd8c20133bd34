//! A client that subscribed hears how a sync gets on; one that did not hears nothing.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Place, each_way, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        http::HttpServer,
        origin::{Origin, noise},
        relay::{Kind, Relay},
    },
};

/// All events before the next reply, and the reply.
fn events(daemon: &mut Daemon) -> (Vec<Value>, Value) {
    let mut events = Vec::new();
    loop {
        let frame = daemon.receive();
        match frame.get("event") {
            Some(_) => events.push(frame),
            None => return (events, frame),
        }
    }
}

fn is_well_formed(events: &[Value], request: &Value) {
    let stages = ["connecting", "receiving", "resolving", "checkout"];
    for (number, event) in events.iter().enumerate() {
        let mut keys: Vec<_> = event.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        let expected =
            ["bytes", "done", "dropped", "event", "op", "request", "seq", "stage", "total"];
        assert_eq!(keys, expected, "{event}");
        assert_eq!(event["event"], "progress");
        assert_eq!(event["op"], "sync");
        assert_eq!(&event["request"], request, "{event}");
        assert!(stages.iter().any(|stage| event["stage"] == *stage), "{event}");
        assert_eq!(event["dropped"], 0, "{event}");
        let (done, total) = (event["done"].as_u64().unwrap(), event["total"].as_u64().unwrap());
        assert!(total == 0 || done <= total, "{event}");
        if number > 0 {
            let before = &events[number - 1];
            assert_eq!(event["seq"].as_u64(), before["seq"].as_u64().map(|it| it + 1));
            assert!(event["bytes"].as_u64() >= before["bytes"].as_u64(), "{before} then {event}");
            let stage = |event: &Value| stages.iter().position(|it| event["stage"] == *it);
            assert!(stage(event) >= stage(before), "{before} then {event}");
            if stage(event) == stage(before) {
                assert!(done >= before["done"].as_u64().unwrap(), "{before} then {event}");
            }
        }
    }
}

/// An origin of many small files: a pack whose objects come one after the other.
fn of_many_files() -> Origin {
    let origin = Origin::new();
    let files: Vec<_> = (0..200).map(|it| (format!("{it}.bin"), noise(500, it + 1))).collect();
    let files: Vec<_> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    origin.commit_all("main", &files);
    origin
}

#[test]
fn a_subscriber_hears_of_each_stage_at_most_ten_times_a_second() {
    let origin = of_many_files();
    let server = HttpServer::start(origin.folder());
    let relay = Relay::to(server.address());
    let url = server.url_at(&relay.address().to_string(), "open/project.git");
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        let subscribe = json!({"op": "subscribe", "events": ["progress"]});
        assert_eq!(daemon.ok(subscribe), json!({"events": ["progress"]}));
        let mut seen = 0;
        for id in [Value::Null, json!("with an id"), json!(7)] {
            let place = Place::new();
            relay.fail_after(2_000, Kind::Slow);
            let start = Instant::now();
            daemon.send(with(sync(&url, &place.path()), json!({"id": id})));
            let (events, reply) = events(&mut daemon);
            assert_eq!(reply["ok"], origin.tip("main"), "{reply}");
            is_well_formed(&events, &id);
            assert_eq!(events[0]["seq"], seen + 1);
            seen += events.len() as u64;
            let bound = 10.0 * start.elapsed().as_secs_f64() + 5.0;
            assert!((events.len() as f64) < bound, "{} events, at most {bound}", events.len());
            let mut receiving = events.iter().filter(|event| event["stage"] == "receiving");
            assert!(receiving.clone().count() >= 2, "{events:?}");
            assert!(receiving.next_back().unwrap()["bytes"].as_u64() > Some(1_000), "{events:?}");
        }
    });
}

#[test]
fn nobody_who_did_not_subscribe_hears_anything() {
    let origin = of_many_files();
    let server = HttpServer::start(origin.folder());
    let relay = Relay::to(server.address());
    let url = server.url_at(&relay.address().to_string(), "open/project.git");
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for subscription in [None, Some(json!(["progress"]))] {
            if let Some(events) = subscription {
                daemon.ok(json!({"op": "subscribe", "events": events}));
                let none = json!({"op": "subscribe", "events": []});
                assert_eq!(daemon.ok(none), json!({"events": []}));
            }
            let place = Place::new();
            relay.fail_after(50_000, Kind::Slow);
            let reply = daemon.call(sync(&url, &place.path()));
            assert_eq!(reply, json!({"ok": origin.tip("main")}), "the first frame is the reply");
        }
        assert_eq!(daemon.end().frames, Vec::<Value>::new());
    });
}

#[test]
fn events_of_two_syncs_name_their_requests() {
    let origin = of_many_files();
    let server = HttpServer::start(origin.folder());
    let relay = Relay::to(server.address());
    let url = server.url_at(&relay.address().to_string(), "open/project.git");
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "subscribe", "events": ["progress"]}));
    relay.fail_after(2_000, Kind::Slow);
    let places = [Place::new(), Place::new()];
    for (id, place) in places.iter().enumerate() {
        daemon.send(with(sync(&url, &place.path()), json!({"id": id})));
    }
    let (mut all, first) = events(&mut daemon);
    let (more, second) = events(&mut daemon);
    all.extend(more);
    assert_ne!(first["id"], second["id"]);
    for (number, event) in all.iter().enumerate() {
        assert_eq!(event["seq"], number + 1, "one count for all");
    }
    for id in 0..2 {
        assert!(all.iter().any(|event| event["request"] == id), "{all:?}");
    }
}
