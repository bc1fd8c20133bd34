//! How repositories come to rest, and are found again: refs that are in each other's way, records
//! that were lost in between, locks of the dead beside the living, and very many repositories.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Store, git, is_sound};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
};

const RECORDS_AT: usize = 12288;

fn commit(daemon: &mut Daemon, path: &Path, name: &str) -> String {
    let request = json!({
        "op": "commit", "path": path, "branch": "main", "message": name, "encoding": "utf8",
        "changes": [{"file": name, "content": name}],
    });
    daemon.ok(request)["commit"].as_str().unwrap().to_owned()
}

fn moves(daemon: &mut Daemon, path: &Path, name: &str, to: Option<&str>, more: Value) {
    let request = json!({"op": "ref.update", "path": path, "updates": [{"ref": name, "to": to}]});
    daemon.ok(super::with(request, more));
}

fn killed(mut daemon: Daemon) {
    daemon.signal(Signal::KILL);
    daemon.rest();
}

/// As if the machine had been started anew.
fn forget_what_was_carried_out(path: &Path) {
    let journal = path.join("gitport-journal");
    let mut content = fs::read(&journal).unwrap();
    content[8192..8192 + 52].fill(0);
    fs::write(&journal, content).unwrap();
    fs::write(path.join("gitport-store"), "").unwrap();
}

/// `refs/heads/a/b` came and went, and `refs/heads/a` came.
fn swap_folder_for_ref(daemon: &mut Daemon, path: &Path) -> String {
    let id = commit(daemon, path, "one");
    moves(daemon, path, "refs/heads/a/b", Some(&id), json!({}));
    moves(daemon, path, "refs/heads/a/b", None, json!({}));
    moves(daemon, path, "refs/heads/a", Some(&id), json!({}));
    id
}

#[test]
fn a_ref_where_a_folder_of_refs_was_is_brought_to_rest() {
    let store = Store::new(true);
    let mut daemon = Daemon::start();
    let id = swap_folder_for_ref(&mut daemon, store.path());
    until("no journal is left", PATIENCE, || !store.path().join("gitport-journal").exists());
    daemon.ok(json!({"op": "maintain", "path": store.path()}));
    daemon.end();
    assert_eq!(git(store.path(), &["rev-parse", "refs/heads/a"]), id);
    is_sound(store.path());
}

#[test]
fn a_ref_where_a_folder_of_refs_was_is_recovered_after_another_start_of_the_machine() {
    let store = Store::new(true);
    let mut daemon = Daemon::start();
    let id = swap_folder_for_ref(&mut daemon, store.path());
    killed(daemon);
    forget_what_was_carried_out(store.path());
    commit(&mut Daemon::start(), store.path(), "two");
    assert_eq!(git(store.path(), &["rev-parse", "refs/heads/a"]), id);
    is_sound(store.path());
}

#[test]
fn a_removal_that_was_lost_is_carried_out_where_another_ref_is_in_the_place_of_its_folder() {
    let store = Store::new(true);
    let mut daemon = Daemon::start();
    let id = swap_folder_for_ref(&mut daemon, store.path());
    killed(daemon);
    forget_what_was_carried_out(store.path());
    fs::write(store.path().join("packed-refs"), format!("{id} refs/heads/a/b\n")).unwrap();
    commit(&mut Daemon::start(), store.path(), "two");
    let refs = git(store.path(), &["for-each-ref", "--format=%(refname)", "refs/heads"]);
    assert_eq!(refs, "refs/heads/a\nrefs/heads/main");
    is_sound(store.path());
}

#[test]
fn a_folder_of_refs_where_a_ref_was_is_recovered_when_its_removal_was_lost() {
    let store = Store::new(true);
    let mut daemon = Daemon::start();
    let id = commit(&mut daemon, store.path(), "one");
    moves(&mut daemon, store.path(), "refs/heads/a", Some(&id), json!({}));
    moves(&mut daemon, store.path(), "refs/heads/a", None, json!({}));
    moves(&mut daemon, store.path(), "refs/heads/a/b", Some(&id), json!({}));
    killed(daemon);
    forget_what_was_carried_out(store.path());
    fs::remove_dir_all(store.path().join("refs/heads/a")).unwrap();
    fs::write(store.path().join("refs/heads/a"), format!("{id}\n")).unwrap();
    commit(&mut Daemon::start(), store.path(), "two");
    assert_eq!(git(store.path(), &["rev-parse", "refs/heads/a/b"]), id);
    is_sound(store.path());
}

