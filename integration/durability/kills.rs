//! A daemon may be killed at any instant: what it was answered for is there, the rest whole or not at
//! all, and the next daemon needs no help.

use std::{
    collections::BTreeSet,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Chance, SOON, Store, answered, debris, is_good, writing};
use crate::{daemon::Daemon, processes::until};

/// So many kills meet one repository.
const KILLS_OF_ONE: u64 = 10;

#[test]
fn what_was_answered_for_outlives_a_kill_at_any_instant() {
    let kills = std::env::var("GITPORT_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(20);
    let mut chance = Chance::new();
    let mut done = 0;
    while done < kills {
        let mut scene = Scene::new(chance.is_heads());
        for _ in 0..KILLS_OF_ONE.min(kills - done) {
            scene.kill_once(&mut chance);
            done += 1;
        }
        scene.ends_well();
    }
}

struct Scene {
    store: Store,
    asked: u64,
    answered: BTreeSet<u64>,
}

impl Scene {
    fn new(is_bare: bool) -> Scene {
        Scene { store: Store::new(is_bare), asked: 0, answered: BTreeSet::new() }
    }

    fn kill_once(&mut self, chance: &mut Chance) {
        let count = 8 + chance.below(57);
        let mut daemon = Daemon::start();
        let first = self.asked;
        self.asked += count;
        for number in first..self.asked {
            daemon.send(writing(number).request(self.store.path(), number));
        }
        let waited_for = chance.below(count);
        let mut replies: Vec<Value> = daemon.receive_many(waited_for as usize);
        sleep(Duration::from_micros(chance.below(20_000)));
        daemon.signal(Signal::KILL);
        replies.extend(daemon.rest().frames);
        for reply in &replies {
            assert!(is_good(reply), "nothing but the kill goes wrong: {reply}");
        }
        self.answered.extend(answered(&replies));
        self.store.has_all(0..self.asked, &self.answered);
        self.the_next_one_works();
    }

    /// On the branch that is checked out, if one is.
    fn the_next_one_works(&mut self) {
        let number = self.asked.next_multiple_of(super::WRITINGS.len() as u64);
        self.asked = number + 1;
        let mut daemon = Daemon::start();
        let started = Instant::now();
        if !self.store.is_bare && (self.asked / 4).is_multiple_of(2) {
            self.all_is_what_is_new(&mut daemon, number);
        }
        daemon.ok(writing(number).request(self.store.path(), number));
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        self.answered.insert(number);
        self.store.has_all(0..self.asked, &self.answered);
        self.store.is_clean();
        let git_folder = self.store.git_folder();
        until("nothing is left", SOON, || debris(&git_folder).is_empty());
        if (self.asked / 8).is_multiple_of(2) {
            // Also after one that had nothing to do any more.
            daemon.signal(Signal::KILL);
            daemon.rest();
        } else {
            assert!(daemon.end().status.success());
        }
    }

    /// Files that did not get to follow their branch are none of a person's changes.
    fn all_is_what_is_new(&self, daemon: &mut Daemon, number: u64) {
        let (path, name) = (self.store.path(), format!("by-hand-{number}"));
        self.store.repository.write(&name, "by hand\n");
        daemon.ok(json!({"op": "commit", "path": path, "message": "all", "all": true}));
        assert_eq!(super::git(path, &["diff", "--name-only", "HEAD~1", "HEAD"]), name);
    }

    /// A plain repository is left, with no more packs than there were small ones allowed.
    fn ends_well(mut self) {
        self.the_next_one_works();
        let mut daemon = Daemon::start();
        let number = self.asked;
        daemon.ok(writing(number).request(self.store.path(), number));
        self.answered.insert(number);
        assert!(daemon.end().status.success());
        self.store.has_all(0..number + 1, &self.answered);
        let kept = super::all_below(&self.store.git_folder().join("objects/pack"));
        let kept: Vec<_> = kept.iter().filter(|it| it.extension().unwrap() == "keep").collect();
        assert_eq!(kept, [] as [&std::path::PathBuf; 0]);
        assert!(!self.store.git_folder().join("gitport-journal").exists());
    }
}
