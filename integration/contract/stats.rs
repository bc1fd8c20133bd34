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
fn stats_tells_how_long_each_operation_took() {
    let mut daemon = Daemon::start();
    for ms in [0, 0, 0, 0, 0, 0, 0, 0, 0, 40] {
        daemon.ok(json!({"op": "fault", "kind": "stall", "ms": ms}));
    }
    let stats = daemon.ok(json!({"op": "stats"}));
    let stalls = &stats["operations"]["fault"];
    let latency = |name: &str| stalls["latency_us"][name].as_u64().unwrap();
    let (p50, p90) = (latency("p50"), latency("p90"));
    let (p99, max) = (latency("p99"), latency("max"));
    assert!(0 < p50 && p50 <= p90 && p90 <= p99, "{stalls}");
    assert_eq!(p99, max, "one of ten is the slowest: {stalls}");
    assert!(max >= 40_000, "{stalls}");
    let histogram = stalls["histogram"].as_array().unwrap();
    let rows = histogram.iter().map(|row| (row[0].as_u64().unwrap(), row[1].as_u64().unwrap()));
    let rows: Vec<(u64, u64)> = rows.collect();
    assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>(), 10, "{stalls}");
    assert!(rows.iter().all(|(bound, count)| bound.is_power_of_two() && 0 < *count), "{stalls}");
    assert!(rows.is_sorted_by_key(|(bound, _)| *bound), "{stalls}");
    let (last, _) = rows.last().unwrap();
    assert!(max < *last && last / 2 <= max, "{stalls}");
    assert!(stats["operations"].get("head").is_none(), "only what was asked for: {stats}");
}

#[test]
fn stats_counts_what_got_to_an_operation_and_a_batch_as_one() {
    let mut daemon = Daemon::start();
    let ping = json!({"op": "ping"});
    daemon.ok(json!({"op": "batch", "requests": [ping, ping, {"op": "nothing"}]}));
    daemon.refused("unknown_operation", json!({"op": "nothing"}));
    daemon.refused("bad_request", json!({"op": "head"}));
    let stats = daemon.ok(json!({"op": "stats"}));
    let requests = &stats["requests"];
    assert_eq!(*requests, json!({"answered": 2, "errors": 1, "waiting": 0, "running": 0}));
    let names: Vec<&String> = stats["operations"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["batch", "head"]);
    assert_eq!(stats["events"], json!({"sent": 0, "dropped": 0}));
    assert_eq!(stats["repositories"], json!({}));
}

#[test]
fn repositories_beyond_a_thousand_share_a_row() {
    let mut daemon = Daemon::start();
    for number in 0..1003 {
        let request = json!({"op": "head", "path": format!("/none/{number}"), "id": number});
        daemon.refused("not_found", request);
    }
    let repositories = daemon.ok(json!({"op": "stats"}))["repositories"].clone();
    assert_eq!(repositories.as_object().unwrap().len(), 1001);
    assert_eq!(repositories["/none/999"], json!({"count": 1, "errors": 1}));
    assert_eq!(repositories["other"], json!({"count": 3, "errors": 3}));
}

#[test]
fn stats_tells_how_full_the_queues_are() {
    let flags = ["--workers", "1", "--network", "1", "--waiting", "40"];
    let mut daemon = Daemon::start_with(&flags);
    let limits = daemon.ok(json!({"op": "hello"}))["limits"].clone();
    assert_eq!((&limits["waiting"], &limits["waiting_network"]), (&json!(40), &json!(10)));
    for id in 0..3 {
        daemon.send(json!({"op": "fault", "kind": "stall", "ms": 600_000, "id": id}));
    }
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 3}));
    until("all have found their place", PATIENCE, || {
        let queues = daemon.ok(json!({"op": "stats"}))["queues"].clone();
        assert_eq!(queues["workers"]["limit"], limits["waiting"]);
        assert_eq!(queues["network"]["limit"], limits["waiting_network"]);
        let counts =
            |queue: &str| (queues[queue]["running"].clone(), queues[queue]["waiting"].clone());
        counts("workers") == (json!(1), json!(2)) && counts("network") == (json!(1), json!(0))
    });
}
