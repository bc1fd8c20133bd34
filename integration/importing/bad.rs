//! What is wrong with a database is said with the state and the file, and mended it goes on.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{Place, SMALL, import, set_files, state, with};

#[test]
fn paths_that_lead_out_or_cannot_be_are_refused_with_state_and_file() {
    let place = Place::new();
    let mut daemon = place.daemon();
    let good = state("1", None, &[("a", "1")]);
    for (path, code) in [
        ("../a", "denied"),
        ("/etc/passwd", "denied"),
        ("a/../../b", "denied"),
        (".git/config", "denied"),
        ("x/.GIT/config", "denied"),
        ("git~1/x", "denied"),
        (".g\u{200c}it/x", "denied"),
        ("a\0b", "denied"),
        ("", "denied"),
        ("a//b", "denied"),
        ("./a", "denied"),
        ("folder/", "invalid"),
    ] {
        let from = place.lines(&[good.clone(), state("2", Some("1"), &[("a", "1"), (path, "2")])]);
        let refused = daemon.refused(code, import("one", &from));
        assert_eq!((&refused["state"], &refused["path"]), (&json!("2"), &json!(path)), "{refused}");
    }
    let long = "x".repeat(4097);
    for (path, target, code) in [
        (".gitmodules", "a", "denied"),
        ("x/GITMOD~1", "a", "denied"),
        ("link", "", "invalid"),
        ("link", "a\0b", "invalid"),
        ("link", &long, "invalid"),
        (&*long, "a", "invalid"),
    ] {
        let mut second = state("2", Some("1"), &[("a", "1"), (path, target)]);
        second["files"][1]["mode"] = json!("120000");
        let refused = daemon.refused(code, import("one", &place.lines(&[good.clone(), second])));
        assert_eq!((&refused["state"], &refused["path"]), (&json!("2"), &json!(path)), "{refused}");
    }
    let from = place.lines(&[good.clone(), state("2", Some("1"), &[("a", "1"), ("a/b", "2")])]);
    assert_eq!(daemon.refused("invalid", import("one", &from))["state"], "2");
    let from = place.lines(&[good.clone(), state("2", Some("1"), &[("a", "1"), ("a", "2")])]);
    assert_eq!(daemon.refused("invalid", import("one", &from))["path"], "a");
    // What came before it is kept, and the mended database goes on from there.
    let page = daemon.ok(json!({"op": "workspace.imported", "workspace": "one"}));
    assert_eq!(page["states"].as_array().unwrap().len(), 1);
    let from = place.lines(&[good, state("2", Some("1"), &[("a/b", "2")])]);
    let report = daemon.ok(import("one", &from));
    assert_eq!((&report["states"], &report["commits"]), (&json!(2), &json!(1)));
    assert_eq!(daemon.ok(import("two", &from))["head"], report["head"]);
    place.git("one", &["fsck", "--strict"]);
}

#[test]
fn families_and_files_that_cannot_be_are_refused() {
    let place = Place::new();
    let mut daemon = place.daemon();
    let from = place.lines(&[state("1", Some("1"), &[])]);
    assert_eq!(daemon.refused("invalid", import("one", &from))["state"], "1");
    let from = place.lines(&[state("1", Some("2"), &[]), state("2", Some("1"), &[])]);
    daemon.refused("invalid", import("one", &from));
    let from = place.lines(&[state("1", Some("none"), &[])]);
    assert_eq!(daemon.refused("invalid", import("one", &from))["parent"], "none");
    let mut old = state("1", None, &[]);
    old["time"] = json!(-5);
    assert_eq!(daemon.refused("invalid", import("one", &place.lines(&[old])))["state"], "1");
    assert!(!place.repository("one").join("packed-refs").exists());
}

#[test]
fn content_that_is_missing_ends_it_and_what_came_before_is_kept() {
    let place = Place::new();
    let from = place.sqlite(SMALL);
    let database = place.path("it.db");
    set_files(
        &database,
        "CREATE TABLE kept AS SELECT * FROM files WHERE state_id = 20;
        UPDATE files SET content = NULL WHERE state_id = 20 AND path LIKE '%file0003.txt'",
    );
    let mut daemon = place.daemon();
    let refused = daemon.refused("invalid", import("one", &from));
    assert_eq!(refused["state"], "20");
    assert!(refused["path"].as_str().unwrap().ends_with("file0003.txt"));
    assert_eq!(place.git("one", &["log", "-1", "--format=%s", "main"]), "state 19");
    set_files(
        &database,
        "DELETE FROM files WHERE state_id = 20;
        INSERT INTO files SELECT * FROM kept; DROP TABLE kept",
    );
    let report = daemon.ok(import("one", &from));
    assert_eq!(report["commits"], 10);
    assert_eq!(daemon.ok(import("two", &from))["head"], report["head"]);
}

