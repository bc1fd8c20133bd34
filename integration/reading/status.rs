//! `status` sees what `git status` sees.

use serde_json::{Value, json};

use super::Dice;
use crate::{
    daemon::Daemon,
    repository::{Repository, varied},
};

/// What git says, in our words and in the order of the names.
fn entries(repository: &Repository, flags: &[&str]) -> Vec<Value> {
    let command = [&["status", "--porcelain=v1", "-z"], flags].concat();
    let bytes = repository.git_bytes(&command);
    let text = String::from_utf8(bytes).unwrap();
    let mut fields = text.split('\0').filter(|field| !field.is_empty());
    let mut entries = Vec::new();
    while let Some(field) = fields.next() {
        let (letters, file) = field.split_at(2);
        let (index, worktree) = match letters {
            "??" => (None, Some("untracked")),
            "!!" => (None, Some("ignored")),
            "DD" | "AU" | "UD" | "UA" | "DU" | "AA" | "UU" => (None, Some("conflicted")),
            _ => (word(&letters[..1]), word(&letters[1..])),
        };
        if letters.contains('R') {
            fields.next();
        }
        entries.push(json!({"file": &file[1..], "index": index, "worktree": worktree}));
    }
    entries.sort_by_key(|entry| entry["file"].as_str().unwrap().to_owned());
    // Git has two lines for what is deleted in the index and untracked on disk; we have one.
    entries.dedup_by(|second, first| {
        let same = first["file"] == second["file"];
        if same {
            first["worktree"] = second["worktree"].clone();
        }
        same
    });
    entries
}

fn word(letter: &str) -> Option<&'static str> {
    match letter {
        " " => None,
        "M" => Some("modified"),
        "A" => Some("added"),
        "D" => Some("deleted"),
        "R" => Some("renamed"),
        "T" => Some("type_changed"),
        other => panic!("git says {other}"),
    }
}

/// The file, index and worktree of each entry, in the order of the names.
fn found(reply: &Value) -> Vec<Value> {
    let entries = reply["entries"].as_array().unwrap().iter();
    let mut entries: Vec<Value> = entries
        .map(|entry| {
            // What a conflict is to the index is the daemon's own business.
            let conflicted = entry["worktree"] == "conflicted";
            let index = if conflicted { &Value::Null } else { &entry["index"] };
            json!({"file": entry["file"], "index": index, "worktree": entry["worktree"]})
        })
        .collect();
    entries.sort_by_key(|entry| entry["file"].as_str().unwrap().to_owned());
    entries
}

fn check(daemon: &mut Daemon, repository: &Repository) {
    let path = repository.path();
    for (request, flags) in [
        (json!({"op": "status", "path": path}), &["--untracked-files=all"][..]),
        (json!({"op": "status", "path": path, "untracked": false}), &["--untracked-files=no"]),
        (
            json!({"op": "status", "path": path, "ignored": true}),
            &["--untracked-files=all", "--ignored=traditional"],
        ),
    ] {
        // The daemon first: git would write down in the index what it found out.
        let reply = daemon.ok(request.clone());
        assert_eq!(found(&reply), entries(repository, flags), "{request}");
        assert_eq!(reply["next"], json!(null));
    }
}

#[test]
fn a_clean_worktree_has_no_entries() {
    let repository = varied();
    let reply = Daemon::start().ok(json!({"op": "status", "path": repository.path()}));
    let expected =
        json!({"branch": "main", "head": repository.head(), "entries": [], "next": null});
    assert_eq!(reply, expected);
}

#[test]
fn every_kind_of_change_is_told_as_git_tells_it() {
    let repository = varied();
    repository.write(".gitignore", "*.log\nbuild/\n");
    repository.write("noise.log", "ignored\n");
    repository.write("build/output", "ignored\n");
    repository.write("config.yaml", "staged\n");
    repository.git(&["add", "config.yaml"]);
    repository.write("config.yaml", "staged and changed\n");
    repository.write("README.md", "changed\n");
    repository.write("added", "new and staged\n");
    repository.git(&["add", "added"]);
    repository.git(&["mv", "long.txt", "moved.txt"]);
    repository.git(&["rm", "-q", "binary.bin"]);
    repository.remove("empty");
    repository.set_mode("script.sh", 0o644);
    repository.remove("link");
    repository.write("link", "a file now");
    repository.write("new/untracked", "mine\n");
    repository.write("new/deeper/untracked", "mine\n");
    check(&mut Daemon::start(), &repository);
}

#[test]
fn random_changes_are_told_as_git_tells_them() {
    let mut daemon = Daemon::start();
    for seed in 71..79 {
        let repository = varied();
        let mut dice = Dice(seed);
        let names = [
            "README.md",
            "config.yaml",
            "long.txt",
            "source/start.rs",
            "new",
            "other/new",
            "empty",
        ];
        for step in 0..12 {
            let name = names[dice.below(names.len())];
            let exists = repository.file(name).exists();
            match dice.below(6) {
                0 if exists => repository.remove(name),
                1 if exists => repository.set_mode(name, [0o644, 0o755][dice.below(2)]),
                2 | 3 => drop(repository.git(&["add", "-A"])),
                _ => repository.write(name, format!("content {}\n", step % 4)),
            }
        }
        check(&mut daemon, &repository);
    }
}

