//! `files` lists what `git ls-tree` and the disk have.

use std::fs;

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    repository::{Repository, varied},
};

/// The entries of a commit as git lists them, hidden ones left out, in the order of their bytes.
fn listed(repository: &Repository, rev: &str) -> Vec<Value> {
    let lines = repository.git_list(&["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", rev]);
    let mut entries: Vec<Value> = lines
        .iter()
        .map(|line| {
            let line = std::str::from_utf8(line).unwrap();
            let (fields, name) = line.split_once('\t').unwrap();
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let kind = match (fields[0], fields[1]) {
                ("120000", _) => "link",
                (_, "blob") => "file",
                (_, "tree") => "folder",
                _ => "submodule",
            };
            let size: u64 = fields[3].parse().unwrap_or(0);
            json!({"name": name, "type": kind, "size": size, "mode": fields[0], "sha": fields[2]})
        })
        .filter(|entry| !is_hidden(entry["name"].as_str().unwrap()))
        .collect();
    entries.sort_by_key(|entry| entry["name"].as_str().unwrap().to_owned());
    entries
}

fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.'))
}

fn names(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

fn with_submodule() -> Repository {
    let repository = varied();
    let commit = repository.head();
    let entry = format!("160000,{commit},module.yaml");
    repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    fs::create_dir(repository.file("module.yaml")).unwrap();
    repository.commit_staged("a submodule");
    repository
}

#[test]
fn the_entries_of_a_commit_are_those_of_git() {
    let repository = with_submodule();
    let packed = repository.cloned(&["--no-checkout"]);
    let bare = repository.bare();
    let mut daemon = Daemon::start();
    for (path, git) in [(&repository, &repository), (&packed, &packed), (&bare, &repository)] {
        for rev in ["HEAD", "HEAD~1", "HEAD~3"] {
            let request = json!({"op": "files", "path": path.path(), "rev": rev, "pattern": "*",
                                 "recursive": true, "details": true});
            assert_eq!(daemon.ok(request), json!(listed(git, rev)), "{rev}");
        }
    }
}

#[test]
fn without_details_only_files_are_listed() {
    let repository = with_submodule();
    let entries = listed(&repository, "HEAD");
    let files: Vec<Value> = entries.into_iter().filter(|entry| entry["type"] == "file").collect();
    let mut daemon = Daemon::start();
    for rev in [json!("HEAD"), json!(null)] {
        let request = json!({"op": "files", "path": repository.path(), "rev": rev,
                             "pattern": "*", "recursive": true});
        assert_eq!(daemon.ok(request), json!(names(&files)));
    }
}

#[test]
fn the_entries_on_disk_are_those_of_its_commit_without_ids() {
    let repository = varied();
    let mut entries = listed(&repository, "HEAD");
    for entry in &mut entries {
        entry.as_object_mut().unwrap().remove("sha");
    }
    let request = json!({"op": "files", "path": repository.path(), "pattern": "*",
                         "recursive": true, "details": true});
    assert_eq!(Daemon::start().ok(request), json!(entries));
}

#[test]
fn a_bare_repository_is_listed_at_its_head() {
    let repository = varied();
    let bare = repository.bare();
    let mut daemon = Daemon::start();
    assert_eq!(daemon.ok(json!({"op": "files", "path": bare.path()})), json!(["config.yaml"]));
    let older = json!({"op": "files", "path": bare.path(), "rev": "HEAD~1"});
    assert_eq!(daemon.ok(older), json!(["config.yaml", "other.yml"]));
}

#[test]
fn a_subpath_is_listed_with_names_relative_to_it() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for rev in [json!("HEAD"), json!(null)] {
        let mut files = |subpath: &str, recursive: bool| {
            daemon.call(json!({"op": "files", "path": repository.path(), "rev": rev,
                               "subpath": subpath, "pattern": "*", "recursive": recursive}))
        };
        assert_eq!(files("source", false)["ok"], json!(["start.rs"]));
        let top = files(".", false);
        assert_eq!(files("", false), top);
        assert!(top["ok"].as_array().unwrap().contains(&json!("README.md")), "{top}");
        let all = json!(["deep/er/leaf.rs", "deep/values.yaml", "start.rs"]);
        assert_eq!(files("source", true)["ok"], all);
        assert_eq!(files("source/deep", true)["ok"], json!(["er/leaf.rs", "values.yaml"]));
        assert_eq!(files("with blank", false)["ok"], json!(["and ünïcode.txt"]));
        assert_eq!(files("none", false)["code"], "not_found");
        let file = files("README.md", false);
        assert!(["not_found", "bad_request"].contains(&file["code"].as_str().unwrap()), "{file}");
    }
}

#[test]
fn patterns_mean_what_they_mean_to_git() {
    let repository = varied();
    let table = [
        ("*.yaml", "**/*.yaml"),
        ("*.rs", "**/*.rs"),
        ("?onfig.yaml", "**/?onfig.yaml"),
        ("[cl]*", "**/[cl]*"),
        ("[!c]*.yaml", "**/[!c]*.yaml"),
        ("source/*.rs", "source/*.rs"),
        ("source/**/*.rs", "source/**/*.rs"),
        ("**/*.yaml", "**/*.yaml"),
        ("**/deep/*", "**/deep/*"),
        ("*/*", "*/*"),
        ("nothing", "**/nothing"),
    ];
    let mut daemon = Daemon::start();
    for (pattern, git) in table {
        let listed = repository.git_list(&["ls-files", "-z", "--", &format!(":(glob){git}")]);
        let names = listed.iter().map(|name| std::str::from_utf8(name).unwrap());
        let mut expected: Vec<&str> =
            names.filter(|name| !is_hidden(name) && *name != "link").collect();
        expected.sort_unstable();
        for rev in [json!("HEAD"), json!(null)] {
            let request = json!({"op": "files", "path": repository.path(), "rev": rev,
                                 "pattern": pattern, "recursive": true});
            assert_eq!(daemon.ok(request), json!(expected), "{pattern}");
        }
    }
    let braces = json!({"op": "files", "path": repository.path(), "rev": "HEAD~1",
                        "pattern": "*.{yml,rs}", "recursive": true});
    let expected = json!(["other.yml", "source/deep/er/leaf.rs", "source/main.rs"]);
    assert_eq!(daemon.ok(braces), expected);
}

#[test]
fn a_pattern_that_is_none_is_a_bad_request() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for pattern in ["[", "{a", "a{b,c"] {
        let request = json!({"op": "files", "path": repository.path(), "pattern": pattern});
        assert_eq!(daemon.refused("bad_request", request)["field"], "pattern");
    }
}

#[test]
fn a_rev_that_is_none_is_not_found() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for rev in ["none", "HEAD~50", "0123456789012345678901234567890123456789"] {
        daemon.refused("not_found", json!({"op": "files", "path": repository.path(), "rev": rev}));
    }
}

#[test]
fn the_listing_of_random_histories_is_that_of_git() {
    let mut daemon = Daemon::start();
    for seed in 1..4 {
        let repository = super::random_history(seed, 30, super::Dates::Rising);
        for rev in ["main", "main~3", "b0", "b1"] {
            let request = json!({"op": "files", "path": repository.path(), "rev": rev,
                                 "pattern": "*", "recursive": true, "details": true});
            assert_eq!(daemon.ok(request), json!(listed(&repository, rev)));
        }
    }
}
