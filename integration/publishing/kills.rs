//! Whoever publishes may be killed at any instant: a version is there whole or not at all, what was
//! answered for is there, and the next one needs no help.

use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{definition, getting, publishing, versions};
use crate::{daemon::Daemon, repository::Repository};

const KILLS: usize = 20;
/// So many versions are on their way when the kill comes.
const ASKED: usize = 24;

#[test]
fn a_repository_has_each_version_whole_or_not_at_all() {
    let repository = Repository::init(&["--bare"]);
    survive(&json!({"path": repository.path()}));
    repository.expect_sound();
}

#[test]
fn a_folder_has_each_version_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    survive(&json!({"store": {"folder": folder.path()}}));
}

fn survive(place: &Value) {
    for kill in 0..KILLS {
        let asked: Vec<String> = (0..ASKED).map(|it| format!("1.{kill}.{it}")).collect();
        let replies = kill_while_publishing(place, &asked);
        let mut daemon = Daemon::start();
        let listed = if kill == 0 { Vec::new() } else { versions(&mut daemon, place) };
        for version in &asked {
            let content = definition(version, "ours");
            let was_answered = replies.get(version).is_some_and(|it| it["ok"]["created"] == true);
            let got = daemon.call(getting(place, version));
            match got.get("ok") {
                Some(got) => {
                    assert_eq!(got["content"], content, "{version} is torn");
                    let other = publishing(place, &definition(version, "theirs"));
                    daemon.refused("already_exists", other);
                }
                None => {
                    assert_eq!(got["code"], "not_found", "{got}");
                    assert!(!was_answered, "{version} was answered for");
                    assert!(!listed.contains(version));
                }
            }
            daemon.ok(publishing(place, &content));
            assert_eq!(daemon.ok(getting(place, version))["content"], content);
        }
        assert_eq!(versions(&mut daemon, place).len(), (kill + 1) * ASKED);
    }
}

/// The replies that came before the kill, by version.
fn kill_while_publishing(place: &Value, asked: &[String]) -> BTreeMap<String, Value> {
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "ping"}));
    for version in asked {
        let mut request = publishing(place, &definition(version, "ours"));
        request["id"] = json!(version);
        daemon.send(request);
    }
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    sleep(Duration::from_micros(u64::from(nanos / 100 % 30_000)));
    daemon.signal(Signal::KILL);
    let replies = daemon.rest().frames.into_iter();
    replies.map(|it| (it["id"].as_str().unwrap().to_owned(), it)).collect()
}
