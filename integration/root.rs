//! With a root nothing outside of it is read, written or named, whatever leads there.

use std::{fs, os::unix::fs::symlink, path::Path};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    msgpack::bytes,
    processes::while_swapping,
    repository::{Repository, text},
};

#[test]
fn the_root_confines_every_path() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    let root = base.join("root");
    let origin = Repository::of(&[("a.yaml", "1")]);
    origin.git(&["clone", "-q", origin.path(), text(&root.join("mine"))]);
    origin.git(&["clone", "-q", origin.path(), text(&base.join("root-like"))]);
    origin.git(&["clone", "-q", origin.path(), text(&base.join("outside"))]);
    symlink(base.join("outside"), root.join("link")).unwrap();
    symlink(&base, root.join("up")).unwrap();
    symlink(root.join("mine"), root.join("inward")).unwrap();
    let mut daemon = Daemon::start_with(&["--root", text(&root)]);
    let outside = [
        base.join("outside"),
        base.join("root-like"),
        root.join("link"),
        root.join("up/outside"),
        base.clone(),
        Path::new("/").to_owned(),
        base.join("does-not-exist"),
        root.join("link/does-not-exist"),
    ];
    for path in &outside {
        for request in [
            json!({"op": "head", "path": path}),
            json!({"op": "files", "path": path}),
            json!({"op": "read", "path": path, "file": "a.yaml"}),
            json!({"op": "log", "path": path}),
            json!({"op": "diff", "path": path}),
            json!({"op": "status", "path": path}),
            json!({"op": "checkout", "path": path, "sha": "HEAD"}),
            json!({"op": "sync", "url": "http://127.0.0.1:9/", "branch": "main", "path": path}),
        ] {
            let reply = daemon.refused("denied", request);
            assert!(reply["rule"].is_string(), "{reply}");
        }
    }
    for path in [root.join("../outside"), root.join("mine/../../outside")] {
        let reply = daemon.call(json!({"op": "head", "path": path}));
        assert!(["denied", "bad_request"].contains(&reply["code"].as_str().unwrap()), "{reply}");
    }
    for path in [root.join("mine"), root.join("inward")] {
        let head = daemon.ok(json!({"op": "head", "path": path}));
        assert_eq!(head["sha"], origin.head());
        assert_eq!(daemon.ok(json!({"op": "files", "path": path})), json!(["a.yaml"]));
    }
    assert!(!base.join("does-not-exist").exists());
}

#[test]
fn a_root_swapped_for_a_link_never_shows_what_is_outside() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    for (folder, content) in [("root/mine", "inside"), ("outside", "outside")] {
        fs::create_dir_all(base.join(folder)).unwrap();
        fs::write(base.join(folder).join("a.yaml"), content).unwrap();
    }
    symlink(base.join("outside"), base.join("root/link")).unwrap();
    let mut daemon = Daemon::start_with(&["--root", text(&base.join("root"))]);
    let (mine, link) = (base.join("root/mine"), base.join("root/link"));
    while_swapping(&mine, &link, || {
        for _ in 0..2000 {
            let request =
                json!({"op": "read", "path": mine, "file": "a.yaml", "encoding": "binary"});
            let reply = daemon.call(request);
            if reply.get("ok").is_some() {
                assert_eq!(bytes(&reply["ok"]), b"inside");
            }
        }
    });
}

#[test]
fn the_real_repository_behind_a_path_is_confined_too() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    let origin = Repository::of(&[("a.yaml", "1")]);
    let root = base.join("root");
    fs::create_dir_all(root.join("mine")).unwrap();
    // A `.git` file, as linked worktrees have it, that names a repository outside the root.
    fs::write(root.join("mine/.git"), format!("gitdir: {}/.git\n", origin.path())).unwrap();
    let mut daemon = Daemon::start_with(&["--root", text(&root)]);
    for request in [
        json!({"op": "head", "path": root.join("mine")}),
        json!({"op": "log", "path": root.join("mine")}),
        json!({"op": "read", "path": root.join("mine"), "file": "a.yaml", "rev": "HEAD"}),
    ] {
        daemon.refused("denied", request);
    }
}