#[test]
fn a_ref_that_stock_git_put_in_the_way_after_a_kill_stops_no_writer() {
    let store = Store::new(true);
    let mut daemon = Daemon::start();
    let id = commit(&mut daemon, store.path(), "one");
    moves(&mut daemon, store.path(), "refs/heads/a", Some(&id), json!({}));
    killed(daemon);
    git(store.path(), &["branch", "-D", "a"]);
    git(store.path(), &["branch", "a/b", "main"]);
    forget_what_was_carried_out(store.path());
    commit(&mut Daemon::start(), store.path(), "two");
    assert_eq!(git(store.path(), &["rev-parse", "refs/heads/a/b"]), id);
    is_sound(store.path());
}

#[test]
fn what_lies_behind_a_lost_record_never_comes_back() {
    let store = Store::new(true);
    let mut daemon = Daemon::start();
    let path = store.path();
    let [one, two] = ["one", "two"].map(|it| commit(&mut daemon, path, it));
    until("the journal starts over", PATIENCE, || !path.join("gitport-journal").exists());
    for name in ["refs/heads/x", "refs/heads/y"] {
        moves(&mut daemon, path, name, Some(&one), json!({}));
    }
    for name in ["refs/heads/x", "refs/heads/y"] {
        moves(&mut daemon, path, name, Some(&two), json!({"durability": "relaxed"}));
    }
    killed(daemon);
    // The power went: of the last two records the first is not on disk, and neither are the refs.
    forget_what_was_carried_out(path);
    let mut journal = fs::read(path.join("gitport-journal")).unwrap();
    let mut at = RECORDS_AT;
    for _ in 0..2 {
        at += record_bytes(&journal, at);
    }
    let lost = record_bytes(&journal, at);
    journal[at..at + lost].fill(0);
    fs::write(path.join("gitport-journal"), journal).unwrap();
    for name in ["x", "y"] {
        fs::write(path.join("refs/heads").join(name), format!("{one}\n")).unwrap();
    }
    let mut daemon = Daemon::start();
    // As long as the one that was lost.
    moves(&mut daemon, path, "refs/heads/x", Some(&two), json!({}));
    killed(daemon);
    moves(&mut Daemon::start(), path, "refs/heads/z", Some(&one), json!({}));
    assert_eq!(git(path, &["rev-parse", "refs/heads/y"]), one);
    assert_eq!(git(path, &["rev-parse", "refs/heads/x"]), two);
    is_sound(path);
}

fn record_bytes(journal: &[u8], at: usize) -> usize {
    let length = u32::from_le_bytes(journal[at..at + 4].try_into().unwrap()) as usize;
    assert_ne!(length, 0, "there is a record");
    (16 + length).next_multiple_of(8)
}

#[test]
fn a_lock_that_was_left_beside_a_living_git_is_removed_when_that_has_ended() {
    let store = Store::new(true);
    let path = store.path();
    let id = commit(&mut Daemon::start(), path, "one");
    // A daemon was killed while it rewrote `packed-refs`, and somebody works there.
    fs::write(path.join("gitport-store"), "process 1\n").unwrap();
    fs::write(path.join("packed-refs.lock"), "").unwrap();
    let mut git = Command::new("git");
    git.current_dir(path).args(["cat-file", "--batch"]).stdin(Stdio::piped());
    let mut living = git.stdout(Stdio::null()).spawn().unwrap();
    let mut daemon = Daemon::start();
    commit(&mut daemon, path, "two");
    drop(living.stdin.take());
    living.wait().unwrap();
    moves(&mut daemon, path, "refs/heads/a", Some(&id), json!({}));
    moves(&mut daemon, path, "refs/heads/a", None, json!({}));
    assert!(!path.join("packed-refs.lock").exists());
}

#[test]
fn more_repositories_than_there_may_be_open_files_are_written_by_one_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let limited = format!("ulimit -n 400; exec \"$0\" serve --data {}", folder.path().display());
    let mut daemon = Daemon::started_by(&["sh", "-c", &limited]);
    for number in 0..500 {
        let workspace = format!("w{number}");
        daemon.ok(json!({"op": "workspace.create", "workspace": workspace}));
        daemon.ok(json!({
            "op": "commit", "workspace": workspace, "message": "one", "encoding": "utf8",
            "changes": [{"file": "a", "content": "a"}],
        }));
    }
    daemon.end();
}

#[test]
fn the_end_of_a_daemon_waits_no_longer_for_others_than_it_may() {
    let store = Store::new(true);
    let mut daemon = Daemon::start_with(&["--grace-ms", "500"]);
    commit(&mut daemon, store.path(), "one");
    let mut right = fs::OpenOptions::new();
    right.write(true).create(true).truncate(false);
    let right = right.open(store.path().join("gitport-store")).unwrap();
    rustix::fs::flock(&right, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let began = Instant::now();
    daemon.close_input();
    daemon.exit();
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    drop(right);
    commit(&mut Daemon::start(), store.path(), "two");
    assert_eq!(git(store.path(), &["rev-list", "--count", "main"]), "3");
}
