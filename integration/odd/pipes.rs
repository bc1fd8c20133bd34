//! A pipe where a file should be holds nobody: it is told, or left out.

use std::fs;

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    repository::{Repository, varied},
};

/// What is read of a Git folder.
const PLACES: [&str; 18] = [
    "HEAD",
    "HEAD.lock",
    "config",
    "gitport-maintain",
    "gitport-store",
    "gitport-writer",
    "index",
    "index.lock",
    "info/exclude",
    "logs/HEAD",
    "logs/refs/heads/main",
    "objects/info/alternates",
    "packed-refs",
    "packed-refs.new",
    "refs/heads/main",
    "refs/heads/main.lock",
    "refs/tags/v1",
    "shallow",
];

fn requests(path: &str) -> Vec<Value> {
    let changes = json!([{"file": "a", "content": "1"}]);
    vec![
        json!({"op": "head", "path": path}),
        json!({"op": "log", "path": path}),
        json!({"op": "log", "path": path, "range": "v1"}),
        json!({"op": "read", "path": path, "rev": "main", "file": "README.md"}),
        json!({"op": "diff", "path": path}),
        json!({"op": "status", "path": path}),
        json!({"op": "refs", "path": path}),
        json!({"op": "branches", "path": path}),
        json!({"op": "tags", "path": path}),
        json!({"op": "notes", "path": path}),
        json!({"op": "locks", "path": path}),
        json!({"op": "commit", "path": path, "message": "x", "encoding": "utf8",
               "changes": changes}),
        json!({"op": "commit", "path": path, "message": "x", "encoding": "utf8",
               "changes": changes, "branch": "main", "empty": true}),
        json!({"op": "tag", "path": path, "tag": "v1", "force": true}),
        json!({"op": "ref.update", "path": path, "updates": [{"ref": "refs/heads/side"}]}),
        json!({"op": "note", "path": path, "target": "v1", "content": ""}),
        json!({"op": "lock", "path": path, "name": "a", "owner": "ada"}),
        json!({"op": "merge", "path": path, "from": "v1"}),
        json!({"op": "checkout", "path": path, "sha": "v1"}),
        json!({"op": "verify", "path": path}),
        json!({"op": "maintain", "path": path}),
        json!({"op": "workspace.export", "path": path, "format": "bundle"}),
        json!({"op": "sync", "url": path, "branch": "main", "path": format!("{path}-clone")}),
        json!({"op": "sync", "url": "file:///nowhere", "branch": "main", "path": path}),
        json!({"op": "push", "path": path, "url": format!("{path}-to"), "refs": ["main"]}),
    ]
}

fn repository() -> Repository {
    let repository = varied();
    repository.git(&["tag", "v1"]);
    repository.git(&["branch", "side"]);
    repository
}

/// Nothing that is asked waits for the other end.
#[track_caller]
fn expect_answers(daemon: &mut Daemon, repository: &Repository, place: &str) -> Vec<Value> {
    let file = repository.file(".git").join(place);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let _ = fs::remove_file(&file);
    mkfifoat(CWD, &file, Mode::from_raw_mode(0o600)).unwrap();
    let mut replies = Vec::new();
    for mut request in requests(repository.path()) {
        request["timeout_ms"] = json!(5000);
        request["id"] = json!(1);
        let reply = daemon.call(request.clone());
        let code = reply["code"].as_str().unwrap_or_default();
        assert!(!["timeout", "internal"].contains(&code), "{place}: {request} got {reply}");
        replies.push(reply);
    }
    replies
}

#[test]
fn a_pipe_in_a_git_folder_is_told_when_it_is_opened() {
    for place in PLACES {
        let repository = repository();
        let replies = expect_answers(&mut Daemon::start(), &repository, place);
        let words = format!("`{place}` in the Git folder is no file");
        assert_eq!(replies[0]["code"], "corrupt", "{place}: {}", replies[0]);
        assert!(replies[0]["err"].as_str().unwrap().contains(&words), "{}", replies[0]);
    }
}

#[test]
fn a_pipe_that_comes_later_holds_nobody_either() {
    for place in ["HEAD", "packed-refs", "refs/heads/main", "refs/tags/v1", "refs/heads/main.lock"]
    {
        let repository = repository();
        let mut daemon = Daemon::start();
        for request in requests(repository.path()).iter().take(11) {
            daemon.ok(request.clone());
        }
        daemon.ok(json!({"op": "branch", "path": repository.path(), "branch": "new"}));
        expect_answers(&mut daemon, &repository, place);
    }
}

#[test]
fn a_pipe_among_the_refs_is_left_out_of_a_list() {
    let repository = repository();
    let mut daemon = Daemon::start();
    let request = json!({"op": "branches", "path": repository.path()});
    assert_eq!(daemon.ok(request.clone())["branches"].as_array().unwrap().len(), 2);
    let file = repository.file(".git/refs/heads/side");
    fs::remove_file(&file).unwrap();
    mkfifoat(CWD, &file, Mode::from_raw_mode(0o600)).unwrap();
    assert_eq!(daemon.ok(request)["branches"].as_array().unwrap().len(), 1);
    let moving = json!({"op": "branch", "path": repository.path(), "branch": "side",
                        "force": true});
    let reply = daemon.refused("corrupt", moving);
    assert!(reply["err"].as_str().unwrap().contains("refs/heads/side"), "{reply}");
}
