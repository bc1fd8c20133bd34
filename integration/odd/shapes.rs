//! Repositories whose objects, refs or files lie elsewhere, or are not all there.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{REFUSALS, all_right, right_or_refused};
use crate::{
    daemon::Daemon,
    repository::{Repository, git_command, text, varied},
};

#[test]
fn a_partial_clone_gives_what_it_has_and_refuses_what_it_lacks() {
    let origin = varied();
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = origin.cloned(&["--filter=blob:none"]);
    // Stock git would fetch what is missing; the daemon must not be asked for the whole history.
    let mut daemon = Daemon::start();
    let missing = json!({"op": "read", "path": partial.path(), "rev": "HEAD~2",
                         "file": "README.md"});
    let reply = daemon.call(missing);
    assert!(REFUSALS.contains(&reply["code"].as_str().unwrap()), "{reply}");
    let there = json!({"op": "read", "path": partial.path(), "rev": "HEAD", "file": "README.md",
                       "encoding": "utf8"});
    let reply = daemon.call(there);
    let right = reply["ok"] == partial.read("README.md");
    assert!(right || reply["code"] == "unsupported", "{reply}");
    for request in [
        json!({"op": "files", "path": partial.path(), "rev": "HEAD~2", "pattern": "*.y*"}),
        json!({"op": "head", "path": partial.path()}),
    ] {
        let reply = daemon.call(request);
        assert!(reply.get("ok").is_some() || reply["code"] == "unsupported", "{reply}");
    }
    for request in [
        json!({"op": "diff", "path": partial.path(), "range": "HEAD~2..HEAD", "patch": true}),
        json!({"op": "checkout", "path": partial.path(), "sha": "HEAD~2"}),
        json!({"op": "read", "path": partial.path(), "rev": "HEAD~2", "files": ["README.md"]}),
    ] {
        let reply = daemon.call(request.clone());
        let code = reply.get("code").unwrap_or(&reply["ok"][0]["code"]);
        assert!(REFUSALS.contains(&code.as_str().unwrap()), "{request} got {reply}");
    }
    assert_eq!(partial.head(), origin.head());
    assert_eq!(partial.git(&["status", "--porcelain"]), "");
}

#[test]
fn details_of_a_partial_clone_are_right_or_refused() {
    let origin = varied();
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    let partial = origin.cloned(&["--filter=blob:none", "--no-checkout"]);
    let request = json!({"op": "files", "path": partial.path(), "rev": "HEAD", "details": true});
    let reply = Daemon::start().call(request);
    match reply.get("ok") {
        Some(entries) => assert_eq!(entries[0]["size"], 5, "{entries}"),
        None => assert!(REFUSALS.contains(&reply["code"].as_str().unwrap()), "{reply}"),
    }
}

#[test]
fn objects_borrowed_from_another_repository_are_found() {
    let origin = varied();
    let clone = origin.cloned(&["--no-checkout"]);
    let shared = origin.beside("shared");
    origin.git(&["clone", "-q", "--shared", origin.path(), text(&shared)]);
    let borrowing = clone.cloned(&["--reference", origin.path()]);
    let mut daemon = Daemon::start();
    all_right(&mut daemon, &borrowing, "README.md");
    let head = daemon.ok(json!({"op": "head", "path": shared}));
    assert_eq!(head["sha"], origin.head());
    let read = json!({"op": "read", "path": shared, "rev": "HEAD~2", "file": "README.md",
                      "encoding": "utf8"});
    assert_eq!(daemon.ok(read), "# Varied\n\nA line.\n");
}

