//! What is written into a repository is what stock git reads out of it.

mod branches;
mod committing;
mod locks;
mod maintaining;
mod merging;
mod notes;
mod reflogs;
mod refs;
mod signing;
mod tags;
mod updates;
mod verifying;

use serde_json::{Value, json};

use crate::{daemon::Daemon, repository::Repository};

const ZEROS: &str = "0000000000000000000000000000000000000000";

/// A bare repository without a commit.
fn bare() -> Repository {
    Repository::init(&["--bare"])
}

/// A bare repository with so many commits of the daemon's own.
fn written(daemon: &mut Daemon, commits: usize) -> Repository {
    let repository = bare();
    for number in 0..commits {
        daemon.ok(changing(&repository, &format!("file {}", number % 7), &format!("{number}\n")));
    }
    repository
}

/// The request for a commit of one file.
fn changing(repository: &Repository, file: &str, content: &str) -> Value {
    let changes = json!([{"file": file, "content": content}]);
    json!({"op": "commit", "path": repository.path(), "branch": "main", "message": "a change\n",
           "changes": changes, "encoding": "utf8"})
}

/// A commit of one file, by the daemon.
fn commit(daemon: &mut Daemon, path: &str, branch: &str, file: &str, content: &str) -> String {
    let changes = json!([{"file": file, "content": content}]);
    let done = daemon.ok(json!({
        "op": "commit", "path": path, "branch": branch, "message": format!("{file}\n"),
        "changes": changes, "encoding": "utf8",
    }));
    text(&done["commit"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The id of what a revision names, by stock git.
fn id_of(repository: &Repository, rev: &str) -> String {
    repository.git(&["rev-parse", "--verify", rev])
}

/// All refs, by stock git.
fn all_refs(repository: &Repository) -> String {
    repository.git(&["for-each-ref", "--format=%(objectname) %(refname)"])
}

#[track_caller]
fn expect_sound(repository: &Repository) {
    repository.expect_sound();
}
