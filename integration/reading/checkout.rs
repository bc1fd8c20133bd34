//! `checkout` makes the worktree that of a commit and touches nothing else.

use std::fs;

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::Dice;
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, meanwhile, until},
    repository::{Repository, text, varied},
};

fn checkout(daemon: &mut Daemon, repository: &Repository, sha: &str) {
    let expected = repository.git(&["rev-parse", &format!("{sha}^{{commit}}")]);
    let reply = daemon.ok(json!({"op": "checkout", "path": repository.path(), "sha": sha}));
    assert_eq!(reply, expected);
    assert_eq!(repository.head(), expected);
    assert_eq!(repository.git(&["rev-parse", "--symbolic-full-name", "HEAD"]), "HEAD");
}

#[test]
fn every_commit_of_a_history_can_be_checked_out_and_no_ref_moves() {
    let repository = varied();
    repository.git(&["tag", "-a", "v1", "-m", "tag", "HEAD~1"]);
    let refs = repository.git(&["show-ref"]);
    let last = repository.head();
    let mut daemon = Daemon::start();
    for sha in ["HEAD~2", "main", "v1", "refs/heads/main~1", &last, &last[..10], "HEAD"] {
        checkout(&mut daemon, &repository, sha);
        assert_eq!(repository.git(&["status", "--porcelain"]), "", "{sha}");
        assert_eq!(repository.git(&["show-ref"]), refs);
    }
}

#[test]
fn changes_to_tracked_files_are_discarded_and_untracked_files_stay() {
    let repository = varied();
    repository.write("README.md", "changed\n");
    repository.write("config.yaml", "staged\n");
    repository.git(&["add", "config.yaml"]);
    repository.write("added", "staged and new\n");
    repository.git(&["add", "added"]);
    repository.write("binary.bin", "staged, and as it was again\n");
    repository.git(&["add", "binary.bin"]);
    let content = repository.git_bytes(&["show", "HEAD:binary.bin"]);
    repository.write("binary.bin", content);
    repository.remove("long.txt");
    repository.set_mode("script.sh", 0o644);
    repository.write("untracked", "mine\n");
    repository.write("source/untracked", "mine too\n");
    checkout(&mut Daemon::start(), &repository, "HEAD");
    let left = repository.git(&["status", "--porcelain", "--untracked-files=all"]);
    let left: Vec<&str> = left.lines().filter(|line| *line != "?? added").collect();
    assert_eq!(left, ["?? source/untracked", "?? untracked"]);
    assert_eq!(repository.read("untracked"), "mine\n");
}

#[test]
fn a_link_swapped_into_the_worktree_is_replaced_and_never_written_through() {
    let files = [("folder/f", "1\n"), ("folder/deep/g", "2\n"), ("top", "3\n")];
    let outside = TempDir::new().unwrap();
    let precious = outside.path().join("f");
    let mut daemon = Daemon::start();
    for rev in ["HEAD", "HEAD~1"] {
        for (name, target) in [("folder", outside.path()), ("top", &precious)] {
            let repository = Repository::of(&files);
            repository.write("folder/f", "changed\n");
            repository.write("top", "changed\n");
            repository.commit("second");
            fs::write(&precious, "precious").unwrap();
            repository.git(&["rm", "-rqf", "--cached", "folder/deep"]);
            fs::rename(repository.file(name), repository.beside("moved")).unwrap();
            repository.link(name, text(target));
            checkout(&mut daemon, &repository, rev);
            assert_eq!(repository.git(&["status", "--porcelain"]), "", "{name} at {rev}");
            assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        }
    }
}

#[test]
fn a_change_that_keeps_size_and_time_is_discarded_too() {
    let repository = Repository::of(&[("a", "1\n"), ("b", "2\n")]);
    let file = repository.file("a");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    // Older than the index, as after a while.
    std::thread::sleep(std::time::Duration::from_millis(50));
    repository.git(&["update-index", "--force-write-index"]);
    repository.write("a", "x\n");
    fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
    checkout(&mut Daemon::start(), &repository, "HEAD");
    assert_eq!(repository.read("a"), "1\n");
}

#[test]
fn a_folder_moved_away_and_linked_to_is_written_anew() {
    let repository = Repository::of(&[("folder/f", "1\n")]);
    let away = repository.beside("away");
    fs::rename(repository.file("folder"), &away).unwrap();
    repository.link("folder", text(&away));
    checkout(&mut Daemon::start(), &repository, "HEAD");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    assert!(!repository.file("folder").is_symlink());
}

