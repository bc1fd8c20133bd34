//! The definitions of real processes in `integration/processes`, and that of the demonstration, are
//! as good as they are shown.

use std::{fs, path::Path};

use serde_json::json;

use super::about;
use crate::daemon::Daemon;

/// Name and text of every file there.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/processes");
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let mut files: Vec<(String, String)> = entries
        .filter(|it| it.extension().is_some_and(|it| it == "yaml"))
        .map(|it| {
            (it.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(it).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn named(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (&**name, &**text)).collect()
}

#[test]
fn ten_real_processes_are_without_a_warning() {
    let files = files();
    let definitions = files.iter().filter(|it| !it.0.ends_with(".test.yaml")).count();
    assert!(definitions >= 10, "{definitions}");
    let reply = Daemon::start().ok(about("process.lint", &named(&files), &json!({})));
    assert_eq!(reply["diagnostics"], json!([]));
}

#[test]
fn their_tests_come_to_every_step_and_transition_and_chance_finds_nothing() {
    let files = files();
    let more = json!({"interleavings": 300, "format": "text"});
    let reply = Daemon::start().ok(about("process.test", &named(&files), &more));
    assert_eq!(reply["passed"], true, "{}", reply["rendered"].as_str().unwrap());
    for tested in reply["tested"].as_array().unwrap() {
        assert_eq!(tested["coverage"]["never"], json!([]), "{}", tested["file"]);
        assert_ne!(tested["tests"], json!([]), "{}", tested["file"]);
    }
}

#[test]
fn each_of_them_is_drawn_and_published() {
    let files = files();
    let mut daemon = Daemon::start();
    let repository = crate::repository::Repository::init(&["--bare"]);
    let all = named(&files);
    for (name, text) in all.iter().filter(|it| !it.0.ends_with(".test.yaml")) {
        // The first of the files is the one that is drawn.
        let mut first = vec![(*name, *text)];
        first.extend(all.iter().filter(|it| it.0 != *name));
        let drawn = daemon.ok(about("process.graph", &first, &json!({})));
        assert!(drawn["picture"].as_str().unwrap().starts_with("<svg"), "{name}");
        let place = json!({"path": repository.path(), "file": name, "content": text});
        let made = daemon.ok(about("process.publish", &all, &place));
        assert_eq!(made["created"], true);
        assert_eq!(format!("{}.yaml", made["name"].as_str().unwrap()), *name);
    }
}

#[test]
fn the_demonstration_plays_a_definition_of_which_all_is_tested() {
    let order = include_str!("../../src/shell/demo/order.yaml");
    let files = [("order.yaml", order)];
    let mut daemon = Daemon::start();
    let linted = daemon.ok(about("process.lint", &files, &json!({})));
    assert_eq!(linted["diagnostics"], json!([]));
    let more = json!({"interleavings": 300, "format": "text"});
    let reply = daemon.ok(about("process.test", &files, &more));
    assert_eq!(reply["passed"], true, "{}", reply["rendered"].as_str().unwrap());
    assert_eq!(reply["tested"][0]["coverage"]["never"], json!([]));
}
