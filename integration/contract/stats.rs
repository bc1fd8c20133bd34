//! The daemon counts what it does.

use serde_json::json;

use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::Repository,
};

#[test]
fn stats_tells_times_counts_queues_and_memory() {
    let stats = Daemon::start().ok(json!({"op": "stats"}));
    let keys: Vec<&str> = stats.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted =
        ["uptime_ms", "requests", "operations", "repositories", "queues", "events", "memory"];
    assert!(wanted.iter().all(|key| keys.contains(key)), "{keys:?}");
    assert!(stats["uptime_ms"].is_u64());
}

#[test]
fn stats_counts_each_operation_and_each_failure() {
    let repository = Repository::of(&[("a", "1")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    for _ in 0..3 {
        daemon.ok(json!({"op": "head", "path": path}));
    }
    daemon.refused("not_found", json!({"op": "head", "path": repository.beside("none")}));
    let stats = daemon.ok(json!({"op": "stats"}));
    let head = &stats["operations"]["head"];
    assert_eq!((&head["count"], &head["errors"]), (&json!(4), &json!(1)), "{stats}");
    assert_eq!(stats["repositories"][path]["count"], 3, "{stats}");
    assert!(stats["requests"]["answered"].as_u64().unwrap() >= 4, "{stats}");
    assert!(stats["memory"]["resident_bytes"].as_u64().unwrap() > 100_000, "{stats}");
}

#[test]
fn stats_tells_how_full_the_queues_are() {
    let mut daemon = Daemon::start_with(&["--workers", "1", "--network", "1"]);
    for id in 0..3 {
        daemon.send(json!({"op": "fault", "kind": "stall", "ms": 600_000, "id": id}));
    }
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 3}));
    until("all have found their place", PATIENCE, || {
        let queues = daemon.ok(json!({"op": "stats"}))["queues"].clone();
        let counts =
            |queue: &str| (queues[queue]["running"].clone(), queues[queue]["waiting"].clone());
        counts("workers") == (json!(1), json!(2)) && counts("network") == (json!(1), json!(0))
    });
}
