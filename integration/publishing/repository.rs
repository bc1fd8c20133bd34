//! A repository, which stock git reads as well.

use std::{fs, process::Command};

use serde_json::json;
use tempfile::TempDir;

use super::{definition, expect_a_store, getting, publishing, versions};
use crate::{daemon::Daemon, repository::Repository};

const TAG: &str = "process/ship/v1.0.0";

#[test]
fn what_is_published_is_found_by_version_and_range() {
    let repository = Repository::init(&["--bare"]);
    expect_a_store(&mut Daemon::start(), &json!({"path": repository.path()}));
    repository.expect_sound();
}

#[test]
fn stock_git_shows_the_file_its_tag_and_its_note_and_clones_them() {
    let repository = Repository::of(&[("a", "a\n")]);
    let place = json!({"path": repository.path()});
    let mut daemon = Daemon::start();
    let made = daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    drop(daemon);
    let file = format!("{TAG}:ship/ship_v1.0.0.yaml");
    let content = definition("1.0.0", "a");
    assert_eq!(repository.git(&["show", &file]), content.trim_end());
    assert_eq!(repository.git(&["ls-tree", "-r", "--name-only", TAG]), "ship/ship_v1.0.0.yaml");
    assert_eq!(repository.git(&["cat-file", "-t", TAG]), "tag");
    let noted =
        repository.git(&["notes", "--ref=gitvan/definitions", "show", &format!("{TAG}^{{}}")]);
    let record: serde_json::Value = serde_json::from_str(&noted).unwrap();
    assert_eq!((&record["digest"], &record["sha256"]), (&made["digest"], &made["sha256"]));
    let subject = repository.git(&["log", "-1", "--format=%s", TAG]);
    assert_eq!(subject, "process ship 1.0.0");
    // The branch and its worktree are as they were.
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    // Nothing else keeps the file alive.
    repository.git(&["gc", "-q", "--prune=now"]);
    let clone = repository.cloned(&["--bare"]);
    let got = Daemon::start().ok(getting(&json!({"path": clone.path()}), "latest"));
    assert_eq!(got["content"], content);
}

#[test]
fn a_file_of_a_revision_is_published() {
    let content = definition("1.0.0", "a");
    let repository = Repository::of(&[("processes/ship.yaml", &content)]);
    let path = repository.path();
    repository.write("processes/ship.yaml", definition("1.1.0", "a"));
    repository.commit("later");
    let mut daemon = Daemon::start();
    let publish = json!({"op": "process.publish", "path": path, "file": "processes/ship.yaml"});
    assert_eq!(daemon.ok(publish.clone())["version"], "1.1.0");
    let mut earlier = publish;
    earlier["rev"] = json!("HEAD~1");
    let folder = TempDir::new().unwrap();
    earlier["store"] = json!({"folder": folder.path()});
    assert_eq!(daemon.ok(earlier)["version"], "1.0.0");
    let place = json!({"store": {"folder": folder.path()}});
    assert_eq!(daemon.ok(getting(&place, "latest"))["content"], content);
    assert_eq!(versions(&mut daemon, &json!({"path": path})), ["1.1.0"]);
}

#[test]
fn a_signed_one_is_accepted_by_stock_git() {
    let repository = Repository::init(&["--bare"]);
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&key);
    assert!(keygen.status().unwrap().success());
    let mut request = publishing(&json!({"path": repository.path()}), &definition("1.0.0", "a"));
    request["sign"] = json!({"key_file": key});
    request["tagger"] = json!({"name": "Ada", "email": "ada@example.org"});
    let mut daemon = Daemon::start();
    daemon.ok(request);
    let public = fs::read_to_string(folder.path().join("key.pub")).unwrap();
    let allowed = folder.path().join("allowed");
    fs::write(&allowed, format!("ada@example.org {public}")).unwrap();
    let file = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    repository.git(&["-c", "gpg.format=ssh", "-c", &file, "verify-tag", TAG]);
    daemon.ok(getting(&json!({"path": repository.path()}), "1.0.0"));
}

#[test]
fn a_tag_that_keeps_something_else_is_corrupt() {
    let repository = Repository::of(&[("a", "a\n")]);
    let place = json!({"path": repository.path()});
    let mut daemon = Daemon::start();
    let content = definition("1.0.0", "a");
    daemon.ok(publishing(&place, &content));
    daemon.ok(publishing(&place, &definition("1.1.0", "a")));
    drop(daemon);
    let (object, message) = (
        repository.git(&["rev-parse", TAG]),
        repository.git(&["tag", "-l", "--format=%(contents)", TAG]),
    );
    let expect_corrupt = || {
        let mut daemon = Daemon::start();
        daemon.refused("corrupt", getting(&place, "1.0.0"));
    };
    repository.git(&["tag", "-f", TAG, "HEAD"]);
    expect_corrupt();
    repository.git(&["tag", "-f", "-a", "-m", "mine", TAG, &format!("{object}^{{}}")]);
    expect_corrupt();
    // The right words on the wrong commits.
    repository.git(&["tag", "-f", "-a", "-m", &message, TAG, "HEAD"]);
    expect_corrupt();
    repository.git(&["tag", "-f", "-a", "-m", &message, TAG, "process/ship/v1.1.0^{}"]);
    expect_corrupt();
    repository.write("ship/ship_v1.0.0.yaml", definition("1.0.0", "b"));
    let changed = repository.commit("changed");
    repository.git(&["tag", "-f", "-a", "-m", &message, TAG, &changed]);
    expect_corrupt();
    repository.git(&["update-ref", &format!("refs/tags/{TAG}"), "process/ship/v1.1.0"]);
    expect_corrupt();
    repository.git(&["update-ref", &format!("refs/tags/{TAG}"), &object]);
    let got = Daemon::start().ok(getting(&place, "1.0.0"));
    assert_eq!(got["content"], content);
}

#[test]
fn it_is_published_only_while_a_lock_is_held() {
    let repository = Repository::init(&["--bare"]);
    let place = json!({"path": repository.path()});
    let mut daemon = Daemon::start();
    let mut request = publishing(&place, &definition("1.0.0", "a"));
    request["fence"] = json!({"lock": "release", "token": 1});
    daemon.refused("conflict", request.clone());
    assert!(versions(&mut daemon, &place).is_empty());
    daemon.ok(json!({"op": "lock", "path": repository.path(), "name": "release", "owner": "ada"}));
    daemon.ok(request);
}

#[test]
fn tags_of_others_beside_them_are_none_of_them() {
    let repository = Repository::of(&[("a", "a\n")]);
    for tag in ["process/note", "process/ship/latest", "process/ship/v1", "process/a..b/v1.0.0"] {
        if !tag.contains("..") {
            repository.git(&["tag", tag]);
        }
    }
    let mut daemon = Daemon::start();
    let listed = daemon.ok(json!({"op": "process.list", "path": repository.path()}));
    assert_eq!(listed["processes"], json!([]));
    // A tag where the folder of its versions would be is in the way.
    repository.git(&["tag", "process/bill"]);
    let bill = definition("1.0.0", "a").replace("ship", "bill");
    daemon.refused("conflict", publishing(&json!({"path": repository.path()}), &bill));
}
