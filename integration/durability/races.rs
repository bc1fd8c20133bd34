//! Two daemons and everything that stock git does to a repository, all at once: nothing is lost that
//! anybody was told is done.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Output,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use serde_json::Value;

use super::{Store, answered, git, is_sound, writing};
use crate::{daemon::Daemon, repository::git_command};

/// So many requests of each daemon are outstanding.
const OUTSTANDING: usize = 8;
const REQUESTS: u64 = 120;

/// What others do meanwhile, again and again; it may fail where somebody holds a lock.
const OTHERS: &[&[&str]] = &[
    &["gc", "-q", "--prune=now"],
    &["pack-refs", "--all"],
    &["repack", "-adq"],
    &["repack", "-q"],
    &["prune-packed", "-q"],
];

#[test]
fn nothing_acknowledged_is_lost_while_stock_git_works_on_the_repository() {
    for is_bare in [true, false] {
        let store = Store::new(is_bare);
        let desk = store.repository.beside("desk");
        git(store.path(), &["worktree", "add", "-q", "-b", "desk", desk.to_str().unwrap()]);
        let is_over = AtomicBool::new(false);
        // Pruning at once takes what another git is about to commit: git is not safe from itself.
        let among_gits = Mutex::new(());
        let housekeeping = || {
            again(&is_over, |round| {
                let _turn = among_gits.lock().unwrap();
                git_may_fail(store.path(), other(round))
            });
        };
        let at_desk = |it| {
            let _turn = among_gits.lock().unwrap();
            commits(&desk, it)
        };
        let (mut done, mut moved, mut committed) = (BTreeSet::new(), 0, 0);
        thread::scope(|scope| {
            let path = store.path();
            let daemons: Vec<_> =
                [0, 1].map(|which| scope.spawn(move || of_one_daemon(path, which))).into();
            let housekeeper = scope.spawn(housekeeping);
            let mover = scope.spawn(|| again_counted(&is_over, |it| moves_a_ref(path, it)));
            let clerk = scope.spawn(|| again_counted(&is_over, at_desk));
            let ended: Vec<_> = daemons.into_iter().map(|it| it.join()).collect();
            is_over.store(true, Ordering::Relaxed);
            done.extend(ended.into_iter().flat_map(Result::unwrap));
            housekeeper.join().unwrap();
            (moved, committed) = (mover.join().unwrap(), clerk.join().unwrap());
        });
        let asked = 2 * REQUESTS;
        assert!(asked / 2 < done.len() as u64, "only {} of {asked}", done.len());
        store.has_all(0..asked, &done);
        store.is_clean();
        assert_eq!(git(&desk, &["rev-list", "--count", "main..desk"]), committed.to_string());
        let refs = git(store.path(), &["for-each-ref", "--format=x", "refs/others/"]);
        assert_eq!(refs.lines().count() as u64, moved);
        assert!(0 < moved && 0 < committed);
        is_sound(store.path());
    }
}

/// Keeps some requests outstanding; answers with the numbers of those that succeeded.
fn of_one_daemon(path: &Path, which: u64) -> BTreeSet<u64> {
    let mut daemon = Daemon::start();
    let mut numbers = (0..REQUESTS).map(|it| 2 * it + which);
    let mut replies: Vec<Value> = Vec::new();
    for number in numbers.by_ref().take(OUTSTANDING) {
        daemon.send(writing(number).request(path, number));
    }
    while replies.len() < REQUESTS as usize {
        let reply = daemon.receive();
        let is_fine = reply.get("ok").is_some() || reply["code"] == "locked";
        assert!(is_fine, "{reply}\n{}", daemon.stderr());
        replies.push(reply);
        if let Some(number) = numbers.next() {
            daemon.send(writing(number).request(path, number));
        }
    }
    assert!(daemon.end().status.success());
    answered(&replies)
}

fn other(round: u64) -> &'static [&'static str] {
    OTHERS[round as usize % OTHERS.len()]
}

fn moves_a_ref(path: &Path, round: u64) -> bool {
    let name = format!("refs/others/{round}");
    git_may_fail(path, &["update-ref", &name, "refs/heads/desk"]).status.success()
}

fn commits(desk: &Path, round: u64) -> bool {
    std::fs::write(desk.join("desk"), round.to_string()).unwrap();
    let is_added = git_may_fail(desk, &["add", "desk"]).status.success();
    is_added && git_may_fail(desk, &["commit", "-qm", "at the desk"]).status.success()
}

fn git_may_fail(folder: &Path, arguments: &[&str]) -> Output {
    git_command(folder).args(arguments).output().unwrap()
}

fn again<T>(is_over: &AtomicBool, mut work: impl FnMut(u64) -> T) {
    let mut round = 0;
    while !is_over.load(Ordering::Relaxed) {
        work(round);
        round += 1;
    }
}

/// Tells how often it went well.
fn again_counted(is_over: &AtomicBool, work: impl Fn(u64) -> bool) -> u64 {
    let count = AtomicU64::new(0);
    again(is_over, |round| count.fetch_add(u64::from(work(round)), Ordering::Relaxed));
    count.into_inner()
}