#[test]
fn a_repository_where_a_file_belongs_is_a_conflict_and_stays() {
    let repository = Repository::of(&[("thing", "a file\n")]);
    let first = repository.head();
    repository.git(&["rm", "-q", "thing"]);
    repository.write("other", "1\n");
    let second = repository.commit("without");
    repository.git(&["init", "-q", "thing"]);
    let mut daemon = Daemon::start();
    let request = json!({"op": "checkout", "path": repository.path(), "sha": first});
    daemon.refused("conflict", request);
    assert_eq!(repository.head(), second);
    assert!(repository.file("thing/.git").is_dir());
    assert_eq!(repository.git(&["status", "--porcelain"]), "?? thing/");
}

#[test]
fn folders_turn_into_files_and_back() {
    let repository = Repository::of(&[("thing/inside", "1"), ("other", "2"), ("a/b/c/d", "3")]);
    let first = repository.head();
    repository.git(&["rm", "-rq", "thing", "other", "a"]);
    repository.write("thing", "a file now");
    repository.write("other/inside", "a folder now");
    let second = repository.commit("turned");
    let mut daemon = Daemon::start();
    for sha in [&first, &second, &first, &second] {
        checkout(&mut daemon, &repository, sha);
        assert_eq!(repository.git(&["status", "--porcelain"]), "");
    }
    assert!(!repository.file("a").exists(), "empty folders go");
}

#[test]
fn any_tree_can_follow_any_other() {
    let repository = Repository::new();
    let mut dice = Dice(91);
    let commits: Vec<String> = (0..10).map(|_| random_tree(&repository, &mut dice)).collect();
    let mut daemon = Daemon::start();
    for _ in 0..40 {
        let sha = &commits[dice.below(commits.len())];
        checkout(&mut daemon, &repository, sha);
        assert_eq!(repository.git(&["status", "--porcelain"]), "", "at {sha}");
    }
}

/// Commits a tree in which each of a few names is now a file, now a folder, now a link.
fn random_tree(repository: &Repository, dice: &mut Dice) -> String {
    repository.git(&["rm", "-rqf", "--ignore-unmatch", "."]);
    for name in ["a", "b", "c", "a-b", "folder/a", "folder/b", "folder/deep/c"] {
        let content = format!("{}\n", dice.below(3));
        match dice.below(6) {
            0 => continue,
            1 => repository.write(format!("{name}/inside"), content),
            2 => repository.write(format!("{name}/more/inside"), content),
            3 => {
                repository.write(format!("{name}.file"), &content);
                repository.link(name, "a");
            }
            kind => {
                repository.write(name, content);
                repository.set_mode(name, [0o644, 0o755][kind % 2]);
            }
        }
    }
    repository.commit("a tree")
}

