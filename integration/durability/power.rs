//! The power may go at any instant: what was answered for is there as soon as somebody looks.

use std::{collections::BTreeSet, fs, ops::Range, path::Path, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Chance, Seen, State, Store, WRITINGS, debris,
    disk::{Deed, Disk, noise},
    is_good, is_sound,
    shim::Shim,
    writing,
};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
};

/// More than the daemon has small packs at most: a checkpoint comes in between.
const REQUESTS: u64 = 72;
const AT_ONCE: Duration = Duration::ZERO;
/// After each of these deeds the power goes; between them now and then.
const CUTS_AT_RANDOM: u64 = 40;

#[test]
fn what_was_answered_for_outlives_a_loss_of_power() {
    let durable = (0..).filter(|it| !is_relaxed(*it)).take(REQUESTS as usize).collect();
    Recorded::of(durable, AT_ONCE, |_, request| request).survives_each_cut(false);
}

#[test]
fn what_was_promised_less_for_takes_nothing_else_along() {
    let numbers = (0..2 * WRITINGS.len() as u64).collect();
    Recorded::of(numbers, AT_ONCE, |_, request| request).survives_each_cut(true);
}

#[test]
fn what_is_too_large_for_the_journal_outlives_a_loss_of_power() {
    let large = |number, mut request: Value| {
        if number == 1 {
            let noise = json!({"file": "noise", "content": noise(6 << 20, 1)});
            request["changes"].as_array_mut().unwrap().push(noise);
        }
        request
    };
    Recorded::of(vec![0, 1, 3], AT_ONCE, large).survives_each_cut(false);
}

/// Between any two of them the repository comes to rest, and its journal goes.
#[test]
fn what_a_repository_at_rest_was_answered_for_outlives_a_loss_of_power() {
    let durable = (0..).filter(|it| !is_relaxed(*it)).take(4).collect();
    let rest = Duration::from_millis(1500);
    Recorded::of(durable, rest, |_, request| request).survives_each_cut(false);
}

fn is_relaxed(number: u64) -> bool {
    writing(number).request(Path::new("/"), number)["durability"] == "relaxed"
}

/// What a daemon did to a disk, from its start to its end.
struct Recorded {
    /// As it was before.
    disk: Disk,
    deeds: Vec<Deed>,
    numbers: Vec<u64>,
}

impl Recorded {
    fn of(numbers: Vec<u64>, pause: Duration, form: impl Fn(u64, Value) -> Value) -> Recorded {
        let (shim, store) = (Shim::new(), Store::new(true));
        let root = store.path().to_owned();
        super::git(&root, &["gc", "-q"]);
        let disk = Disk::of(&root);
        let mut daemon = shim.daemon(&root);
        let (alone, together) = numbers.split_at(numbers.len() * 3 / 4);
        for number in alone {
            let reply = daemon.call(form(*number, writing(*number).request(&root, *number)));
            assert!(is_good(&reply), "{reply}");
            shim.note_answer(*number);
            std::thread::sleep(pause);
        }
        for group in together.chunks(6) {
            for number in group {
                daemon.send(form(*number, writing(*number).request(&root, *number)));
            }
            for _ in group {
                let reply = daemon.receive();
                assert!(is_good(&reply), "{reply}");
                shim.note_answer(reply["id"].as_u64().unwrap());
            }
        }
        assert!(daemon.end().status.success());
        let deeds = Deed::all(&fs::read(shim.log()).unwrap());
        Recorded { disk, deeds, numbers }
    }

    fn survives_each_cut(mut self, is_kind: bool) {
        let mut chance = Chance::new();
        self.disk.is_kind = is_kind;
        let cuts = self.cuts(&mut chance);
        let mut answered = BTreeSet::new();
        for index in 0..self.deeds.len() {
            let deed = &self.deeds[index];
            self.disk.apply(deed);
            answered.extend(deed.answer().filter(|it| !is_relaxed(*it)));
            if cuts.contains(&index) {
                let about = format!("after deed {index} of {}", self.deeds.len());
                self.comes_back(None, &answered, &about);
                let seed = chance.below(u64::MAX >> 16);
                let about = format!("{about}, chance {seed}");
                self.comes_back(Some(Chance::of(seed)), &answered, &about);
            }
        }
    }

    /// All in the first steps and around a checkpoint, and some of the others; or simply all.
    fn cuts(&self, chance: &mut Chance) -> BTreeSet<usize> {
        let all = 0..self.deeds.len();
        if self.deeds.len() < 200 || std::env::var("GITPORT_POWER").is_ok_and(|it| it == "all") {
            return all.collect();
        }
        let some = (0..CUTS_AT_RANDOM).map(|_| chance.below(all.len() as u64) as usize);
        let longest_quiet = self.longest_without_answer();
        let last = all.end.saturating_sub(20)..all.end;
        some.chain(0..50).chain(longest_quiet).chain(last).collect()
    }

    /// A checkpoint does most between two answers.
    fn longest_without_answer(&self) -> Range<usize> {
        let answers = self.deeds.iter().enumerate().filter(|(_, it)| it.answer().is_some());
        let answers: Vec<usize> = answers.map(|(index, _)| index).collect();
        let between = answers.windows(2).max_by_key(|it| it[1] - it[0]).unwrap();
        let (from, to) = (between[0], between[1]);
        from..to.min(from + 60)
    }

    fn comes_back(&self, mut chance: Option<Chance>, answered: &BTreeSet<u64>, about: &str) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("repository");
        self.disk.found(&path, &mut chance);
        let mut daemon = Daemon::start();
        daemon.ok(json!({"op": "head", "path": path}));
        let first = format!("{about}, at the first look\n{}", daemon.stderr());
        self.has_all(&path, answered, &first);
        let next = (self.numbers.iter().max().unwrap() + 1).next_multiple_of(WRITINGS.len() as u64);
        let reply = daemon.call(writing(next).request(&path, next));
        assert!(reply.get("ok").is_some(), "{about}: {reply}\n{}", daemon.stderr());
        is_sound(&path);
        self.has_all(&path, answered, about);
        // It may be brought to rest at this moment.
        until(&format!("nothing is left: {about}"), PATIENCE, || debris(&path).is_empty());
    }

    fn has_all(&self, path: &Path, answered: &BTreeSet<u64>, about: &str) {
        let state = State::of(path, self.numbers.iter().copied());
        for number in &self.numbers {
            let seen = writing(*number).seen(&state, *number);
            assert_ne!(seen, Seen::Half, "{about}: {number}");
            if answered.contains(number) {
                assert_eq!(seen, Seen::Whole, "{about}: {number} was answered for");
            }
        }
    }
}
