//! Sixteen writers publish the same versions at once, each with bytes of its own.

use std::{collections::BTreeMap, thread};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{definition, getting, publishing};
use crate::{daemon::Daemon, repository::Repository};

const DAEMONS: usize = 4;
const WRITERS_OF_ONE: usize = 4;
const VERSIONS: usize = 60;

#[test]
fn a_repository_has_one_winner_of_each_version_and_tells_every_other() {
    let repository = Repository::init(&["--bare"]);
    race(&json!({"path": repository.path()}));
    repository.expect_sound();
    let notes = repository.git(&["notes", "--ref=gitvan/definitions", "list"]);
    assert_eq!(notes.lines().count(), VERSIONS);
}

#[test]
fn a_folder_has_one_winner_of_each_version_and_tells_every_other() {
    let folder = TempDir::new().unwrap();
    race(&json!({"store": {"folder": folder.path()}}));
    let left = std::fs::read_dir(folder.path().join("ship")).unwrap().count();
    assert_eq!(left, 2 * VERSIONS, "nothing is left aside");
}

/// One winner of each version, and the truth for everybody else.
pub fn race(place: &Value) {
    let outcomes: Vec<(String, String, Value)> = thread::scope(|scope| {
        let racers = (0..DAEMONS).map(|number| scope.spawn(move || race_one(place, number)));
        let racers: Vec<_> = racers.collect();
        racers.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(outcomes.len(), DAEMONS * WRITERS_OF_ONE * VERSIONS);
    let mut winners: BTreeMap<&str, (&str, &Value)> = BTreeMap::new();
    for (version, word, reply) in &outcomes {
        if reply["ok"]["created"] == true {
            let earlier = winners.insert(version, (word, &reply["ok"]["sha256"]));
            assert_eq!(earlier, None, "two winners of {version}");
        }
    }
    assert_eq!(winners.len(), VERSIONS);
    for (version, word, reply) in &outcomes {
        let (winner, sha256) = winners[version.as_str()];
        if word != winner {
            assert_eq!((&reply["code"], &reply["actual"]), (&json!("already_exists"), sha256));
        }
    }
    let mut daemon = Daemon::start();
    for (version, (winner, sha256)) in winners {
        let got = daemon.ok(getting(place, version));
        assert_eq!(got["content"], definition(version, winner));
        assert_eq!(&got["sha256"], sha256);
    }
}

/// What the writers of one daemon are told: version, word and reply.
fn race_one(place: &Value, number: usize) -> Vec<(String, String, Value)> {
    let mut daemon = Daemon::start_with(&["--workers", "4"]);
    let mut waiting = BTreeMap::new();
    for version in (0..VERSIONS).map(|it| format!("1.{it}.0")) {
        for writer in 0..WRITERS_OF_ONE {
            let word = format!("{number}-{writer}");
            let id = format!("{version} {word}");
            waiting.insert(id.clone(), (version.clone(), word.clone()));
            send(&mut daemon, place, &id, &version, &word);
        }
    }
    let mut outcomes = Vec::new();
    while !waiting.is_empty() {
        let reply = daemon.receive();
        let id = reply["id"].as_str().unwrap().to_owned();
        let (version, word) = waiting[&id].clone();
        // Another daemon writes: that is to be asked again.
        if reply["code"] == "locked" || reply["code"] == "busy" {
            send(&mut daemon, place, &id, &version, &word);
            continue;
        }
        waiting.remove(&id);
        outcomes.push((version, word, reply));
    }
    outcomes
}

fn send(daemon: &mut Daemon, place: &Value, id: &str, version: &str, word: &str) {
    let mut request = publishing(place, &definition(version, word));
    request["id"] = json!(id);
    daemon.send(request);
}