#[test]
fn line_ends_are_written_as_the_attributes_say() {
    let repository = Repository::of(&[
        (".gitattributes", "*.dos text eol=crlf\n*.unix text eol=lf\n"),
        ("a.dos", "one\ntwo\n"),
        ("a.unix", "one\ntwo\n"),
    ]);
    repository.write("a.dos", "one\r\nthree\r\n");
    repository.commit("second");
    checkout(&mut Daemon::start(), &repository, "HEAD~1");
    assert_eq!(repository.read("a.dos"), "one\r\ntwo\r\n");
    assert_eq!(repository.read("a.unix"), "one\ntwo\n");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn line_ends_are_those_of_the_commit_that_comes_not_of_the_one_before() {
    let repository = Repository::of(&[(".gitattributes", "* text eol=crlf\n"), ("a", "1\n")]);
    let windows = repository.head();
    repository.write(".gitattributes", "* -text\n");
    repository.write("a", "2\n");
    let plain = repository.commit("plain");
    let mut daemon = Daemon::start();
    for (sha, content) in [(&windows, "1\r\n"), (&plain, "2\n"), (&windows, "1\r\n")] {
        checkout(&mut daemon, &repository, sha);
        assert_eq!(repository.read("a"), content, "at {sha}");
        assert_eq!(repository.git(&["status", "--porcelain"]), "", "at {sha}");
    }
}

#[test]
fn a_lock_on_the_index_refuses_before_anything_is_touched() {
    let repository = Repository::of(&[("a", "1\n")]);
    let first = repository.head();
    repository.write("a", "2\n");
    let second = repository.commit("second");
    repository.write("a", "changed\n");
    repository.write(".git/index.lock", "");
    let request = json!({"op": "checkout", "path": repository.path(), "sha": first});
    let reply = Daemon::start().refused("locked", request);
    assert!(reply["path"].as_str().unwrap().ends_with("index.lock"), "{reply}");
    assert!(reply["age_ms"].is_u64(), "{reply}");
    assert_eq!(repository.head(), second);
    assert_eq!(repository.read("a"), "changed\n");
}

#[test]
fn a_status_in_a_loop_beside_it_is_in_nobodys_way() {
    let repository = Repository::new();
    for number in 0..300 {
        repository.write(format!("{number}"), format!("{number}\n"));
    }
    let first = repository.commit("first");
    for number in 0..300 {
        repository.write(format!("{number}"), "changed\n");
    }
    let second = repository.commit("second");
    let mut daemon = Daemon::start();
    meanwhile(
        || drop(repository.git(&["status", "--porcelain"])),
        || {
            for sha in [&first, &second].into_iter().cycle().take(12) {
                checkout(&mut daemon, &repository, sha);
            }
        },
    );
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_worktree_on_another_file_system_is_written_too() {
    let Ok(there) = tempfile::tempdir_in("/dev/shm") else { return };
    let repository = Repository::of(&[("a", "1\n"), ("folder/b", "2\n")]);
    let first = repository.head();
    repository.link("l", "a");
    repository.write("a", "3\n");
    repository.set_mode("a", 0o755);
    let second = repository.commit("second");
    let path = there.path().join("worktree");
    repository.git(&["worktree", "add", "-q", "--detach", text(&path), &first]);
    fs::create_dir(path.join("gitport-checkout")).unwrap();
    fs::write(path.join("gitport-checkout/mine"), "mine").unwrap();
    let mut daemon = Daemon::start();
    for sha in [&second, &first, &second] {
        assert_eq!(daemon.ok(json!({"op": "checkout", "path": path, "sha": sha})), **sha);
        let status = repository.git(&["-C", text(&path), "status", "--porcelain"]);
        assert_eq!(status, "?? gitport-checkout/");
    }
}

#[test]
fn what_is_no_commit_is_not_checked_out() {
    let repository = varied();
    let before = repository.head();
    let path = repository.path();
    let mut daemon = Daemon::start();
    for sha in ["none", "HEAD~50", "0123456789012345678901234567890123456789", ""] {
        let reply = daemon.call(json!({"op": "checkout", "path": path, "sha": sha}));
        let code = reply["code"].as_str().unwrap();
        assert!(["not_found", "bad_request"].contains(&code), "{sha} got {reply}");
    }
    for sha in ["HEAD^{tree}", "HEAD:README.md"] {
        let reply = daemon.call(json!({"op": "checkout", "path": path, "sha": sha}));
        let code = reply["code"].as_str().unwrap();
        assert!(["not_found", "bad_request", "invalid"].contains(&code), "{sha} got {reply}");
    }
    assert_eq!(repository.head(), before);
    assert_eq!(repository.git(&["rev-parse", "--symbolic-full-name", "HEAD"]), "refs/heads/main");
}

#[test]
fn a_bare_repository_has_nothing_to_check_out_into() {
    let bare = varied().bare();
    let reply = json!({"op": "checkout", "path": bare.path(), "sha": "HEAD"});
    Daemon::start().refused("unsupported", reply);
}

#[test]
fn hooks_are_not_run() {
    let repository = varied();
    let witness = repository.beside("witness");
    for hook in ["post-checkout", "post-merge", "reference-transaction", "post-index-change"] {
        let file = format!(".git/hooks/{hook}");
        repository.write(&file, format!("#!/bin/sh\ntouch {}\n", witness.display()));
        repository.set_mode(&file, 0o755);
    }
    let mut daemon = Daemon::start();
    let request = json!({"op": "checkout", "path": repository.path(), "sha": "HEAD~1"});
    daemon.ok(request);
    assert!(!witness.exists());
}

#[test]
fn what_a_killed_checkout_brought_goes_with_the_next_one() {
    let repository = Repository::of(&[("a", "1\n")]);
    let first = repository.head();
    for number in 0..3000 {
        repository.write(format!("{}/{number}", number % 30), "many\n");
    }
    let many = repository.commit("many");
    repository.git(&["rm", "-rq", "."]);
    repository.write("b", "2\n");
    let last = repository.commit("last");
    let path = repository.path();
    for next in [&last, &first] {
        let mut daemon = Daemon::start();
        daemon.send(json!({"op": "checkout", "path": path, "sha": many, "id": 1}));
        until("files come", PATIENCE, || repository.file("0/0").exists());
        daemon.signal(Signal::KILL);
        daemon.rest();
        checkout(&mut Daemon::start(), &repository, next);
        assert_eq!(repository.git(&["status", "--porcelain"]), "", "at {next}");
    }
}
