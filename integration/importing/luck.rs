//! Whoever is killed, gives up or comes in between, nothing is lost and nothing doubled.

use std::{io::Read, time::Duration};

use rustix::process::Signal;
use serde_json::json;

use super::{Place, import, state, with};
use crate::{
    processes::{PATIENCE, until},
    servers::{acceptor::Acceptor, postgres::Postgres},
    snapshots::Shape,
};

const MANY: Shape = Shape { states: 1500, files: 30, bytes: 200 };

#[test]
fn killed_again_and_again_it_goes_on_and_makes_the_same_commits() {
    let place = Place::new();
    let from = place.sqlite(MANY);
    let head = place.daemon().ok(import("whole", &from))["head"].clone();
    let mut before = 0;
    for round in 0..20 {
        let mut daemon = place.daemon();
        daemon.ok(json!({"op": "subscribe", "events": ["progress"]}));
        daemon.send(import("one", &from));
        // Somewhat later each time: until it has read so many states more than before.
        let mut is_over = false;
        let mut seen = 0;
        while seen < before + 20 * round && !is_over {
            let frame = daemon.receive();
            is_over = frame.get("event").is_none();
            seen = frame["done"].as_u64().unwrap_or(seen);
        }
        let family = daemon.family();
        daemon.signal(Signal::KILL);
        daemon.exit();
        until("its child ends too", PATIENCE, || !family.iter().any(|it| it.is_alive()));
        if place.repository("one").join("HEAD").exists() {
            place.git("one", &["fsck", "--strict", "--no-dangling"]);
        }
        before = place.daemon().call(json!({"op": "workspace.imported", "workspace": "one"}))["ok"]
            ["states"]
            .as_array()
            .map_or(0, |it| it.len() as u64)
            .min(400);
    }
    let mut daemon = place.daemon();
    let report = daemon.ok(import("one", &from));
    assert_eq!((&report["head"], &report["files"]), (&head, &json!(45_000)));
    let count = place.git("one", &["rev-list", "--count", "main"]);
    assert_eq!(count, "1500");
    place.git("one", &["fsck", "--strict"]);
}

#[test]
fn commits_of_others_are_never_taken_out_of_the_branch() {
    let place = Place::new();
    let half = [state("1", None, &[("a", "1")]), state("2", Some("1"), &[("a", "2")])];
    let more = state("3", Some("2"), &[("a", "3")]);
    let mut daemon = place.daemon();
    let first = daemon.ok(import("one", &place.lines(&half)));
    let theirs = place.git(
        "one",
        &[
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b",
            "commit-tree",
            "-m",
            "theirs",
            "-p",
            "main",
            "main^{tree}",
        ],
    );
    place.git("one", &["update-ref", "refs/heads/main", &theirs]);
    // All is done: that somebody went on from it hurts nobody.
    let again = daemon.ok(import("one", &place.lines(&half)));
    assert_eq!(again["head"], first["head"]);
    let from = place.lines(&[half[0].clone(), half[1].clone(), more]);
    let refused = daemon.refused("conflict", import("one", &from));
    assert_eq!((&refused["actual"], &refused["expected"]), (&json!(theirs), &first["head"]));
    assert_eq!(place.git("one", &["rev-parse", "main"]), theirs);
    let report = daemon.ok(with(import("one", &from), "branch", "imported"));
    assert_eq!(report["commits"], 1);
    assert_eq!(place.git("one", &["rev-parse", "imported"]), report["head"]);
}

#[test]
fn who_gives_up_leaves_what_is_done_and_blocks_nobody() {
    let place = Place::new();
    let from = place.sqlite(MANY);
    let mut daemon = place.daemon();
    daemon.ok(json!({"op": "workspace.create", "workspace": "two"}));
    daemon.send(with(import("one", &from), "id", 1));
    let written = json!({"op": "commit", "workspace": "two", "id": 2, "branch": "main", "message": "m",
        "changes": [{"file": "a", "content": "YQ=="}]});
    daemon.send(written);
    assert_eq!(daemon.receive()["id"], 2, "it does not wait for the import");
    daemon.send(json!({"op": "cancel", "request": 1, "id": 3}));
    let replies = daemon.receive_many(2);
    let of = |id: u64| replies.iter().find(|it| it["id"] == id).unwrap();
    assert_eq!((&of(1)["code"], &of(3)["ok"]), (&json!("cancelled"), &json!(true)));
    until("its child ends", PATIENCE, || daemon.children().is_empty());
    assert_eq!(daemon.ok(import("one", &from))["states"], 1500);
}

#[test]
fn a_database_that_says_nothing_is_given_up_in_time() {
    let silent = Acceptor::start(|stream, _| {
        let _ = (&*stream).read_to_end(&mut Vec::new());
    });
    let place = Place::new();
    let mut daemon = place.daemon();
    let url = format!("postgres://ada:s3cret@{}/app", silent.address());
    let from = json!({"postgres": url});
    let reply = daemon.refused("timeout", with(import("one", &from), "timeout_ms", 300));
    assert!(!reply.to_string().contains("s3cret"));
    until("its child is killed", Duration::from_secs(5), || daemon.children().is_empty());
    let mut daemon = place.daemon_with(&["--network-timeout-ms", "300"]);
    assert_eq!(daemon.refused("timeout", import("one", &from))["timeout_ms"], 300);
    until("its child is killed", Duration::from_secs(5), || daemon.children().is_empty());
}

#[test]
fn a_query_without_an_end_is_killed_with_its_request() {
    let place = Place::new();
    place.sqlite(Shape { states: 2, files: 2, bytes: 10 });
    let endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)
        SELECT id FROM n WHERE id < 0";
    let from = json!({"sqlite": place.path("it.db"), "states_query": endless});
    let mut daemon = place.daemon();
    daemon.refused("timeout", with(import("one", &from), "timeout_ms", 200));
    until("its child is killed", Duration::from_secs(5), || daemon.children().is_empty());
}

#[test]
fn postgresql_gives_the_same_commits() {
    let server = Postgres::start();
    let place = Place::new();
    let mut daemon = place.daemon();
    let mut client = postgres::Client::connect(&server.url(), postgres::NoTls).unwrap();
    client
        .batch_execute(
            "CREATE TABLE states (id INTEGER PRIMARY KEY, parent_id INTEGER, label TEXT);
             CREATE TABLE files (state_id INTEGER, path TEXT, content BYTEA);
             INSERT INTO states VALUES (1, NULL, 'label of 1'), (2, 1, 'label of 2');
             INSERT INTO files VALUES (1, 'a', 'one'), (2, 'a', 'two'), (2, 'b/c', 'three');",
        )
        .unwrap();
    let report = daemon.ok(import("one", &json!({"postgres": server.network_url()})));
    assert_eq!(report["bytes_before"], 11);
    let lines = place.lines(&[
        state("1", None, &[("a", "one")]),
        state("2", Some("1"), &[("b/c", "three"), ("a", "two")]),
    ]);
    assert_eq!(daemon.ok(import("two", &lines))["head"], report["head"]);
}
