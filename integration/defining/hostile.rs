//! Definitions that try to exhaust whoever reads or plays them are refused.

use serde_json::json;

use super::exhausting::definitions;
use crate::{daemon::Daemon, processes::resident_bytes_max, repository::Repository};

const BYTES_MAX: u64 = 200 << 20;

#[test]
fn what_would_exhaust_the_engine_is_invalid_or_too_large_and_needs_little_memory() {
    let mut daemon = Daemon::start();
    let repository = Repository::init(&["--bare"]);
    for (what, content) in definitions() {
        let reply = daemon.call(json!({
            "op": "process.publish", "path": repository.path(), "content": content,
            "encoding": "utf8",
        }));
        let code = reply["code"].as_str().unwrap_or("none");
        assert!(code == "invalid" || code == "too_large", "{what}: {reply}");
        for op in ["process.lint", "process.test"] {
            let files = json!([{"file": "hostile.yaml", "content": content}]);
            let reply = daemon.call(json!({"op": op, "drafts": files, "encoding": "utf8"}));
            assert!(reply.get("ok").is_some(), "{what}: {op}: {reply}");
        }
    }
    assert!(resident_bytes_max(daemon.id()) < BYTES_MAX);
    assert_eq!(daemon.ok(json!({"op": "ping"})), "pong");
}
