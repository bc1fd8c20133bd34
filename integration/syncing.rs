//! `sync` brings a path to the tip of a branch, whatever was there, or leaves it as it was.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    repository::{Repository, git_command, text, varied},
};

fn sync(origin: &Repository, branch: &str, path: &Path) -> Value {
    json!({"op": "sync", "url": origin.path(), "branch": branch, "path": path})
}

fn git(path: &Path, arguments: &[&str]) -> String {
    let output = git_command(path).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// What every synced worktree is.
fn is_whole(path: &Path, branch: &str, commit: &str) {
    assert_eq!(git(path, &["symbolic-ref", "HEAD"]), format!("refs/heads/{branch}"));
    assert_eq!(git(path, &["rev-parse", "HEAD"]), commit);
    assert_eq!(git(path, &["status", "--porcelain", "--untracked-files=no"]), "");
    git(path, &["fsck", "--strict"]);
}

fn beside(origin: &Repository) -> Vec<String> {
    let folder = origin.beside("");
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_clone_is_a_repository_that_git_takes_for_its_own() {
    let origin = varied();
    let path = origin.beside("clone");
    let mut daemon = Daemon::start();
    assert_eq!(daemon.ok(sync(&origin, "main", &path)), origin.head());
    is_whole(&path, "main", &origin.head());
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
    assert_eq!(git(&path, &["config", "remote.origin.url"]), origin.path());
    git(&path, &["fetch", "origin"]);
    assert_eq!(beside(&origin), ["clone", "repository"], "nothing else is left");
}

#[test]
fn an_empty_folder_is_cloned_into_and_missing_parents_are_made() {
    let origin = varied();
    let mut daemon = Daemon::start();
    let empty = origin.beside("empty");
    fs::create_dir(&empty).unwrap();
    daemon.ok(sync(&origin, "main", &empty));
    is_whole(&empty, "main", &origin.head());
    let deep = origin.beside("not/there/yet");
    daemon.ok(sync(&origin, "main", &deep));
    is_whole(&deep, "main", &origin.head());
}

#[test]
fn what_was_changed_here_is_discarded_and_what_is_untracked_stays() {
    let origin = varied();
    let path = origin.beside("clone");
    let mut daemon = Daemon::start();
    daemon.ok(sync(&origin, "main", &path));
    fs::write(path.join("README.md"), "mine").unwrap();
    fs::write(path.join("untracked"), "mine").unwrap();
    fs::remove_file(path.join("config.yaml")).unwrap();
    assert_eq!(daemon.ok(sync(&origin, "main", &path)), origin.head());
    is_whole(&path, "main", &origin.head());
    assert_eq!(fs::read_to_string(path.join("untracked")).unwrap(), "mine");
}

#[test]
fn a_branch_that_was_rewritten_is_followed() {
    let origin = varied();
    let path = origin.beside("clone");
    let mut daemon = Daemon::start();
    daemon.ok(sync(&origin, "main", &path));
    origin.git(&["reset", "-q", "--hard", "HEAD~2"]);
    origin.write("README.md", "another history\n");
    let rewritten = origin.commit("another second");
    assert_eq!(daemon.ok(sync(&origin, "main", &path)), rewritten);
    is_whole(&path, "main", &rewritten);
}

#[test]
fn switching_the_branch_moves_no_other() {
    let origin = varied();
    let main = origin.head();
    origin.git(&["checkout", "-q", "-b", "feature/one", "HEAD~1"]);
    origin.write("feature", "1");
    let feature = origin.commit("feature");
    let path = origin.beside("clone");
    let mut daemon = Daemon::start();
    daemon.ok(sync(&origin, "main", &path));
    git(&path, &["branch", "mine", "HEAD~2"]);
    let mine = git(&path, &["rev-parse", "mine"]);
    assert_eq!(daemon.ok(sync(&origin, "feature/one", &path)), feature);
    is_whole(&path, "feature/one", &feature);
    assert_eq!(git(&path, &["rev-parse", "main", "mine"]), format!("{main}\n{mine}"));
    assert_eq!(daemon.ok(sync(&origin, "main", &path)), main);
    is_whole(&path, "main", &main);
    assert_eq!(git(&path, &["rev-parse", "feature/one"]), feature);
    assert!(!path.join("feature").exists());
}

#[test]
fn a_checkout_is_undone_by_the_next_sync() {
    let origin = varied();
    let path = origin.beside("clone");
    let mut daemon = Daemon::start();
    daemon.ok(sync(&origin, "main", &path));
    daemon.ok(json!({"op": "checkout", "path": path, "sha": "HEAD~2"}));
    assert_eq!(daemon.ok(sync(&origin, "main", &path)), origin.head());
    is_whole(&path, "main", &origin.head());
}

#[test]
fn a_bare_repository_is_fetched_into() {
    let origin = varied();
    let path = origin.beside("bare.git");
    origin.git(&["clone", "-q", "--bare", origin.path(), text(&path)]);
    origin.write("README.md", "newer\n");
    let newer = origin.commit("newer");
    let mut daemon = Daemon::start();
    assert_eq!(daemon.ok(sync(&origin, "main", &path)), newer);
    assert_eq!(git(&path, &["rev-parse", "refs/heads/main"]), newer);
    assert_eq!(git(&path, &["rev-parse", "--is-bare-repository"]), "true");
    assert!(!path.join("README.md").exists());
    let read = json!({"op": "read", "path": path, "file": "README.md", "encoding": "utf8"});
    assert_eq!(daemon.ok(read), "newer\n");
}

#[test]
fn what_is_not_a_clone_of_the_same_is_a_conflict_and_stays() {
    let origin = varied();
    let other = varied();
    let mut daemon = Daemon::start();
    let path = origin.beside("clone");
    daemon.ok(sync(&other, "main", &path));
    let reply = daemon.refused("conflict", sync(&origin, "main", &path));
    assert_eq!(reply["expected"], origin.path(), "{reply}");
    assert_eq!(reply["actual"], other.path(), "{reply}");

    let folder = origin.beside("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "mine").unwrap();
    let reply = daemon.refused("conflict", sync(&origin, "main", &folder));
    assert!(reply["expected"].is_string() && reply["actual"].is_string(), "{reply}");
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "mine");

    let file = origin.beside("file");
    fs::write(&file, "mine").unwrap();
    daemon.refused("conflict", sync(&origin, "main", &file));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_sync_that_fails_leaves_nothing() {
    let origin = varied();
    let path = origin.beside("clone");
    let before = beside(&origin);
    let mut daemon = Daemon::start();
    daemon.refused("not_found", sync(&origin, "none", &path));
    let nowhere = json!({"op": "sync", "url": origin.beside("none"), "branch": "main",
                         "path": path});
    daemon.refused("not_found", nowhere);
    let folder = origin.beside("source");
    fs::create_dir(&folder).unwrap();
    let no_repository = json!({"op": "sync", "url": folder, "branch": "main", "path": path});
    daemon.refused("not_found", no_repository);
    fs::remove_dir(folder).unwrap();
    assert_eq!(beside(&origin), before);
    // Nor does a failed sync harm the clone that is there.
    daemon.ok(sync(&origin, "main", &path));
    daemon.refused("not_found", sync(&origin, "none", &path));
    is_whole(&path, "main", &origin.head());
}

#[test]
fn a_transport_nobody_allowed_is_denied() {
    let mut daemon = Daemon::start();
    let home = tempfile::TempDir::new().unwrap();
    let path = home.path().join("clone");
    for url in ["ext::sh -c true", "ftp://localhost/x", "rsync://localhost/x", "fd::17"] {
        let request = json!({"op": "sync", "url": url, "branch": "main", "path": path});
        daemon.refused("denied", request);
        daemon.refused("denied", json!({"op": "lsremote", "url": url}));
    }
    let origin = varied();
    let mut daemon = Daemon::start_with(&["--transports", "https,ssh"]);
    for url in [origin.path(), &format!("file://{}", origin.path()), "http://localhost/x"] {
        let reply = daemon.refused("denied", json!({"op": "lsremote", "url": url}));
        assert!(reply["rule"].is_string(), "{reply}");
    }
}

#[test]
fn a_depth_makes_no_difference_to_a_local_path() {
    let origin = varied();
    let mut daemon = Daemon::start();
    for depth in [0, 1, 2] {
        let path = origin.beside(&format!("clone-{depth}"));
        let mut request = sync(&origin, "main", &path);
        request["depth"] = depth.into();
        assert_eq!(daemon.ok(request), origin.head());
        assert_eq!(git(&path, &["rev-list", "--count", "HEAD"]), "3");
        assert_eq!(git(&path, &["rev-parse", "--is-shallow-repository"]), "false");
    }
}

#[test]
fn lsremote_tells_every_ref_or_one() {
    let origin = varied();
    origin.git(&["branch", "side", "HEAD~1"]);
    origin.git(&["tag", "light", "HEAD~2"]);
    origin.git(&["tag", "-a", "heavy", "-m", "tag"]);
    let mut daemon = Daemon::start();
    let all = daemon.ok(json!({"op": "lsremote", "url": origin.path()}));
    let listed = origin.git(&["ls-remote", origin.path()]);
    let expected: serde_json::Map<String, Value> = listed
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(id, name)| (name.to_owned(), id.into()))
        .collect();
    assert_eq!(all, json!(expected));
    for branch in ["side", "refs/heads/side", "refs/tags/light", "refs/tags/heavy"] {
        let id = origin.git(&["rev-parse", branch]);
        let request = json!({"op": "lsremote", "url": origin.path(), "branch": branch});
        assert_eq!(daemon.ok(request), id, "{branch}");
    }
    for branch in ["none", "refs/heads/none", "sid"] {
        let request = json!({"op": "lsremote", "url": origin.path(), "branch": branch});
        daemon.refused("not_found", request);
    }
}

#[test]
fn syncs_of_one_path_at_once_all_succeed() {
    let origin = varied();
    let path = origin.beside("clone");
    let mut daemon = Daemon::start();
    for id in 0..6 {
        let mut request = sync(&origin, "main", &path);
        request["id"] = id.into();
        daemon.send(request);
    }
    for reply in daemon.receive_many(6) {
        assert_eq!(reply["ok"], origin.head(), "{reply}");
    }
    is_whole(&path, "main", &origin.head());
}

#[test]
fn a_sync_that_is_killed_leaves_nothing() {
    let origin = Repository::new();
    for number in 0..600 {
        origin.write(format!("{}/{number}", number % 50), format!("{number}\n").repeat(50));
    }
    origin.commit("many");
    let before = beside(&origin);
    let path = origin.beside("clone");
    for wait_ms in [1, 40, 80, 160] {
        let mut daemon = Daemon::start();
        let mut request = sync(&origin, "main", &path);
        request["id"] = 1.into();
        request["timeout_ms"] = wait_ms.into();
        let reply = daemon.call(request.clone());
        if reply.get("ok").is_some() {
            is_whole(&path, "main", &origin.head());
            fs::remove_dir_all(&path).unwrap();
        } else {
            assert_eq!(reply["code"], "timeout", "{reply}");
            assert!(!path.exists(), "after {wait_ms} ms");
        }
        // What was built aside is gone at the latest with the next sync.
        request["timeout_ms"] = json!(null);
        daemon.ok(request);
        is_whole(&path, "main", &origin.head());
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(beside(&origin), before, "after {wait_ms} ms");
    }
}

#[test]
fn a_branch_that_another_worktree_has_is_not_moved_under_it() {
    let origin = Repository::of(&[("a", "1\n")]);
    origin.git(&["branch", "other"]);
    let clone = origin.beside("clone");
    let sync =
        |branch: &str| json!({"op": "sync", "url": origin.path(), "branch": branch, "path": clone});
    let mut daemon = Daemon::start();
    let main = daemon.ok(sync("main"));
    let git = |arguments: &[&str]| origin.git(&[&["-C", text(&clone)], arguments].concat());
    git(&["branch", "-q", "other"]);
    let linked = origin.beside("linked");
    git(&["worktree", "add", "-q", text(&linked), "other"]);
    origin.git(&["checkout", "-q", "other"]);
    origin.write("a", "2\n");
    origin.commit("second");
    let reply = daemon.refused("conflict", sync("other"));
    assert!(reply["actual"].as_str().unwrap().ends_with("linked"), "{reply}");
    assert_eq!(git(&["rev-parse", "HEAD", "other"]), format!("{0}\n{0}", main.as_str().unwrap()));
    assert_eq!(git(&["status", "--porcelain"]), "");
    assert_eq!(origin.git(&["-C", text(&linked), "status", "--porcelain"]), "");
}

#[test]
fn folders_of_daemons_that_cannot_be_seen_are_left_alone_for_a_day() {
    let origin = Repository::of(&[("a", "1\n")]);
    let here = fs::metadata("/proc/self/ns/pid").map(|it| std::os::unix::fs::MetadataExt::ino(&it));
    let here = here.unwrap();
    // A number that no process has.
    let dead = format!(".gitport-{here}-4194999-0");
    let (young, old) = (".gitport-77-4194999-0", ".gitport-77-4194999-1");
    let names = [&*dead, young, old, ".gitport-notes", ".gitport-1-2"];
    for name in names {
        fs::create_dir_all(origin.beside(name).join("objects")).unwrap();
    }
    let days = std::time::Duration::from_secs(2 * 24 * 60 * 60);
    let before = std::time::SystemTime::now() - days;
    fs::File::open(origin.beside(old)).unwrap().set_modified(before).unwrap();
    let path = origin.beside("clone");
    let sync = json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path});
    Daemon::start().ok(sync);
    let left = names.map(|name| origin.beside(name).exists());
    assert_eq!(left, [false, true, false, true, true]);
}