#[test]
fn a_state_without_files_has_none_and_paths_may_be_any_bytes() {
    let place = Place::new();
    let from = place.sqlite(SMALL);
    set_files(
        &place.path("it.db"),
        "DELETE FROM files WHERE state_id = 5;
        INSERT INTO files VALUES (29, CAST(x'ff2f80' AS TEXT), 'x', NULL)",
    );
    let mut daemon = place.daemon();
    daemon.ok(import("one", &from));
    assert_eq!(place.git("one", &["ls-tree", "-r", "main~24"]), "");
    let listed = place.git("one", &["ls-tree", "-r", "--name-only", "main"]);
    assert!(listed.contains(r#""\377/\200""#), "{listed}");
    place.git("one", &["fsck", "--strict"]);
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    let place = Place::new();
    let from = place.sqlite(SMALL);
    let mut daemon = place.daemon();
    for (key, value) in [
        ("from.sqlite", json!({"sqlite": "relative.db"})),
        ("from.lines", json!({"lines": 17})),
        ("from.bundel", json!({"bundel": place.path("b")})),
        ("from", json!({"bundle": place.path("b"), "project": 1})),
        ("from", json!({})),
        ("branch", json!("a..b")),
        ("name", json!("a/b")),
        ("author", json!({"name": "<", "email": ""})),
    ] {
        let argument = key.split('.').next().unwrap();
        let refused = daemon.refused("bad_request", with(import("one", &from), argument, value));
        assert_eq!(refused["field"], key, "{refused}");
    }
    daemon.refused("not_found", import("one", &json!({"sqlite": place.path("none.db")})));
    let inside = place.path("data/mapping");
    let request = with(import("one", &from), "mapping", json!(inside));
    assert_eq!(daemon.refused("denied", request)["rule"], "data");
    assert!(!place.path("data").exists(), "nothing was made");
}

#[test]
fn a_connection_string_is_not_shown_where_it_is_in_the_wrong_place() {
    let place = Place::new();
    let variables = [("GITPORT_LOG", "debug")];
    let data = place.path("data");
    let flags = ["--data", crate::repository::text(&data)];
    let home = tempfile::TempDir::new().unwrap();
    let mut daemon = crate::daemon::Daemon::start_in(home, &flags, &variables);
    let secret = "postgres://u:s3cret@h/db";
    for (from, field) in [
        (json!(secret), "from"),
        (json!([secret]), "from"),
        (json!({"sqlite": [secret]}), "from.sqlite"),
        (json!({"postgres": "http://u:s3cret@h/db"}), "from.postgres"),
        (json!({"postgres": secret, "columns": secret}), "from.columns"),
        (json!({"postgres": secret, "columns": {"files": secret}}), "from.columns.files"),
    ] {
        let refused = daemon.refused("bad_request", import("one", &from));
        assert_eq!(refused["field"], field, "{refused}");
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
    }
    assert!(!daemon.stderr().contains("s3cret"));
}

#[test]
fn with_a_root_nothing_outside_of_it_is_read_or_written() {
    let place = Place::new();
    let inside = place.path("root");
    std::fs::create_dir(&inside).unwrap();
    place.sqlite(SMALL);
    symlink(place.path("it.db"), inside.join("link.db")).unwrap();
    let data = inside.join("data");
    let mut daemon = crate::daemon::Daemon::start_with(&[
        "--root",
        crate::repository::text(&inside),
        "--data",
        crate::repository::text(&data),
    ]);
    let outside: [Value; 6] = [
        json!({"sqlite": place.path("it.db")}),
        json!({"sqlite": inside.join("link.db")}),
        json!({"lines": place.path("it.jsonl")}),
        json!({"folder": place.path("")}),
        json!({"bundle": place.path("it.bundle")}),
        json!({"postgres": "postgres://a@127.0.0.1:1/a?sslrootcert=/etc/passwd"}),
    ];
    for from in outside {
        assert_eq!(daemon.refused("denied", import("one", &from))["rule"], "root");
    }
    std::fs::copy(place.path("it.db"), inside.join("it.db")).unwrap();
    let from = json!({"sqlite": inside.join("it.db")});
    let request = with(import("one", &from), "mapping", json!(place.path("mapping")));
    assert_eq!(daemon.refused("denied", request)["rule"], "root");
    daemon.ok(import("one", &from));
}
