//! Notes onto a namespace that has many, against what libgit2 does.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use git2::{Oid, Repository, Signature};
use serde_json::json;

use crate::{
    Bench,
    daemon::{self, Requests},
    git,
    rounds::{alternate, median},
    scratch::{copy, empty_repository, text},
    table::{
        Quantity::{PerSecond, Seconds},
        Row,
    },
};

pub const MANY: &str = "durable notes, 64 outstanding, onto 100,000 (peer: libgit2's note, fsync)";
pub const FEW: &str = "a durable note, onto 100,000 (peer: ours onto 1,000)";

pub fn outstanding(bench: &Bench) -> Vec<Row> {
    let rounds = if bench.quick { 3 } else { 7 };
    let (many, few) = (Noted::new(bench, 100_000), Noted::new(bench, 1_000));
    let (onto_many, onto_few) = alternate(rounds, || many.ours(bench), || few.ours(bench));
    let peer = (0..rounds).map(|_| many.libgit2(bench));
    let (onto_many, onto_few) = (median(onto_many), median(onto_few));
    vec![
        Row::faster(MANY, PerSecond(onto_many), PerSecond(median(peer)), 50.0),
        Row::within(FEW, Seconds(onto_many.recip()), Seconds(onto_few.recip()), 1.5),
    ]
}

/// A repository in which so many commits have a note, and some have none yet.
struct Noted {
    repository: PathBuf,
    existing: usize,
    targets: Vec<String>,
}

impl Noted {
    fn new(bench: &Bench, existing: usize) -> Noted {
        let repository = empty_repository(bench);
        let who = "committer Ada Example <ada@example.org> 1700000000 +0000\n";
        let mut stream = String::new();
        for mark in 1..=existing + COUNT {
            write!(stream, "commit refs/heads/main\nmark :{mark}\n{who}data 2\nx\n")
                .expect("memory does not fail");
        }
        write!(stream, "commit refs/notes/commits\n{who}data 6\nnotes\n")
            .expect("memory does not fail");
        for mark in 1..=existing {
            write!(stream, "N inline :{mark}\ndata 9\na note\n..\n").expect("memory does not fail");
        }
        git::fast_import(&repository, stream.as_bytes());
        let commits = git::git_says(&repository, &["rev-list", "--reverse", "main"]);
        let targets: Vec<String> = commits.lines().skip(existing).map(str::to_owned).collect();
        assert_eq!(targets.len(), COUNT);
        Noted { repository, existing, targets }
    }

    /// Notes a second through the daemon.
    fn ours(&self, bench: &Bench) -> f64 {
        let folder = copy(bench, &self.repository);
        let path = text(&folder);
        let mut wire = daemon::start(&[]).wire;
        let note = |index: usize| {
            let content = content(index);
            let target = &self.targets[index];
            let arguments =
                json!({"path": path, "target": target, "content": content, "encoding": "utf8"});
            ("note", arguments)
        };
        let took = wire.drive(&mut Requests(note), 0..COUNT, 64);
        drop(wire);
        self.check(&folder, COUNT);
        COUNT as f64 / took.as_secs_f64()
    }

    fn libgit2(&self, bench: &Bench) -> f64 {
        let folder = copy(bench, &self.repository);
        let repository = Repository::open_bare(&folder).expect("it was just made");
        let mut config = repository.config().expect("it has a configuration");
        config.set_bool("core.fsyncObjectFiles", true).expect("it can be set");
        let who = Signature::now("Ada Example", "ada@example.org").expect("that is a name");
        let started = Instant::now();
        for (index, target) in self.targets[..PEER_COUNT].iter().enumerate() {
            let target = Oid::from_str(target).expect("it is an id");
            repository
                .note(&who, &who, None, target, &content(index), false)
                .expect("it can be written");
        }
        let took = started.elapsed();
        self.check(&folder, PEER_COUNT);
        PEER_COUNT as f64 / took.as_secs_f64()
    }

    fn check(&self, folder: &Path, added: usize) {
        let list = git::git_says(folder, &["notes", "list"]);
        assert_eq!(list.lines().count(), self.existing + added, "each note is there");
    }
}

fn content(index: usize) -> String {
    format!("note number {index}\n")
}

const COUNT: usize = 100 * 64;
const PEER_COUNT: usize = 20;
