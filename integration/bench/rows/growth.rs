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
pub const READS: &str = "a read after 100,000 commits, 64 outstanding (peer: after 1,000)";

pub fn history(bench: &Bench) -> Vec<Row> {
    let mut old = Grown::new(bench, if bench.quick { 20_000 } else { 100_000 });
    let mut young = Grown::new(bench, 1_000);
    let rounds = if bench.quick { 5 } else { 9 };
    let (after_many, after_few) = alternate(rounds, || old.measure(), || young.measure());
    old.check();
    let row = |what, pass: usize| {
        let [many, few] =
            [&after_many, &after_few].map(|runs| Seconds(median(runs.iter().map(|it| it[pass]))));
        Row::within(what, many, few, 1.5)
    };
    vec![row(COMMITS, 0), row(READS, 1)]
}

/// A repository to which all commits came through one daemon.
struct Grown {
    folder: PathBuf,
    wire: Wire,
    commits: usize,
}

impl Grown {
    fn new(bench: &Bench, commits: usize) -> Grown {
        let folder = repository(bench, Shape::Flat);
        let mut grown = Grown { folder, wire: daemon::start(&[]).wire, commits: 0 };
        grown.commit(commits);
        grown
    }

    fn commit(&mut self, count: usize) -> f64 {
        let range = self.commits..self.commits + count;
        self.commits = range.end;
        let mut requests = Requests(commits(&self.folder, Shape::Flat));
        self.wire.drive(&mut requests, range, 64).as_secs_f64() / count as f64
    }

    /// Of the branch, and as often at a commit before.
    fn read(&mut self) -> f64 {
        let path = text(&self.folder);
        let read = |index: usize| {
            let rev = if index.is_multiple_of(2) { "main" } else { "main~1" };
            ("read", json!({"path": path, "file": Shape::Flat.file(index), "rev": rev}))
        };
        self.wire.drive(&mut Requests(read), 0..READ_COUNT, 64).as_secs_f64() / READ_COUNT as f64
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
const READ_COUNT: usize = 80 * 64;
