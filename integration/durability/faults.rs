//! A disk that fails or is full: each request gets one answer that is true, and when the disk is well
//! again so is everything else, without a restart.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use rustix::io::Errno;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    COMMITS, Seen, State, Store, WRITINGS, debris, is_sound,
    shim::{MAKE, OPEN, RENAME, SYNC, Shim, TRUNCATE, UNLINK, WRITE},
    with, writing,
};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::{git_command, text},
};

/// More calls of one kind than any request makes.
const CALLS_MAX: i32 = 40;
/// So many of them meet one repository: its index gets longer, and is written by more calls.
const OF_ONE: i32 = 6;

#[test]
fn a_call_that_fails_once_costs_its_request_and_nothing_else() {
    each_call_fails(Errno::IO, false, &["unavailable"]);
}

#[test]
fn a_disk_without_room_is_told_as_such_and_works_when_there_is_room() {
    each_call_fails(Errno::NOSPC, true, &["disk_full"]);
}

/// In a repository that has a journal and in one that has none yet, bare and ordinary.
fn each_call_fails(error: Errno, lasts: bool, codes: &[&str]) {
    for is_bare in [true, false] {
        for kind in [WRITE, SYNC, OPEN, RENAME, UNLINK, TRUNCATE, MAKE] {
            let mut scene = Scene::new(is_bare);
            for before in 0..CALLS_MAX {
                if before % OF_ONE == OF_ONE - 1 {
                    scene.ends_well();
                    scene = Scene::new(is_bare);
                }
                if !scene.fail_at(kind, error, before, lasts, codes) {
                    break;
                }
                assert_ne!(before + 1, CALLS_MAX, "kind {kind}: no request makes so many calls");
            }
            scene.ends_well();
        }
    }
}

struct Scene {
    shim: Shim,
    store: Store,
    daemon: Daemon,
    next: u64,
    answered: BTreeSet<u64>,
}

impl Scene {
    fn new(is_bare: bool) -> Scene {
        let (shim, store) = (Shim::new(), Store::new(is_bare));
        let daemon = shim.daemon(store.path());
        Scene { shim, store, daemon, next: 0, answered: BTreeSet::new() }
    }

    /// Each writing once with a call that fails; false where none made so many calls.
    fn fail_at(
        &mut self,
        kind: i32,
        error: Errno,
        before: i32,
        lasts: bool,
        codes: &[&str],
    ) -> bool {
        let mut has_failed = false;
        for _ in 0..COMMITS {
            let number = self.take_number();
            self.shim.arm(kind, error.raw_os_error(), before, lasts);
            let reply = self.daemon.call(writing(number).request(self.store.path(), number));
            // Clearing up after the answer may fail too, before the next request.
            self.daemon.ok(json!({"op": "ping"}));
            has_failed |= 0 < self.shim.disarm();
            let about = format!("kind {kind}, call {before}: {reply}");
            match reply.get("ok") {
                Some(_) => drop(self.answered.insert(number)),
                None => assert!(codes.contains(&reply["code"].as_str().unwrap()), "{about}"),
            }
            self.works(&about);
            self.is_true(number, &reply, &about);
        }
        has_failed
    }

    /// Of the next plain commit: each call that one makes is made to fail, and others make many.
    fn take_number(&mut self) -> u64 {
        if COMMITS <= self.next % WRITINGS.len() as u64 {
            self.next = self.next.next_multiple_of(WRITINGS.len() as u64);
        }
        self.next += 1;
        self.next - 1
    }

    /// The next request on each branch succeeds.
    fn works(&mut self, about: &str) {
        for _ in 0..COMMITS {
            let number = self.take_number();
            let reply = self.daemon.call(writing(number).request(self.store.path(), number));
            assert!(reply.get("ok").is_some(), "{about}, then {reply}\n{}", self.daemon.stderr());
            self.answered.insert(number);
        }
    }

    fn is_true(&self, number: u64, reply: &Value, about: &str) {
        let state = State::of(self.store.path(), [number]);
        let seen = writing(number).seen(&state, number);
        assert_ne!(seen, Seen::Half, "{about}");
        if reply.get("ok").is_some() {
            assert_eq!(seen, Seen::Whole, "{about}");
        }
        leaves_nothing(&self.store.git_folder(), about);
    }

