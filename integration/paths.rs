//! No name leads out of a repository, and no path out of the root.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    msgpack::bin,
    processes::while_swapping,
    repository::{Repository, text},
};

const FORBIDDEN: &[&str] = &[
    "",
    "..",
    "../secret",
    "folder/../../secret",
    "folder/..",
    "/",
    "/etc/passwd",
    "a\0b",
    "\0",
    ".git",
    ".git/config",
    "folder/.git/config",
    ".GIT/config",
    ".Git",
    ".g\u{200c}it/config",
    ".\u{feff}git/config",
    "git~1/config",
    "GIT~1",
    ".git /config",
    ".git./config",
    ".git::$INDEX_ALLOCATION/config",
];

fn outside() -> (TempDir, Repository) {
    let secret = TempDir::new().unwrap();
    fs::write(secret.path().join("secret.yaml"), "outside\n").unwrap();
    let repository =
        Repository::of(&[("folder/inside.yaml", "inside\n"), ("inside.yaml", "inside\n")]);
    fs::write(repository.beside("secret"), "outside\n").unwrap();
    (secret, repository)
}

fn requests_for(name: &Value, path: &str) -> Vec<Value> {
    vec![
        json!({"op": "read", "path": path, "file": name}),
        json!({"op": "read", "path": path, "file": name, "rev": "HEAD"}),
        json!({"op": "files", "path": path, "subpath": name}),
        json!({"op": "files", "path": path, "subpath": name, "rev": "HEAD"}),
        json!({"op": "log", "path": path, "paths": [name]}),
        json!({"op": "diff", "path": path, "paths": [name]}),
        json!({"op": "status", "path": path, "paths": [name]}),
    ]
}

#[test]
fn a_forbidden_name_is_denied_by_every_operation_and_the_rule_is_told() {
    let (_secret, repository) = outside();
    let mut daemon = Daemon::start();
    for name in FORBIDDEN {
        for name in [json!(name), bin(name.as_bytes())] {
            for request in requests_for(&name, repository.path()) {
                if request["subpath"] == "" || request["subpath"] == bin(b"") {
                    continue;
                }
                let reply = daemon.refused("denied", request.clone());
                assert!(reply["rule"].is_string(), "{request} got {reply}");
            }
        }
    }
}

#[test]
fn a_forbidden_name_among_many_costs_only_itself() {
    let (_secret, repository) = outside();
    let mut daemon = Daemon::start();
    for rev in [json!(null), json!("HEAD")] {
        let names = [FORBIDDEN, &["inside.yaml"]].concat();
        let request = json!({"op": "read", "path": repository.path(), "rev": rev, "files": names,
                             "encoding": "utf8"});
        let list = daemon.ok(request);
        for (entry, name) in list.as_array().unwrap().iter().zip(&names) {
            assert_eq!(entry["file"], *name);
            let inside = *name == "inside.yaml";
            let right =
                if inside { entry["content"] == "inside\n" } else { entry["code"] == "denied" };
            assert!(right, "{entry}");
        }
    }
}

#[test]
fn a_name_that_only_looks_forbidden_is_served() {
    let names = ["..a", "a..", "...", ".gitignore", ".github/x", "git", "git~10", "a/.gitx"];
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "served")).collect();
    let repository = Repository::of(&files);
    let mut daemon = Daemon::start();
    for name in names {
        for rev in [json!(null), json!("HEAD")] {
            let request = json!({"op": "read", "path": repository.path(), "file": name, "rev": rev,
                                 "encoding": "utf8"});
            assert_eq!(daemon.ok(request), "served", "{name}");
        }
    }
}

#[test]
fn a_symbolic_link_on_disk_is_denied_in_the_middle_and_at_the_end() {
    let (secret, repository) = outside();
    repository.link("away", text(secret.path()));
    repository.link("away.yaml", text(&secret.path().join("secret.yaml")));
    repository.link("within", "folder");
    repository.link("within.yaml", "inside.yaml");
    repository.link("broken.yaml", "nowhere");
    repository.link("loop", "loop");
    repository.link("folder/up", "../..");
    let path = repository.path();
    let mut daemon = Daemon::start();
    let names = [
        "away/secret.yaml",
        "away.yaml",
        "within/inside.yaml",
        "within.yaml",
        "broken.yaml",
        "loop",
        "loop/x",
        "folder/up/secret",
        "folder/up/repository/inside.yaml",
    ];
    for name in names {
        let read = json!({"op": "read", "path": path, "file": name});
        assert!(daemon.refused("denied", read)["rule"].is_string());
    }
    for name in ["away", "within", "loop", "folder/up", "folder/up/repository"] {
        daemon.refused("denied", json!({"op": "files", "path": path, "subpath": name}));
    }
}