#[test]
fn whatever_a_repository_names_is_confined_too() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    let root = base.join("root");
    fs::create_dir(&root).unwrap();
    let origin = Repository::of(&[("a.yaml", "1")]);
    let clone = |name: &str| {
        let path = root.join(name);
        origin.git(&["clone", "-q", origin.path(), text(&path)]);
        path
    };
    let outside = base.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a.yaml"), "precious").unwrap();
    let worktree = clone("worktree");
    origin.git(&["-C", text(&worktree), "config", "core.worktree", text(&outside)]);
    let borrowing = clone("borrowing");
    let alternates = format!("{}/.git/objects\n", origin.path());
    fs::write(borrowing.join(".git/objects/info/alternates"), alternates).unwrap();
    let linked = clone("linked");
    fs::rename(linked.join(".git/objects"), base.join("objects")).unwrap();
    symlink(base.join("objects"), linked.join(".git/objects")).unwrap();
    let mut daemon = Daemon::start_with(&["--root", text(&root)]);
    for path in [worktree, borrowing, linked] {
        for request in [
            json!({"op": "head", "path": path}),
            json!({"op": "read", "path": path, "file": "a.yaml", "rev": origin.head()}),
            json!({"op": "diff", "path": path, "patch": true}),
            json!({"op": "checkout", "path": path, "sha": "HEAD"}),
            json!({"op": "sync", "url": path, "branch": "main", "path": root.join("other")}),
        ] {
            assert_eq!(daemon.refused("denied", request)["rule"], "root");
        }
    }
    assert_eq!(fs::read_to_string(outside.join("a.yaml")).unwrap(), "precious");
    assert!(!root.join("other").exists());
}

#[test]
fn a_worktree_elsewhere_is_not_written_by_a_sync_either() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    let (root, outside) = (base.join("root"), base.join("outside"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    let origin = Repository::of(&[("a.yaml", "1")]);
    let inside = root.join("origin");
    origin.git(&["clone", "-q", "--bare", origin.path(), text(&inside)]);
    let mut daemon = Daemon::start_with(&["--root", text(&root)]);
    let path = root.join("clone");
    let sync = json!({"op": "sync", "url": inside, "branch": "main", "path": path});
    daemon.ok(sync.clone());
    origin.git(&["-C", text(&path), "config", "core.worktree", text(&outside)]);
    assert_eq!(daemon.refused("denied", sync)["rule"], "root");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_submodule_outside_the_root_is_denied() {
    let base = TempDir::new().unwrap();
    let root = base.path().canonicalize().unwrap().join("root");
    fs::create_dir(&root).unwrap();
    let part = Repository::of(&[("secret.yaml", "secret")]);
    let origin = Repository::of(&[("a.yaml", "1")]);
    origin.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        part.path(),
        "part",
    ]);
    origin.commit("with a submodule");
    let inside = root.join("origin");
    origin.git(&["clone", "-q", "--bare", origin.path(), text(&inside)]);
    let path = root.join("clone");
    let request = json!({
        "op": "sync", "url": inside, "branch": "main", "path": path, "submodules": true,
    });
    let reply = Daemon::start_with(&["--root", text(&root)]).refused("denied", request);
    assert_eq!(reply["rule"], "root");
    assert!(!path.exists());
}

