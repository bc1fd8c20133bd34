//! The daemon says who it is, and serves a client all the same that never asks.

use serde_json::{Value, json};

use crate::daemon::Daemon;

const OPERATIONS: &[&str] = &[
    "batch",
    "branch",
    "branches",
    "cancel",
    "checkout",
    "commit",
    "diff",
    "files",
    "head",
    "hello",
    "lock",
    "locks",
    "log",
    "lsremote",
    "maintain",
    "merge",
    "note",
    "note.remove",
    "notes",
    "ping",
    "policy.check",
    "policy.denials",
    "policy.get",
    "policy.remove",
    "policy.set",
    "process.get",
    "process.graph",
    "process.lint",
    "process.list",
    "process.publish",
    "process.test",
    "push",
    "read",
    "receipt.get",
    "receipt.list",
    "receipt.verify",
    "ref.update",
    "refs",
    "renew",
    "run.cancel",
    "run.fork",
    "run.get",
    "run.graph",
    "run.history",
    "run.list",
    "run.migrate",
    "run.prune",
    "run.resume",
    "run.retry",
    "run.signal",
    "run.start",
    "run.suspend",
    "run.verify",
    "shutdown",
    "stats",
    "status",
    "subscribe",
    "sync",
    "tag",
    "tags",
    "task.claim",
    "task.complete",
    "task.credit",
    "task.fail",
    "task.heartbeat",
    "task.list",
    "task.release",
    "task.subscribe",
    "trigger.list",
    "trigger.pause",
    "trigger.resume",
    "trigger.test",
    "unlock",
    "verify",
    "workspace.create",
    "workspace.delete",
    "workspace.export",
    "workspace.import",
    "workspace.imported",
    "workspace.info",
    "workspace.list",
    "workspace.restore",
];

fn sorted(list: &Value) -> Vec<String> {
    let mut names: Vec<String> =
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn hello_tells_version_operations_events_features_and_limits() {
    let reply = Daemon::start().ok(json!({"op": "hello", "protocol": 1, "client": "a test"}));
    let keys: Vec<&str> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted =
        ["protocol", "program", "version", "libgit2", "operations", "events", "features", "limits"];
    assert!(wanted.iter().all(|key| keys.contains(key)), "{keys:?}");
    assert_eq!(reply["protocol"], 1);
    assert_eq!(reply["program"], "gitport");
    assert_eq!(reply["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(reply["events"], json!(["progress"]));
    let mut features = vec!["faults", "postgres", "s3", "vendored-openssl"];
    features.retain(|it| *it != "vendored-openssl" || cfg!(feature = "vendored-openssl"));
    features.retain(|it| *it != "postgres" || cfg!(feature = "postgres"));
    features.retain(|it| *it != "s3" || cfg!(feature = "s3"));
    assert_eq!(sorted(&reply["features"]), features);
    let operations = sorted(&reply["operations"]);
    let public: Vec<&String> = operations.iter().filter(|name| *name != "fault").collect();
    assert_eq!(public, OPERATIONS.iter().collect::<Vec<_>>());
    let libgit2: Vec<u32> =
        reply["libgit2"].as_str().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(libgit2 >= vec![1, 9, 7], "{libgit2:?}");
}

#[test]
fn hello_tells_the_limits_in_force() {
    let limits = Daemon::start().ok(json!({"op": "hello"}))["limits"].clone();
    assert_eq!(limits["request_bytes"], 16 << 20);
    assert_eq!(limits["reply_bytes"], 256 << 20);
    assert_eq!(limits["depth"], 64);
    assert_eq!(limits["waiting"], 1024);
    assert_eq!(limits["batch"], 1000);
    assert_eq!(limits["network_timeout_ms"], 600_000);
    assert_eq!(limits["waiting_network"], 256, "a quarter");

    let flags = ["--request-bytes-max", "5000", "--reply-bytes-max", "6000", "--waiting", "7"];
    let flags = [&flags[..], &["--network-timeout-ms", "8000"]].concat();
    let limits = Daemon::start_with(&flags).ok(json!({"op": "hello"}))["limits"].clone();
    assert_eq!(limits["request_bytes"], 5000);
    assert_eq!(limits["reply_bytes"], 6000);
    assert_eq!(limits["waiting"], 7);
    assert_eq!(limits["network_timeout_ms"], 8000);
}

#[test]
fn another_protocol_is_unsupported() {
    let mut daemon = Daemon::start();
    for protocol in [0, 2, 99] {
        daemon.refused("unsupported", json!({"op": "hello", "protocol": protocol}));
    }
    daemon.ok(json!({"op": "ping"}));
}

#[test]
fn every_operation_that_hello_names_is_known() {
    let mut daemon = Daemon::start();
    let operations = daemon.ok(json!({"op": "hello"}))["operations"].clone();
    for operation in operations.as_array().unwrap() {
        let reply = daemon.refused("bad_request", json!({"op": operation, "wrong": 1}));
        assert!(reply["field"].is_string(), "{operation} got {reply}");
    }
}

#[test]
fn an_unknown_operation_is_told_with_its_nearest() {
    let mut daemon = Daemon::start();
    for (name, nearest) in [("synk", "sync"), ("ls_remote", "lsremote"), ("Read", "read")] {
        let reply = daemon.refused("unknown_operation", json!({"op": name}));
        assert_eq!(reply["nearest"], nearest, "{name}");
    }
    daemon.refused("unknown_operation", json!({"op": "completely different"}));
}