#[test]
fn a_change_of_the_same_length_in_the_same_instant_is_seen() {
    let mut daemon = Daemon::start();
    for round in 0..5 {
        let repository = Repository::of(&[("a", "one"), ("b", "one")]);
        repository.write("a", "two");
        let reply = daemon.ok(json!({"op": "status", "path": repository.path()}));
        let expected = json!([{"file": "a", "index": null, "worktree": "modified"}]);
        assert_eq!(reply["entries"], expected, "round {round}");
    }
}

#[test]
fn conflicts_are_told() {
    let repository = Repository::of(&[("a", "1\n"), ("b", "1\n"), ("c", "1\n")]);
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.write("a", "side\n");
    repository.write("both", "side\n");
    repository.git(&["rm", "-q", "b"]);
    repository.commit("side");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("a", "main\n");
    repository.write("b", "main\n");
    repository.write("both", "main\n");
    repository.commit("main");
    let merge = crate::repository::git_command(repository.file("").as_path())
        .args(["merge", "-q", "side"])
        .output()
        .unwrap();
    assert!(!merge.status.success(), "there is a conflict");
    check(&mut Daemon::start(), &repository);
}

#[test]
fn a_detached_head_has_no_branch_and_an_unborn_one_no_commit() {
    let repository = varied();
    let mut daemon = Daemon::start();
    repository.git(&["checkout", "-q", "--detach"]);
    let reply = daemon.ok(json!({"op": "status", "path": repository.path()}));
    assert_eq!((&reply["branch"], &reply["head"]), (&json!(null), &json!(repository.head())));
    repository.git(&["checkout", "-q", "-b", "feature/deep"]);
    let reply = daemon.ok(json!({"op": "status", "path": repository.path()}));
    assert_eq!(reply["branch"], "feature/deep");

    let empty = Repository::new();
    empty.write("new", "1");
    empty.write("staged", "1");
    empty.git(&["add", "staged"]);
    let reply = daemon.ok(json!({"op": "status", "path": empty.path()}));
    assert_eq!((&reply["branch"], &reply["head"]), (&json!("main"), &json!(null)));
    assert_eq!(found(&reply), entries(&empty, &["--untracked-files=all"]));
}

#[test]
fn paths_narrow_what_is_looked_at() {
    let repository = varied();
    for file in ["README.md", "source/start.rs", "source/new", "other/new"] {
        repository.write(file, "changed\n");
    }
    let mut daemon = Daemon::start();
    for paths in [&["source"][..], &["README.md"], &["source/new", "other"], &["none"]] {
        let request = json!({"op": "status", "path": repository.path(), "paths": paths});
        let flags = [&["--untracked-files=all", "--"], paths].concat();
        assert_eq!(found(&daemon.ok(request)), entries(&repository, &flags), "{paths:?}");
    }
}

#[test]
fn pages_put_together_are_the_whole() {
    let repository = varied();
    for number in 0..25 {
        repository.write(format!("{number:02}"), "new\n");
    }
    repository.write("README.md", "changed\n");
    repository.remove("config.yaml");
    let mut daemon = Daemon::start();
    let mut page = |limit: usize, after: &Value| {
        daemon.ok(json!({"op": "status", "path": repository.path(), "limit": limit,
                         "after": after}))
    };
    let whole = page(10_000, &json!(null))["entries"].clone();
    assert_eq!(whole.as_array().unwrap().len(), 27);
    for limit in [1, 10, 27, 28] {
        let mut seen = Vec::new();
        let mut after = json!(null);
        loop {
            let reply = page(limit, &after);
            seen.extend(reply["entries"].as_array().unwrap().clone());
            after = reply["next"].clone();
            if after.is_null() {
                break;
            }
        }
        assert_eq!(json!(seen), whole, "by {limit}");
    }
}

#[test]
fn a_bare_repository_has_no_status() {
    let bare = varied().bare();
    Daemon::start().refused("unsupported", json!({"op": "status", "path": bare.path()}));
}

#[test]
fn looking_changes_nothing_that_git_would_notice() {
    let repository = varied();
    repository.write("README.md", "changed\n");
    repository.git(&["add", "README.md"]);
    let before = repository.git(&["ls-files", "--stage"]);
    let mut daemon = Daemon::start();
    for _ in 0..3 {
        daemon.ok(json!({"op": "status", "path": repository.path(), "ignored": true}));
    }
    assert_eq!(repository.git(&["ls-files", "--stage"]), before);
    assert!(!repository.file(".git/index.lock").exists());
}
