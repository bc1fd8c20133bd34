//! Databases of full snapshots, folders and bundles become histories.

mod bad;
mod luck;
mod others;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    repository::{git_command, text},
    snapshots::{Shape, write_lines, write_sqlite},
};

const SMALL: Shape = Shape { states: 30, files: 20, bytes: 300 };

/// A folder with databases, and a data directory in it.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn daemon(&self) -> Daemon {
        self.daemon_with(&[])
    }

    fn daemon_with(&self, flags: &[&str]) -> Daemon {
        Daemon::start_with(&[&["--data", text(&self.path("data"))], flags].concat())
    }

    fn repository(&self, workspace: &str) -> PathBuf {
        self.path("data/workspaces").join(format!("{workspace}.git"))
    }

    fn sqlite(&self, shape: Shape) -> Value {
        write_sqlite(&self.path("it.db"), shape);
        json!({"sqlite": self.path("it.db")})
    }

    /// The same states as lines of JSON.
    fn lines(&self, lines: &[Value]) -> Value {
        let lines: String = lines.iter().map(|it| format!("{it}\n")).collect();
        fs::write(self.path("it.jsonl"), lines).unwrap();
        json!({"lines": self.path("it.jsonl")})
    }

    fn git(&self, workspace: &str, arguments: &[&str]) -> String {
        stdout(git_command(&self.repository(workspace)).args(arguments))
    }
}

fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn import(workspace: &str, from: &Value) -> Value {
    json!({"op": "workspace.import", "workspace": workspace, "from": from})
}

fn with(mut request: Value, key: &str, value: impl Into<Value>) -> Value {
    request[key] = value.into();
    request
}

fn state(id: &str, parent: Option<&str>, files: &[(&str, &str)]) -> Value {
    let file = |(path, content): &(&str, &str)| json!({"path": path, "content": content});
    let files: Vec<Value> = files.iter().map(file).collect();
    json!({"state": id, "parent": parent, "label": format!("label of {id}"), "files": files})
}