#[test]
fn a_linked_worktree_has_its_own_head_and_moves_no_other() {
    let main = varied();
    main.git(&["branch", "side", "HEAD~1"]);
    let linked = main.beside("linked");
    main.git(&["worktree", "add", "-q", text(&linked), "side"]);
    fs::write(linked.join("README.md"), "changed\n").unwrap();
    let mut daemon = Daemon::start();
    let side = main.git(&["rev-parse", "side"]);
    assert_eq!(daemon.ok(json!({"op": "head", "path": linked}))["sha"], side);
    let status = daemon.ok(json!({"op": "status", "path": linked}));
    assert_eq!((&status["branch"], &status["head"]), (&json!("side"), &json!(side)));
    let changed = json!([{"file": "README.md", "index": null, "worktree": "modified"}]);
    assert_eq!(status["entries"], changed);
    let (before, first) = (main.head(), main.git(&["rev-parse", "HEAD~2"]));
    daemon.ok(json!({"op": "checkout", "path": linked, "sha": first}));
    assert_eq!(main.head(), before);
    assert_eq!(main.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(main.git(&["rev-parse", "side"]), side);
    assert_eq!(main.git(&["status", "--porcelain"]), "");
    let head = git_command(&linked).args(["rev-parse", "HEAD"]).output().unwrap();
    assert_eq!(String::from_utf8(head.stdout).unwrap().trim(), first);
}

#[test]
fn a_submodule_is_an_entry_that_cannot_be_read() {
    let module = varied();
    let super_repository = Repository::of(&[("a.yaml", "1")]);
    super_repository.git(&["submodule", "add", "-q", module.path(), "module"]);
    super_repository.commit("with a submodule");
    let path = super_repository.path();
    let mut daemon = Daemon::start();
    let read = json!({"op": "read", "path": path, "rev": "HEAD", "file": "module"});
    daemon.refused("unsupported", read);
    let within = json!({"op": "read", "path": path, "rev": "HEAD", "file": "module/README.md"});
    let reply = daemon.call(within);
    assert!(["unsupported", "not_found"].contains(&reply["code"].as_str().unwrap()), "{reply}");
    let request = json!({"op": "files", "path": path, "rev": "HEAD", "pattern": "*",
                         "details": true});
    let entries = daemon.ok(request);
    let entry = entries.as_array().unwrap().iter().find(|one| one["name"] == "module").unwrap();
    let expected = json!({"name": "module", "type": "submodule", "size": 0, "mode": "160000",
                          "sha": module.head()});
    assert_eq!(*entry, expected);
    let status = daemon.ok(json!({"op": "status", "path": path}));
    assert_eq!(status["entries"], json!([]));
}

#[test]
fn sync_checks_out_submodules_where_that_is_wished() {
    let module = varied();
    let origin = Repository::of(&[("a.yaml", "1")]);
    origin.git(&["submodule", "add", "-q", module.path(), "deep/module"]);
    origin.commit("with a submodule");
    let mut daemon = Daemon::start();
    for submodules in [false, true] {
        let path = origin.beside(&format!("clone-{submodules}"));
        let request = json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path,
                             "submodules": submodules});
        assert_eq!(daemon.ok(request.clone()), origin.head());
        assert_eq!(daemon.ok(request), origin.head());
        assert_eq!(path.join("deep/module/README.md").exists(), submodules);
    }
    let clone = origin.beside("clone-true");
    let status = git_command(&clone).args(["submodule", "status"]).output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.starts_with(&format!(" {}", module.head())), "{status}");
}

#[test]
fn an_empty_repository_has_nothing_to_be_found() {
    for repository in [Repository::new(), Repository::init(&["--bare"])] {
        let path = repository.path();
        let mut daemon = Daemon::start();
        for request in [
            json!({"op": "head", "path": path}),
            json!({"op": "log", "path": path}),
            json!({"op": "files", "path": path, "rev": "HEAD"}),
            json!({"op": "read", "path": path, "rev": "HEAD", "file": "a"}),
            json!({"op": "diff", "path": path, "range": "HEAD~1..HEAD"}),
            json!({"op": "lsremote", "url": path, "branch": "main"}),
            json!({"op": "sync", "url": path, "branch": "main", "path": repository.beside("c")}),
        ] {
            daemon.refused("not_found", request);
        }
        assert_eq!(daemon.ok(json!({"op": "lsremote", "url": path})), json!({}));
        assert!(!repository.beside("c").exists());
    }
}

#[test]
fn an_unborn_head_is_not_found_though_there_are_commits() {
    let repository = varied();
    let main = repository.head();
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    daemon.refused("not_found", json!({"op": "head", "path": path}));
    daemon.refused("not_found", json!({"op": "log", "path": path}));
    let log = daemon.ok(json!({"op": "log", "path": path, "range": "main"}));
    assert_eq!(log["commits"][0]["sha"], main);
    let status = daemon.ok(json!({"op": "status", "path": path}));
    assert_eq!((&status["branch"], &status["head"]), (&json!("unborn"), &json!(null)));
    daemon.ok(json!({"op": "checkout", "path": path, "sha": "main"}));
    assert_eq!(repository.head(), main);
}

