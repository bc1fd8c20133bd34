//! What a commit and a read cost in a repository that has had many commits.

use std::path::PathBuf;

use serde_json::json;

use super::commit::{Shape, commits, repository};
use crate::{
    Bench,
    daemon::{self, Requests},
    git,
    rounds::{alternate, median},
    scratch::text,
    table::{Quantity::Seconds, Row},
    wire::Wire,
};

pub const COMMITS: &str = "a commit after 100,000, 64 outstanding (peer: after 1,000)";
pub const READS: &str = "a read at any of 100,000 commits, 64 outstanding (peer: of 1,000)";
/// So many in the names of the rows; a quick run has less, and says so.
const MANY: (usize, &str) = (100_000, "100,000");
const MANY_QUICKLY: (usize, &str) = (20_000, "20,000");

pub fn history(bench: &Bench) -> Vec<Row> {
    let (count, words) = if bench.quick { MANY_QUICKLY } else { MANY };
    let mut old = Grown::new(bench, count);
    let mut young = Grown::new(bench, 1_000);
    let rounds = if bench.quick { 5 } else { 9 };
    let (after_many, after_few) = alternate(rounds, || old.measure(), || young.measure());
    old.check();
    let row = |what: &str, pass: usize| {
        let [many, few] =
            [&after_many, &after_few].map(|runs| Seconds(median(runs.iter().map(|it| it[pass]))));
        Row::within(what.replace(MANY.1, words), many, few, 1.5)
    };
    vec![row(COMMITS, 0), row(READS, 1)]
}

/// A repository to which all commits came through one daemon.
struct Grown {
    folder: PathBuf,
    wire: Wire,
    commits: usize,
    /// All of them once there were as many as wanted.
    ids: Vec<String>,
}

impl Grown {
    fn new(bench: &Bench, commits: usize) -> Grown {
        let folder = repository(bench, Shape::Flat);
        let wire = daemon::start(&[]).wire;
        let mut grown = Grown { folder, wire, commits: 0, ids: Vec::new() };
        grown.commit(commits);
        let ids = git::git_says(&grown.folder, &["rev-list", "main"]);
        grown.ids = ids.lines().map(str::to_owned).collect();
        grown
    }

    fn commit(&mut self, count: usize) -> f64 {
        let range = self.commits..self.commits + count;
        self.commits = range.end;
        let mut requests = Requests(commits(&self.folder, Shape::Flat));
        self.wire.drive(&mut requests, range, 64).as_secs_f64() / count as f64
    }

    /// At commits from its whole age, so far from each other that none is found on the way to
    /// another, by daemons that have read none of them: what they remember would serve a younger
    /// repository better.
    fn read(&mut self) -> f64 {
        let (path, apart) = (text(&self.folder), self.ids.len() / READ_COUNT);
        let request = |rev: &str, index: usize| {
            ("read", json!({"path": path, "file": Shape::Flat.file(index), "rev": rev}))
        };
        let seconds = (0..READERS).map(|reader| {
            let mut wire = daemon::start(&[]).wire;
            wire.drive(&mut Requests(|index| request("main", index)), 0..1, 1);
            let first = reader * apart / READERS;
            let read = |index: usize| request(&self.ids[first + index * apart], index);
            wire.drive(&mut Requests(read), 0..READ_COUNT, 64).as_secs_f64()
        });
        seconds.sum::<f64>() / (READERS * READ_COUNT) as f64
    }

    /// Seconds for a commit, and for a read.
    fn measure(&mut self) -> [f64; 2] {
        [self.commit(COMMIT_COUNT), self.read()]
    }

    fn check(self) {
        drop(self.wire);
        let count = git::git_says(&self.folder, &["rev-list", "--count", "main"]);
        assert_eq!(count, (self.commits + 1).to_string());
    }
}

const COMMIT_COUNT: usize = 20 * 64;
const READ_COUNT: usize = 20;
const READERS: usize = 25;
