//! The journal's format: what was written once is read for ever, what is torn is cut, what is damaged
//! or newer is refused and left as it is.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use serde_json::json;

use super::{Store, WRITINGS, git, is_sound, writing};
use crate::daemon::Daemon;

const HEADS: [usize; 2] = [0, 4096];
const MARK: Range<usize> = 8192..8192 + 52;
const RECORDS_AT: usize = 12288;

/// A repository whose daemon was killed after some answers, with its journal.
struct Scene {
    store: Store,
    last: u64,
}

impl Scene {
    fn new() -> Scene {
        let store = Store::new(true);
        let mut daemon = Daemon::start();
        let count = WRITINGS.len() as u64;
        for number in [0, count, 2 * count] {
            daemon.ok(writing(number).request(store.path(), number));
        }
        daemon.signal(Signal::KILL);
        daemon.rest();
        Scene { store, last: 2 * count }
    }

    fn journal(&self) -> PathBuf {
        self.store.path().join("gitport-journal")
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut content = fs::read(self.journal()).unwrap();
        change(&mut content);
        fs::write(self.journal(), content).unwrap();
    }

    /// As if the machine had been off, and nothing of the last commits was on disk but the journal.
    fn forget(&self, commits: u32) {
        let before = git(self.store.path(), &["rev-parse", &format!("main~{commits}")]);
        for folder in ["objects/pack", "refs/heads"] {
            for path in super::all_below(&self.store.path().join(folder)) {
                let name = path.file_name().unwrap().to_str().unwrap();
                if name.starts_with("pack-67697470") {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        fs::write(self.store.path().join("refs/heads/main"), format!("{before}\n")).unwrap();
        self.change(|it| it[MARK].fill(0));
    }

    /// The next request, and with it what is to be recovered.
    fn goes_on(&self, commits: &str) {
        let number = self.last + WRITINGS.len() as u64;
        Daemon::start().ok(writing(number).request(self.store.path(), number));
        is_sound(self.store.path());
        assert_eq!(git(self.store.path(), &["rev-list", "--count", "main"]), commits);
    }

    fn is_refused(&self, code: &str) {
        let before = fs::read(self.journal()).unwrap();
        let number = self.last + WRITINGS.len() as u64;
        let mut daemon = Daemon::start();
        let head = git(self.store.path(), &["rev-parse", "main"]);
        daemon.refused(code, writing(number).request(self.store.path(), number));
        assert_eq!(fs::read(self.journal()).unwrap(), before, "it is left as it is");
        // Who only reads can go on.
        let read = daemon.ok(json!({"op": "head", "path": self.store.path()}));
        assert_eq!(read["sha"], head);
    }
}

fn end_of_records(journal: &[u8]) -> usize {
    let mut at = RECORDS_AT;
    loop {
        let length = u32::from_le_bytes(journal[at..at + 4].try_into().unwrap()) as usize;
        if length == 0 {
            return at;
        }
        at = (at + 16 + length).next_multiple_of(8);
    }
}

#[test]
fn all_records_are_carried_out_where_nothing_else_is_left() {
    let scene = Scene::new();
    scene.forget(3);
    scene.goes_on("5");
}

#[test]
fn what_others_moved_on_stays_where_all_records_are_carried_out_again() {
    let (no_parent, on): (&[&str], &[&str]) = (&[], &["-p", "main"]);
    for (parents, commits) in [(on, "6"), (no_parent, "2")] {
        let scene = Scene::new();
        let path = scene.store.path();
        let make = [&["commit-tree", "main^{tree}", "-m", "theirs"], parents].concat();
        git(path, &["update-ref", "refs/heads/main", &git(path, &make)]);
        scene.change(|it| it[MARK].fill(0));
        scene.goes_on(commits);
    }
    // Where a record found it, it may as well have been lost.
    let scene = Scene::new();
    git(scene.store.path(), &["update-ref", "refs/heads/main", "main~1"]);
    scene.change(|it| it[MARK].fill(0));
    scene.goes_on("5");
    // In the same start of the machine nothing is lost.
    let scene = Scene::new();
    git(scene.store.path(), &["update-ref", "refs/heads/main", "main~1"]);
    scene.goes_on("4");
}

#[test]
fn a_torn_tail_is_cut_at_any_byte() {
    for missing in [1, 9, 100, 300] {
        let scene = Scene::new();
        scene.forget(3);
        scene.change(|it| {
            let end = end_of_records(it);
            it[end - missing.min(end)..end].fill(0);
        });
        // The last record ends with its moves of refs, and up to seven bytes of nothing.
        let commits = if missing < 8 { vec!["4", "5"] } else { vec!["4"] };
        let number = scene.last + WRITINGS.len() as u64;
        Daemon::start().ok(writing(number).request(scene.store.path(), number));
        is_sound(scene.store.path());
        let count = git(scene.store.path(), &["rev-list", "--count", "main"]);
        assert!(commits.contains(&&*count), "{missing}: {count}");
    }
}

#[test]
fn a_file_that_was_cut_short_is_read_as_far_as_it_goes() {
    let scene = Scene::new();
    scene.forget(3);
    scene.change(|it| it.truncate(end_of_records(it) - 20));
    scene.goes_on("4");
}

#[test]
fn one_torn_head_of_two_is_no_harm() {
    let scene = Scene::new();
    scene.forget(3);
    scene.change(|it| {
        let older = HEADS.iter().find(|at| it[**at..**at + 24].iter().all(|it| *it == 0)).unwrap();
        it[*older..*older + 8].copy_from_slice(b"gitportJ");
        it[*older + 12..*older + 20].fill(0xff);
    });
    scene.goes_on("5");
}

#[test]
fn a_journal_that_was_never_finished_is_none() {
    for length in [0, 100, 4096, 12288, 262_144] {
        let scene = Scene::new();
        fs::write(scene.journal(), vec![0; length]).unwrap();
        scene.goes_on("5");
    }
}

#[test]
fn without_its_journal_a_repository_still_has_what_was_in_it() {
    let scene = Scene::new();
    fs::remove_file(scene.journal()).unwrap();
    scene.goes_on("5");
}

#[test]
fn a_damaged_journal_is_refused_and_kept() {
    let scene = Scene::new();
    scene.change(|it| HEADS.iter().for_each(|at| it[*at..*at + 24].fill(b'x')));
    scene.is_refused("corrupt");
    let scene = Scene::new();
    scene.change(|it| HEADS.iter().for_each(|at| it[*at..*at + 24].fill(0)));
    scene.is_refused("corrupt");
    let scene = Scene::new();
    fs::write(scene.journal(), "garbage").unwrap();
    scene.is_refused("corrupt");
}

#[test]
fn a_journal_of_a_newer_format_is_refused_and_kept() {
    let scene = Scene::new();
    scene.change(|it| {
        for at in HEADS {
            if it[at] != 0 {
                it[at + 8..at + 12].copy_from_slice(&2u32.to_le_bytes());
                let sum = crc32fast::hash(&it[at..at + 20]);
                it[at + 20..at + 24].copy_from_slice(&sum.to_le_bytes());
            }
        }
    });
    scene.is_refused("unsupported");
}

/// Bytes that were written when the format was made.
#[test]
fn a_journal_of_format_1_is_read_for_ever() {
    let store = Store::new(true);
    let mut journal = vec![0; 262_144];
    let fixture = include_str!("journal-1.txt");
    for line in fixture.lines().filter(|it| !it.starts_with('#')) {
        let (at, digits) = line.split_once(": ").unwrap();
        let at: usize = at.parse().unwrap();
        for (index, pair) in digits.as_bytes().chunks(2).enumerate() {
            let pair = str::from_utf8(pair).unwrap();
            journal[at + index] = u8::from_str_radix(pair, 16).unwrap();
        }
    }
    fs::write(store.path().join("gitport-journal"), journal).unwrap();
    let head = Daemon::start().ok(json!({"op": "head", "path": store.path()}));
    assert_eq!(head["message"], "of format 1\n");
    assert_eq!(git(store.path(), &["show", "main:kept"]), "for ever");
    assert_eq!(git(store.path(), &["tag", "--list"]), "");
    is_sound(Path::new(store.path()));
}