#[test]
fn an_owner_other_than_ours_is_denied() {
    let repository = varied();
    let chown = ["-R", "12345:12345", repository.path()];
    let output = Command::new("chown").args(chown).output().unwrap();
    if !output.status.success() {
        crate::skipped("an owner other than ours", &String::from_utf8_lossy(&output.stderr));
        return;
    }
    let mut daemon = Daemon::start();
    let checkout = json!({"op": "checkout", "path": repository.path(), "sha": "HEAD"});
    for request in super::questions(repository.path(), "README.md").into_iter().chain([checkout]) {
        let reply = daemon.refused("denied", request);
        assert!(reply["rule"].is_string(), "{reply}");
    }
}

#[test]
fn a_shallow_clone_ends_where_git_says() {
    let origin = varied();
    let shallow = origin.cloned(&["--depth=2"]);
    assert_eq!(shallow.git(&["rev-list", "--count", "HEAD"]), "2");
    all_right(&mut Daemon::start(), &shallow, "README.md");
}

#[test]
fn replaced_objects_are_right_or_refused() {
    let repository = varied();
    let blob = repository.git(&["rev-parse", "HEAD:README.md"]);
    repository.write("other", "replaced\n");
    let other = repository.git(&["hash-object", "-w", "other"]);
    repository.remove("other");
    repository.git(&["replace", &blob, &other]);
    let mut daemon = Daemon::start();
    right_or_refused(&mut daemon, &repository, "README.md");

    let repository = varied();
    repository.git(&["replace", "--graft", "HEAD"]);
    right_or_refused(&mut daemon, &repository, "README.md");
}

#[test]
fn a_tag_of_a_tag_is_the_commit_at_its_end() {
    let repository = varied();
    repository.git(&["tag", "-a", "one", "-m", "one", "HEAD~1"]);
    repository.git(&["tag", "-a", "two", "-m", "two", "one"]);
    repository.git(&["tag", "-a", "three", "-m", "three", "two"]);
    let commit = repository.git(&["rev-parse", "HEAD~1"]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    let log = daemon.ok(json!({"op": "log", "path": path, "range": "three", "limit": 1}));
    assert_eq!(log["commits"][0]["sha"], commit);
    let read = json!({"op": "read", "path": path, "rev": "three", "file": "config.yaml",
                      "encoding": "utf8"});
    assert_eq!(daemon.ok(read), "a: 1\n");
    let files = json!({"op": "files", "path": path, "rev": "three"});
    assert_eq!(daemon.ok(files), json!(["config.yaml", "other.yml"]));
    let checkout = json!({"op": "checkout", "path": path, "sha": "three"});
    assert_eq!(daemon.ok(checkout), commit);
}

#[test]
fn a_rev_that_names_no_commit_is_answered_with_what_it_names_or_an_error() {
    let repository = varied();
    let tree = repository.git(&["rev-parse", "HEAD:source"]);
    repository.git(&["tag", "-a", "tree", "-m", "a tree", &tree]);
    repository.git(&["tag", "-a", "blob", "-m", "a blob", "HEAD:README.md"]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    for rev in [&*tree, "tree", "HEAD:source"] {
        let files = json!({"op": "files", "path": path, "rev": rev, "pattern": "*"});
        let reply = daemon.call(files);
        let right = reply["ok"] == json!(["start.rs"]);
        assert!(right || reply["code"] == "not_found" || reply["code"] == "bad_request", "{reply}");
        let log = daemon.call(json!({"op": "log", "path": path, "range": rev}));
        is_error(&log);
    }
    for op in ["files", "log", "read", "checkout"] {
        let mut request = json!({"op": op, "path": path, "rev": "blob"});
        match op {
            "log" => request = json!({"op": op, "path": path, "range": "blob"}),
            "read" => request["file"] = "README.md".into(),
            "checkout" => request = json!({"op": op, "path": path, "sha": "blob"}),
            _ => {}
        }
        is_error(&daemon.call(request));
    }
}

fn is_error(reply: &Value) {
    let code = reply["code"].as_str().unwrap();
    assert!(["not_found", "bad_request", "invalid"].contains(&code), "{reply}");
}