fn set_files(database: &Path, sql: &str) {
    Connection::open(database).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn each_state_becomes_a_commit_with_exactly_its_files() {
    let place = Place::new();
    let from = place.sqlite(SMALL);
    let mut daemon = place.daemon();
    let report = daemon.ok(import("one", &from));
    assert_eq!((&report["states"], &report["commits"]), (&json!(30), &json!(30)));
    assert_eq!((&report["files"], &report["created"]), (&json!(600), &json!(true)));
    let bytes = fs::metadata(place.path("it.db")).unwrap().len();
    assert_eq!(report["bytes_before"], bytes);
    assert_eq!(place.git("one", &["rev-parse", "main"]), report["head"]);
    place.git("one", &["fsck", "--strict"]);
    let log = place.git(
        "one",
        &[
            "log",
            "--reverse",
            "--format=%H %P|%an|%ae|%at|%cn|%s|%(trailers:key=State,valueonly)",
            "main",
        ],
    );
    let log: Vec<&str> = log.lines().filter(|it| !it.is_empty()).collect();
    assert_eq!(log.len(), 30);
    for (number, line) in log.iter().enumerate() {
        let time = crate::snapshots::START + 60 * i64::try_from(number).unwrap();
        let expected = format!("|Ada|ada@example.org|{time}|Ada|state {number}|{number}");
        assert!(line.ends_with(&expected), "{line}");
        let commit = &line[..40];
        let listed = place.git("one", &["ls-tree", "-r", "--name-only", commit]);
        let mut expected: Vec<String> = SMALL.files_of(number).map(|it| it.0).collect();
        expected.sort();
        assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
        for (path, content) in SMALL.files_of(number).take(3) {
            let blob = place.git("one", &["show", &format!("{commit}:{path}")]);
            assert_eq!(blob, content.trim_end());
        }
    }
}

#[test]
fn the_same_states_give_the_same_commits_whatever_they_were_in() {
    let place = Place::new();
    let from = place.sqlite(SMALL);
    let mut daemon = place.daemon();
    let head = daemon.ok(import("one", &from))["head"].clone();
    assert_eq!(daemon.ok(import("two", &from))["head"], head);
    write_lines(&place.path("it.jsonl"), SMALL);
    assert_eq!(daemon.ok(import("three", &json!({"lines": place.path("it.jsonl")})))["head"], head);
    let again = daemon.ok(import("one", &from));
    assert_eq!((&again["head"], &again["states"]), (&head, &json!(30)));
    assert_eq!((&again["commits"], &again["created"]), (&json!(0), &json!(false)));
    assert_eq!(again["files"], 600);
}

#[test]
fn what_grew_meanwhile_goes_on_where_it_was() {
    let place = Place::new();
    let half = [state("1", None, &[("a", "1")]), state("2", Some("1"), &[("a", "2"), ("b/c", "")])];
    let more = state("3", Some("2"), &[("b", "a file now")]);
    let mut daemon = place.daemon();
    daemon.ok(import("one", &place.lines(&half)));
    let from = place.lines(&[half[0].clone(), half[1].clone(), more]);
    let report = daemon.ok(import("one", &from));
    assert_eq!((&report["commits"], &report["states"]), (&json!(1), &json!(3)));
    assert_eq!(place.git("one", &["ls-tree", "-r", "--name-only", "main"]), "b");
    assert_eq!(daemon.ok(import("two", &from))["head"], report["head"]);
}

#[test]
fn histories_that_part_keep_all_their_ends_through_gc() {
    let place = Place::new();
    let from = place.lines(&[
        state("root", None, &[("a", "0")]),
        state("left", Some("root"), &[("a", "1")]),
        state("right/1 ", Some("root"), &[("a", "2")]),
        state("left2", Some("left"), &[("a", "3")]),
        state("alone", None, &[("b", "4")]),
        state("last", Some("left2"), &[("a", "5"), ("d/e/f", "6")]),
    ]);
    let mut daemon = place.daemon();
    daemon.ok(import("one", &from));
    let line = place.git("one", &["log", "--format=%s", "main"]);
    let expected = ["label of last", "label of left2", "label of left", "label of root"];
    assert_eq!(line.lines().collect::<Vec<_>>(), expected);
    let refs = place.git("one", &["for-each-ref", "--format=%(refname)", "refs/imported"]);
    let expected = ["refs/imported/import/alone", "refs/imported/import/right%2f1%20"];
    assert_eq!(refs.lines().collect::<Vec<_>>(), expected);
    let page = daemon.ok(json!({"op": "workspace.imported", "workspace": "one"}));
    assert_eq!(daemon.end().status.code(), Some(0));
    place.git("one", &["gc", "-q", "--prune=now"]);
    let states = page["states"].as_array().unwrap();
    assert_eq!(states.len(), 6);
    for entry in states {
        let commit = entry["commit"].as_str().unwrap();
        let subject = place.git("one", &["log", "-1", "--format=%s", commit]);
        let id = entry["state"].as_str().unwrap();
        assert_eq!(subject, format!("label of {id}").trim_end());
    }
}

#[test]
fn which_commit_a_state_became_is_told_in_pages_and_in_a_file() {
    let place = Place::new();
    let from = place.sqlite(SMALL);
    let mut daemon = place.daemon();
    let file = place.path("mapping.jsonl");
    daemon.ok(with(import("one", &from), "mapping", text(&file)));
    let mut found = Vec::new();
    let mut after = Value::Null;
    loop {
        let page =
            json!({"op": "workspace.imported", "workspace": "one", "limit": 7, "after": after});
        let page = daemon.ok(page);
        found.extend(page["states"].as_array().unwrap().clone());
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    let ids: Vec<String> = (0..30).map(|it| it.to_string()).collect();
    assert_eq!(found.iter().map(|it| it["state"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    let lines = fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = lines.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(lines, found);
    let log = place.git("one", &["log", "--reverse", "--format=%H", "main"]);
    assert_eq!(log.lines().last(), found[29]["commit"].as_str());
    daemon
        .refused("not_found", json!({"op": "workspace.imported", "workspace": "one", "name": "x"}));
    daemon.refused(
        "bad_request",
        json!({"op": "workspace.imported", "workspace": "one", "after": "x"}),
    );
}

#[test]
fn authors_messages_and_names_are_as_the_request_says() {
    let place = Place::new();
    let mut odd = state("a\nState: b", None, &[("a", "1")]);
    odd["author"] = json!("A <b>");
    odd["time"] = json!("2024-01-02T03:04:05+05:30");
    let from = place.lines(&[odd]);
    let mut daemon = place.daemon();
    let mut request = with(import("one", &from), "message", "Saved: {label} ({nothing})");
    request["committer"] = json!({"name": "Importer", "email": "i@example.org"});
    request["branch"] = json!("trunk");
    request["name"] = json!("old");
    daemon.ok(request);
    let shown = place.git("one", &["log", "-1", "--format=%an|%ai|%cn|%ce|%ci|%B", "trunk"]);
    let expected = "A b|2024-01-02 03:04:05 +0530|Importer|i@example.org|2024-01-02 03:04:05 +0530|\
                    Saved: label of a\nState: b ({nothing})\n\nState: a%0aState: b";
    assert_eq!(shown, expected);
    assert_eq!(place.git("one", &["symbolic-ref", "HEAD"]), "refs/heads/trunk");
    place.git("one", &["rev-parse", "refs/gitvan/imports/old"]);
}

#[test]
fn progress_is_told_in_states() {
    let place = Place::new();
    let from = place.sqlite(SMALL);
    let mut daemon = place.daemon();
    daemon.ok(json!({"op": "subscribe", "events": ["progress"]}));
    daemon.send(with(import("one", &from), "id", 1));
    let mut events = Vec::new();
    loop {
        let frame = daemon.receive();
        if frame.get("event").is_none() {
            assert!(frame.get("ok").is_some(), "{frame}");
            break;
        }
        events.push(frame);
    }
    assert!(!events.is_empty());
    for event in events {
        assert_eq!((&event["stage"], &event["total"]), (&json!("importing"), &json!(30)));
    }
}