#[test]
fn a_link_in_a_git_folder_leads_nothing_outside() {
    for (place, is_folder) in [
        ("FETCH_HEAD", false),
        ("description", false),
        ("info", true),
        ("logs", true),
        ("logs/refs/heads/main", false),
        ("objects/info", true),
        ("objects/pack", true),
        ("packed-refs", false),
        ("packed-refs.new", false),
        ("refs/heads/team", true),
        ("refs/heads/main.lock.lock", false),
        ("refs/notes", true),
        ("refs/tags", true),
        ("shallow", false),
    ] {
        let base = TempDir::new().unwrap();
        let base = base.path().canonicalize().unwrap();
        let (root, outside) = (base.join("root"), base.join("outside"));
        let origin = Repository::of(&[("a.yaml", "1")]);
        origin.git(&["clone", "-q", origin.path(), text(&root.join("mine"))]);
        match is_folder {
            true => fs::create_dir(&outside).unwrap(),
            false => fs::write(&outside, "precious").unwrap(),
        }
        let link = root.join("mine/.git").join(place);
        let _ = fs::remove_dir_all(&link);
        let _ = fs::remove_file(&link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&outside, &link).unwrap();
        let mut daemon = Daemon::start_with(&["--root", text(&root)]);
        for request in writing(&root.join("mine")) {
            let reply = daemon.refused("denied", request);
            assert_eq!(reply["rule"], "root", "{place}: {reply}");
        }
        match is_folder {
            true => assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{place}"),
            false => assert_eq!(fs::read_to_string(&outside).unwrap(), "precious", "{place}"),
        }
    }
}

fn writing(path: &Path) -> Vec<serde_json::Value> {
    let changes = json!([{"file": "b", "content": "1"}]);
    let updates: Vec<_> =
        (0..40).map(|it| json!({"ref": format!("refs/tags/{it}"), "to": "HEAD"})).collect();
    vec![
        json!({"op": "commit", "path": path, "branch": "team/new", "message": "x",
               "changes": changes, "encoding": "utf8"}),
        json!({"op": "commit", "path": path, "message": "x", "changes": changes,
               "encoding": "utf8"}),
        json!({"op": "tag", "path": path, "tag": "v1"}),
        json!({"op": "note", "path": path, "target": "HEAD", "content": ""}),
        json!({"op": "ref.update", "path": path, "updates": updates}),
        json!({"op": "maintain", "path": path}),
    ]
}

#[test]
fn what_is_written_beside_other_files_goes_through_no_link() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    let (root, outside) = (base.join("root"), base.join("outside"));
    let origin = Repository::of(&[("a.yaml", "1")]);
    origin.git(&["clone", "-q", origin.path(), text(&root.join("mine"))]);
    let git_folder = root.join("mine/.git");
    let mut daemon = Daemon::start_with(&["--root", text(&root)]);
    daemon.ok(json!({"op": "head", "path": root.join("mine")}));
    daemon.ok(writing(&root.join("mine")).remove(2));
    fs::write(&outside, "precious").unwrap();
    // Made since the repository was opened.
    for place in ["packed-refs.new", "gitport-maintained", "logs/refs/heads/main", "logs/HEAD"] {
        let _ = fs::remove_file(git_folder.join(place));
        symlink(&outside, git_folder.join(place)).unwrap();
    }
    let mut requests = writing(&root.join("mine"));
    requests.remove(2);
    for request in requests {
        daemon.ok(request);
    }
    assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
}

#[test]
fn a_link_in_a_git_folder_that_stays_inside_is_followed() {
    let base = TempDir::new().unwrap();
    let root = base.path().canonicalize().unwrap().join("root");
    let origin = Repository::of(&[("a.yaml", "1")]);
    let mine = root.join("mine");
    origin.git(&["clone", "-q", origin.path(), text(&mine)]);
    for name in ["logs", "refs"] {
        fs::rename(mine.join(".git").join(name), root.join(name)).unwrap();
        symlink(root.join(name), mine.join(".git").join(name)).unwrap();
    }
    // Nobody runs or reads these.
    fs::remove_dir_all(mine.join(".git/hooks")).unwrap();
    symlink("/usr/share/git-core/templates/hooks", mine.join(".git/hooks")).unwrap();
    let mut daemon = Daemon::start_with(&["--root", text(&root)]);
    for request in writing(&mine) {
        daemon.ok(request);
    }
    origin.git(&["-C", text(&mine), "fsck", "--strict"]);
}
