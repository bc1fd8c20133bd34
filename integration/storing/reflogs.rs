//! Reflogs have what Git would have written into them.

use serde_json::json;

use super::{commit, id_of};
use crate::{daemon::Daemon, repository::Repository};

#[test]
fn moves_of_a_branch_that_is_checked_out_are_in_both_logs() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    commit(&mut daemon, path, "main", "b", "b\n");
    repository.git(&["reset", "-q", "--hard"]);
    for log in ["HEAD", "main"] {
        let told = repository.git(&["reflog", "-1", "--skip=0", "--format=%gs %H", log]);
        let moved = repository.git(&["log", "-g", "--format=%gs", log]);
        assert!(told.contains(&repository.head()), "{log}: {moved}");
        assert!(moved.contains("commit: b"), "{log}: {moved}");
    }
    assert_eq!(id_of(&repository, "main@{1}"), id_of(&repository, "main~1"));
}

#[test]
fn a_log_comes_and_goes_with_its_branch() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    let log = repository.file(".git/logs/refs/heads/x/y");
    daemon.ok(json!({"op": "branch", "path": path, "branch": "x/y"}));
    assert_eq!(repository.git(&["log", "-g", "--format=%gs", "x/y"]), "branch: Created from HEAD");
    daemon.ok(json!({"op": "branch", "path": path, "branch": "x/y", "delete": true}));
    assert!(!log.exists());
    daemon.ok(json!({"op": "branch", "path": path, "branch": "x"}));
    assert_eq!(repository.git(&["log", "-g", "--format=%gs", "x"]), "branch: Created from HEAD");
    daemon.ok(json!({"op": "tag", "path": path, "tag": "x"}));
    assert!(!repository.file(".git/logs/refs/tags").exists());
    let request = json!({"op": "ref.update", "path": path, "message": "why\nnot",
        "updates": [{"ref": "refs/heads/new", "to": "main"}, {"ref": "refs/odd/x", "to": "main"}]});
    daemon.ok(request);
    assert_eq!(repository.git(&["log", "-g", "--format=%gs", "new"]), "why not");
    assert!(!repository.file(".git/logs/refs/odd").exists());
}

#[test]
fn the_configuration_says_what_is_logged() {
    let mut daemon = Daemon::start();
    for (value, is_bare, branch, tag) in [
        (None, false, true, false),
        (None, true, false, false),
        (Some("true"), true, true, false),
        (Some("false"), false, false, false),
        (Some("always"), true, true, true),
    ] {
        let repository = Repository::of(&[("a", "a\n")]);
        let repository = if is_bare { repository.bare() } else { repository.cloned(&[]) };
        if let Some(value) = value {
            repository.git(&["config", "core.logAllRefUpdates", value]);
        }
        let path = repository.path();
        daemon.ok(json!({"op": "branch", "path": path, "branch": "made"}));
        daemon.ok(json!({"op": "tag", "path": path, "tag": "made"}));
        let folder = repository.file(if is_bare { "logs" } else { ".git/logs" });
        let is_there = |name: &str| folder.join(name).exists();
        let found = (is_there("refs/heads/made"), is_there("refs/tags/made"));
        assert_eq!(found, (branch, tag), "{value:?} {is_bare}");
    }
}