    fn ends_well(self) {
        self.store.has_all(0..self.next, &self.answered);
        self.store.is_clean();
        assert!(self.daemon.end().status.success());
        self.store.has_all(0..self.next, &self.answered);
    }
}

/// Git's locks are files, and one that stays is in the way of everybody.
#[test]
fn a_lock_that_could_not_be_removed_is_in_nobodys_way() {
    for is_bare in [true, false] {
        let (shim, store) = (Shim::new(), Store::new(is_bare));
        let mut daemon = shim.daemon(store.path());
        let mut before = 0;
        loop {
            let branch = |name: &str, more: Value| {
                with(json!({"op": "branch", "path": store.path(), "branch": name}), more)
            };
            daemon.ok(branch("gone", json!({})));
            shim.arm(UNLINK, Errno::IO.raw_os_error(), before, false);
            let reply = daemon.call(branch("gone", json!({"delete": true})));
            daemon.call(writing(0).request(store.path(), before as u64));
            let has_failed = 0 < shim.disarm();
            let is_gone = reply.get("ok").is_some();
            assert!(is_gone || reply["code"] == "unavailable", "{reply}");
            daemon.ok(branch("other", json!({})));
            for name in if is_gone { &["other"][..] } else { &["gone", "other"] } {
                daemon.ok(branch(name, json!({"delete": true})));
            }
            daemon.ok(writing(0).request(store.path(), 1000 + before as u64));
            leaves_nothing(&store.git_folder(), &format!("call {before}: {reply}"));
            before += 1;
            if !has_failed {
                break;
            }
        }
        assert!(2 < before, "it has some locks");
        // Nobody comes after the last one but the end.
        shim.arm(UNLINK, Errno::IO.raw_os_error(), 0, true);
        daemon.call(writing(0).request(store.path(), 2000));
        shim.disarm();
        assert!(daemon.end().status.success());
        leaves_nothing(&store.git_folder(), "the daemon has ended");
    }
}

#[test]
fn a_file_system_that_fills_up_and_is_freed_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=6m", "tmpfs", text(folder.path())];
    let mounted = Command::new("mount").args(mount).output().unwrap();
    if !mounted.status.success() {
        let why = String::from_utf8_lossy(&mounted.stderr);
        crate::skipped("a full disk", &format!("no file system can be mounted: {why}"));
        return;
    }
    let _unmounted = Unmounted(folder.path());
    let path = folder.path().join("bare");
    let made = git_command(folder.path()).args(["init", "-q", "--bare", text(&path)]).output();
    assert!(made.unwrap().status.success());
    let mut daemon = Daemon::start();
    let (mut answered, mut refused) = (BTreeSet::new(), 0);
    let mut number = 0;
    for round in 0..4 {
        let filler = folder.path().join("filler");
        while refused < 3 * (round + 1) {
            let noise = json!({"file": "noise", "content": super::disk::noise(100_000, number)});
            let mut request = writing(0).request(&path, number);
            request["changes"].as_array_mut().unwrap().push(noise);
            let reply = daemon.call(with(request, json!({"encoding": "utf8"})));
            match reply.get("ok") {
                Some(_) => drop(answered.insert(number)),
                None => {
                    assert_eq!(reply["code"], "disk_full", "{reply}");
                    refused += 1;
                    // The journal makes its room again where a little is left.
                    fs::write(&filler, vec![1; 1 << 20]).ok();
                }
            }
            number += 1;
        }
        is_sound(&path);
        let listed = git_command(&path).args(["ls-tree", "-r", "--name-only", "main"]).output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        for it in &answered {
            assert!(listed.contains(&format!("/one-{it}\n")), "{it} is gone");
        }
        fs::remove_file(&filler).ok();
        let larger = format!("remount,size={}m", 6 + 3 * (round + 1));
        let remount = Command::new("mount").args(["-o", &larger, text(folder.path())]).status();
        assert!(remount.unwrap().success());
        daemon.ok(writing(0).request(&path, number));
        answered.insert(number);
        number += 1;
        leaves_nothing(&path, "there is room again");
    }
    assert!(daemon.end().status.success());
    is_sound(&path);
}

/// Soon after the last answer: a checkpoint may still go on.
fn leaves_nothing(git_folder: &Path, about: &str) {
    until(&format!("nothing is left: {about}"), PATIENCE, || debris(git_folder).is_empty());
}

struct Unmounted<'a>(&'a Path);

impl Drop for Unmounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", text(self.0)]).output();
    }
}
