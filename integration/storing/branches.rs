//! Branches are made, moved, renamed and removed as `git branch` does it.

use serde_json::{Value, json};

use super::{ZEROS, commit, expect_sound, id_of};
use crate::{
    daemon::Daemon,
    repository::{Repository, text},
};

fn bare() -> Repository {
    let origin = Repository::of(&[("a", "a\n")]);
    origin.write("a", "b\n");
    origin.commit("second");
    origin.bare()
}

#[test]
fn a_branch_is_made_where_it_is_told_to_be() {
    let (mut daemon, repository) = (Daemon::start(), bare());
    let path = repository.path();
    let head = id_of(&repository, "HEAD");
    let made = daemon.ok(json!({"op": "branch", "path": path, "branch": "next"}));
    assert_eq!(made, json!({"branch": "next", "commit": head, "was": null}));
    let made = daemon.ok(json!({"op": "branch", "path": path, "branch": "a/b", "from": "HEAD~1"}));
    assert_eq!(made["commit"], id_of(&repository, "HEAD~1"));
    assert_eq!(id_of(&repository, "refs/heads/a/b"), id_of(&repository, "HEAD~1"));
    expect_sound(&repository);
}

#[test]
fn a_branch_that_is_there_moves_only_if_asked_to() {
    let (mut daemon, repository) = (Daemon::start(), bare());
    let path = repository.path();
    let (head, before) = (id_of(&repository, "HEAD"), id_of(&repository, "HEAD~1"));
    let to = |more: Value| {
        let mut request = json!({"op": "branch", "path": path, "branch": "next", "from": "HEAD~1"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    daemon.ok(json!({"op": "branch", "path": path, "branch": "next"}));
    daemon.refused("already_exists", to(json!({})));
    assert_eq!(id_of(&repository, "next"), head);
    let refused = daemon.refused("conflict", to(json!({"expect": before, "force": true})));
    assert_eq!((&refused["expected"], &refused["actual"]), (&json!(before), &json!(head)));
    let refused = daemon.refused("conflict", to(json!({"expect": ZEROS})));
    assert_eq!(refused["expected"], ZEROS);
    assert_eq!(daemon.ok(to(json!({"expect": head})))["was"], head);
    assert_eq!(id_of(&repository, "next"), before);
    daemon.ok(to(json!({"force": true})));
    daemon.ok(to(json!({"force": true, "from": "HEAD"})));
    assert_eq!(id_of(&repository, "next"), head);
}

#[test]
fn a_branch_that_is_removed_is_gone_wherever_git_kept_it() {
    let (mut daemon, repository) = (Daemon::start(), bare());
    let path = repository.path();
    for (name, packs) in [("loose", false), ("packed", true), ("both", true)] {
        repository.git(&["branch", name, "HEAD~1"]);
        if packs {
            repository.git(&["pack-refs", "--all"]);
        }
        if name == "both" {
            repository.git(&["branch", "-f", name, "HEAD"]);
        }
        let was = id_of(&repository, name);
        let gone = daemon.ok(json!({"op": "branch", "path": path, "branch": name, "delete": true}));
        assert_eq!(gone, json!({"branch": name, "commit": null, "was": was}));
        assert_eq!(repository.git(&["branch", "--list", name]), "");
        let again = json!({"op": "branch", "path": path, "branch": name, "delete": true});
        daemon.refused("not_found", again);
    }
    expect_sound(&repository);
}

#[test]
fn a_branch_is_renamed_with_all_it_has() {
    let (mut daemon, repository) = (Daemon::start(), bare());
    let path = repository.path();
    daemon.ok(json!({"op": "branch", "path": path, "branch": "old"}));
    daemon.ok(json!({"op": "branch", "path": path, "branch": "there", "from": "HEAD~1"}));
    let was = id_of(&repository, "old");
    let rename = |to: &str, force: bool| json!({"op": "branch", "path": path, "branch": "old", "rename": to, "force": force});
    daemon.refused("already_exists", rename("there", false));
    let renamed = daemon.ok(rename("there", true));
    assert_eq!(renamed, json!({"branch": "there", "commit": was, "was": was}));
    assert_eq!(repository.git(&["branch", "--list", "old"]), "");
    assert_eq!(id_of(&repository, "there"), was);
    daemon.refused("not_found", rename("new", false));
}

#[test]
fn a_branch_that_a_worktree_is_on_stays() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    let linked = repository.beside("linked");
    repository.git(&["worktree", "add", "-q", "-b", "linked", text(&linked)]);
    repository.commit("second");
    for branch in ["main", "linked"] {
        let elsewhere = if branch == "main" { "HEAD~1" } else { "HEAD" };
        for (key, value) in
            [("delete", json!(true)), ("rename", json!("new")), ("from", json!(elsewhere))]
        {
            let before = id_of(&repository, branch);
            let request =
                json!({"op": "branch", "path": path, "branch": branch, "force": true, key: value});
            assert_eq!(daemon.refused("denied", request)["rule"], "checked out");
            assert_eq!(id_of(&repository, branch), before);
        }
    }
    let bare = repository.bare();
    let gone = json!({"op": "branch", "path": bare.path(), "branch": "main", "delete": true});
    assert_eq!(daemon.refused("denied", gone)["rule"], "checked out");
    let moved = json!({"op": "branch", "path": bare.path(), "branch": "main", "from": "HEAD~1", "force": true});
    daemon.ok(moved);
}

#[test]
fn a_branch_that_another_worktree_is_on_moves_only_there() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let linked = repository.beside("linked");
    repository.git(&["worktree", "add", "-q", "-b", "linked", text(&linked)]);
    let second = repository.git(&["commit-tree", "-p", "HEAD", "-m", "x", "HEAD^{tree}"]);
    repository.git(&["branch", "ahead", &second]);
    let (main, linked) = (repository.path(), text(&linked));
    let change = json!([{"file": "x", "content": ""}]);
    let head = repository.head();
    for (path, branch) in [(main, "linked"), (linked, "main")] {
        let more = json!({"op": "commit", "path": path, "branch": branch, "message": "m", "changes": change});
        assert_eq!(daemon.refused("denied", more)["rule"], "checked out");
        let more = json!({"op": "merge", "path": path, "into": branch, "from": "ahead"});
        assert_eq!(daemon.refused("denied", more)["rule"], "checked out");
        let more =
            json!({"op": "commit", "path": path, "branch": branch, "message": "m", "all": true});
        daemon.refused("bad_request", more);
        assert_eq!(id_of(&repository, branch), head);
    }
    // Two worktrees on one branch, which git makes only when it is forced to.
    let third = repository.beside("third");
    repository.git(&["worktree", "add", "-q", "-f", text(&third), "linked"]);
    for more in [json!({"changes": change}), json!({"all": true})] {
        let mut request = json!({"op": "commit", "path": linked, "message": "m"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(daemon.refused("denied", request)["rule"], "checked out");
    }
    repository.git(&["worktree", "remove", text(&third)]);
    for (path, file) in [(main, "x"), (linked, "y")] {
        commit(&mut daemon, path, if path == main { "main" } else { "linked" }, file, "1");
        let status = crate::repository::git_command(std::path::Path::new(path))
            .args(["status", "--porcelain"])
            .output();
        assert_eq!(String::from_utf8(status.unwrap().stdout).unwrap(), "");
    }
    expect_sound(&repository);
}

#[test]
fn a_bare_repository_with_a_worktree_leaves_its_branch_alone() {
    let (mut daemon, repository) = (Daemon::start(), bare());
    let linked = repository.beside("linked");
    repository.git(&["worktree", "add", "-q", text(&linked), "-b", "linked"]);
    let change = json!([{"file": "x", "content": ""}]);
    let commit = |path: &str, branch: &str| json!({"op": "commit", "path": path, "branch": branch, "message": "m", "changes": change});
    daemon.refused("denied", commit(repository.path(), "linked"));
    daemon.ok(commit(repository.path(), "main"));
    // Nothing is checked out where `HEAD` is on `main`.
    daemon.ok(json!({"op": "branch", "path": repository.path(), "branch": "main", "from": "main~1", "force": true}));
    daemon.ok(commit(text(&linked), "main"));
    daemon.ok(commit(text(&linked), "linked"));
    assert!(linked.join("x").exists());
}

#[test]
fn names_that_git_refuses_are_refused() {
    let (mut daemon, repository) = (Daemon::start(), bare());
    let path = repository.path();
    let long = "x".repeat(251);
    for name in ["", "a..b", "a b", "-a", "a.lock", "a/", "/a", "a//b", "a~1", "@{", "HEAD", &long]
    {
        let reply =
            daemon.refused("bad_request", json!({"op": "branch", "path": path, "branch": name}));
        assert_eq!(reply["field"], "branch", "{name:?}");
    }
    daemon.ok(json!({"op": "branch", "path": path, "branch": "a"}));
    daemon.ok(json!({"op": "branch", "path": path, "branch": "b/c"}));
    for name in ["a/b", "b"] {
        daemon.refused("conflict", json!({"op": "branch", "path": path, "branch": name}));
    }
    // What is gone is in nobody's way.
    for (name, below) in [("a", "a/b"), ("b/c", "b")] {
        daemon.ok(json!({"op": "branch", "path": path, "branch": name, "delete": true}));
        daemon.ok(json!({"op": "branch", "path": path, "branch": below}));
    }
    for (from, code) in [("none", "not_found"), ("HEAD:a", "bad_request"), ("a b^{", "bad_request")]
    {
        let request = json!({"op": "branch", "path": path, "branch": "x", "from": from});
        let reply = daemon.refused(code, request);
        assert!(code == "not_found" || reply["field"] == "from", "{reply}");
    }
    expect_sound(&repository);
}

#[test]
fn a_list_has_every_branch_once_wherever_git_keeps_it() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    for name in ["b", "a/c", "a-d", "packed", "both"] {
        repository.git(&["branch", name]);
    }
    repository.git(&["pack-refs", "--all"]);
    repository.commit("second");
    repository.git(&["branch", "-f", "both"]);
    repository.git(&["branch", "loose"]);
    repository.git(&["update-ref", "refs/remotes/origin/main", "main"]);
    repository.git(&["config", "branch.main.remote", "origin"]);
    repository.git(&["config", "branch.main.merge", "refs/heads/main"]);
    repository.git(&["remote", "add", "origin", "file:///nowhere"]);
    let listed = daemon.ok(json!({"op": "branches", "path": path}));
    let format = "--format=%(refname:short) %(objectname)";
    let shown = listed["branches"].as_array().unwrap().iter();
    let shown: Vec<String> = shown
        .map(|it| format!("{} {}", it["name"].as_str().unwrap(), it["commit"].as_str().unwrap()))
        .collect();
    let expected = repository.git(&["for-each-ref", format, "refs/heads"]);
    assert_eq!(shown.join("\n"), expected);
    let main = &listed["branches"][5];
    assert_eq!((&main["name"], &main["head"]), (&json!("main"), &json!(true)));
    assert_eq!(main["upstream"], "refs/remotes/origin/main");
    assert_eq!(listed["branches"][0]["head"], false);
    assert_eq!(listed["branches"][0]["upstream"], Value::Null);
    let (mut names, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = json!({"op": "branches", "path": path, "limit": 2, "after": after});
        let page = daemon.ok(page);
        let branches = page["branches"].as_array().unwrap();
        assert!(branches.len() <= 2);
        names.extend(branches.iter().map(|it| it["name"].as_str().unwrap().to_owned()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(names, ["a-d", "a/c", "b", "both", "loose", "main", "packed"]);
    for (pattern, count) in [("a*", 1), ("{a*,a/**}", 2), ("**/c", 1), ("{b,loose}", 2)] {
        let request = json!({"op": "branches", "path": path, "pattern": pattern});
        let found = daemon.ok(request)["branches"].as_array().unwrap().len();
        assert_eq!(found, count, "{pattern}");
    }
}

#[test]
fn a_branch_begins_at_a_commit_that_was_just_made() {
    let (mut daemon, repository) = (Daemon::start(), bare());
    let path = repository.path();
    let made = commit(&mut daemon, path, "main", "new", "new\n");
    // Those that wait together are one step, in which the second sees what the first did.
    for number in 0..20 {
        daemon.send(json!({"op": "commit", "id": 2 * number, "path": path, "branch": "main",
            "message": "m\n", "changes": [{"file": format!("{number}"), "content": ""}]}));
        daemon.send(json!({"op": "branch", "id": 2 * number + 1, "path": path,
            "branch": format!("at-{number}"), "from": "main"}));
    }
    let replies = daemon.receive_many(40);
    let of = |id: u64| replies.iter().find(|it| it["id"] == id).unwrap();
    for number in 0..20 {
        let commit = &of(2 * number)["ok"]["commit"];
        assert_eq!(&of(2 * number + 1)["ok"]["commit"], commit);
        assert_eq!(id_of(&repository, &format!("at-{number}")), commit.as_str().unwrap());
    }
    repository.git(&["merge-base", "--is-ancestor", &made, "at-0"]);
    expect_sound(&repository);
}