#[test]
fn a_listing_follows_no_symbolic_link() {
    let (secret, repository) = outside();
    repository.link("away", text(secret.path()));
    repository.link("folder/away.yaml", text(&secret.path().join("secret.yaml")));
    let mut daemon = Daemon::start();
    let files = json!({"op": "files", "path": repository.path(), "recursive": true});
    assert_eq!(daemon.ok(files.clone()), json!(["folder/inside.yaml", "inside.yaml"]));
    let mut detailed = files;
    detailed["details"] = true.into();
    let entries = daemon.ok(detailed);
    let link = entries.as_array().unwrap().iter().find(|entry| entry["type"] == "link").unwrap();
    assert_eq!(link["name"], "folder/away.yaml");
    assert_eq!(link["mode"], "120000");
}

#[test]
fn a_link_in_a_commit_is_denied_and_leads_nowhere() {
    let (secret, repository) = outside();
    repository.link("away.yaml", text(&secret.path().join("secret.yaml")));
    repository.link("within", "folder");
    repository.commit("links");
    let mut daemon = Daemon::start();
    let mut read = |file: &str| {
        let path = repository.path();
        daemon.call(json!({"op": "read", "path": path, "file": file, "rev": "HEAD"}))
    };
    assert_eq!(read("away.yaml")["code"], "denied");
    assert_eq!(read("within")["code"], "denied");
    let below = read("within/inside.yaml");
    assert!(["denied", "not_found"].contains(&below["code"].as_str().unwrap()), "{below}");
}

#[test]
fn what_is_neither_file_nor_folder_is_refused_at_once() {
    let repository = Repository::of(&[("a", "1")]);
    let pipe = repository.file("pipe.yaml");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let mut daemon = Daemon::start();
    let read = json!({"op": "read", "path": repository.path(), "file": "pipe.yaml"});
    let reply = daemon.call(read);
    assert!(reply["code"].is_string() && reply["code"] != "internal", "{reply}");
    daemon.ok(json!({"op": "files", "path": repository.path()}));
    daemon.ok(json!({"op": "status", "path": repository.path()}));
}

#[test]
fn a_link_swapped_in_while_reading_never_shows_what_is_outside() {
    let (secret, repository) = outside();
    fs::write(secret.path().join("inside.yaml"), "outside\n").unwrap();
    repository.link("folder-link", text(secret.path()));
    repository.link("file-link", text(&secret.path().join("secret.yaml")));
    let swaps = [("folder", "folder-link"), ("inside.yaml", "file-link")];
    let mut daemon = Daemon::start();
    for (real, link) in swaps {
        let mut seen_inside = 0;
        while_swapping(&repository.file(real), &repository.file(link), || {
            for _ in 0..1500 {
                for file in ["folder/inside.yaml", "inside.yaml"] {
                    let read = json!({"op": "read", "path": repository.path(), "file": file});
                    daemon.send(read);
                }
                let files = json!({"op": "files", "path": repository.path(), "recursive": true});
                daemon.send(files);
                for reply in daemon.receive_many(2) {
                    match reply["ok"].as_str() {
                        Some(content) => assert_eq!(content, "aW5zaWRlCg=="),
                        None => assert!(reply["code"].is_string(), "{reply}"),
                    }
                    seen_inside += u32::from(reply["ok"].is_string());
                }
                let list = daemon.receive();
                assert!(!list.to_string().contains("secret"), "{list}");
            }
        });
        assert!(seen_inside > 0);
    }
}

#[test]
fn a_path_is_absolute() {
    let mut daemon = Daemon::start();
    for path in ["relative", "", "./here", "~", "../up", "a\0b", "/a\0b"] {
        for op in ["head", "files", "status", "log", "diff"] {
            let reply = daemon.call(json!({"op": op, "path": path}));
            let code = reply["code"].as_str().unwrap();
            assert!(["bad_request", "denied"].contains(&code), "{path} got {reply}");
        }
    }
}
