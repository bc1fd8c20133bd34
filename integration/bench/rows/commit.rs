//! Durable commits, against what a user would make them with instead.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use git2::{ObjectType, Oid, Repository, Signature};
use serde_json::{Value, json};

use crate::{
    Bench,
    daemon::{self, Requests},
    git,
    rounds::{alternate, median},
    scratch::{empty_repository, text},
    table::{Quantity::PerSecond, Row},
};

pub const NESTED: &str = "durable commits, 1 of 10,000 nested files, 64 outstanding (peer: fast-import, checkpoint per 64)";
pub const FLAT: &str =
    "durable commits, 1 of 100 files, 64 outstanding (peer: fast-import, checkpoint per 64)";
pub const ONE: &str = "durable commits, one at a time (peer: git2 loose objects, fsync)";
pub const PLUMBING: &str = "durable commits, one at a time (peer: git plumbing processes)";

const OUTSTANDING: usize = 64;

pub fn outstanding(bench: &Bench) -> Vec<Row> {
    let rounds = if bench.quick { 3 } else { 7 };
    let row = |what, shape: Shape, least| {
        let count = 100 * OUTSTANDING;
        let (ours, peer) = alternate(
            rounds,
            || ours(bench, shape, count, OUTSTANDING),
            || fast_import(bench, shape, count),
        );
        Row::faster(what, PerSecond(median(ours)), PerSecond(median(peer)), least)
    };
    vec![row(NESTED, Shape::Nested, 2.0), row(FLAT, Shape::Flat, 2.5)]
}

pub fn one(bench: &Bench) -> Vec<Row> {
    let rounds = if bench.quick { 3 } else { 7 };
    let count = 500;
    let (runs, loose) = alternate(
        rounds,
        || ours(bench, Shape::Nested, count, 1),
        || loose_objects(bench, Shape::Nested, count),
    );
    let plumbing = (0..rounds).map(|_| plumbing(bench, Shape::Nested, 50));
    let (ours, loose, plumbing) = (median(runs), median(loose), median(plumbing));
    vec![
        Row::faster(ONE, PerSecond(ours), PerSecond(loose), 4.0),
        Row::faster(PLUMBING, PerSecond(ours), PerSecond(plumbing), 15.0),
    ]
}

/// How many files there are, and in how many folders.
#[derive(Clone, Copy)]
pub enum Shape {
    Flat,
    Nested,
}

impl Shape {
    fn files(self) -> usize {
        match self {
            Shape::Flat => 100,
            Shape::Nested => 10_000,
        }
    }

    pub fn file(self, index: usize) -> String {
        let index = index % self.files();
        match self {
            Shape::Flat => format!("file-{index:03}"),
            Shape::Nested => format!("folder-{:02}/file-{:02}", index / 100, index % 100),
        }
    }

    /// The file that a commit changes, and its content from then on.
    fn change(self, commit: usize) -> (String, String) {
        (self.file(commit * 7919), format!("content of commit {commit}\n"))
    }
}

/// A new bare repository with one commit of these files.
pub fn repository(bench: &Bench, shape: Shape) -> PathBuf {
    let folder = empty_repository(bench);
    let mut stream = String::from("commit refs/heads/main\n");
    stream.push_str("committer Ada Example <ada@example.org> 1700000000 +0000\ndata 5\nfirst\n");
    for index in 0..shape.files() {
        let content = format!("content of file {index}\n");
        write!(stream, "M 100644 inline {}\ndata {}\n{content}", shape.file(index), content.len())
            .expect("memory does not fail");
    }
    git::fast_import(&folder, stream.as_bytes());
    folder
}

/// Commits a second through the daemon.
pub fn ours(bench: &Bench, shape: Shape, count: usize, outstanding: usize) -> f64 {
    let folder = repository(bench, shape);
    let mut wire = daemon::start(&[]).wire;
    let took = wire.drive(&mut Requests(commits(&folder, shape)), 0..count, outstanding);
    drop(wire);
    assert_eq!(git::git_says(&folder, &["rev-list", "--count", "main"]), (count + 1).to_string());
    count as f64 / took.as_secs_f64()
}

/// The request for each commit.
pub fn commits(folder: &Path, shape: Shape) -> impl Fn(usize) -> (&'static str, Value) + use<> {
    let path = text(folder);
    move |index| {
        let (file, content) = shape.change(index);
        let arguments = json!({
            "path": path, "branch": "main", "message": format!("commit {index}\n"),
            "encoding": "utf8", "changes": [{"file": file, "content": content}],
        });
        ("commit", arguments)
    }
}

fn fast_import(bench: &Bench, shape: Shape, count: usize) -> f64 {
    let folder = repository(bench, shape);
    let mut stream = String::new();
    for commit in 0..count {
        let (file, content) = shape.change(commit);
        let message = format!("commit {commit}\n");
        let from = if commit == 0 { "from refs/heads/main^0\n" } else { "" };
        write!(
            stream,
            "commit refs/heads/main\ncommitter Ada Example <ada@example.org> 1700000001 +0000\n\
             data {}\n{message}{from}M 100644 inline {file}\ndata {}\n{content}\n",
            message.len(),
            content.len()
        )
        .expect("memory does not fail");
        if commit % OUTSTANDING == OUTSTANDING - 1 {
            stream.push_str("checkpoint\n\n");
        }
    }
    let started = Instant::now();
    git::fast_import(&folder, stream.as_bytes());
    count as f64 / started.elapsed().as_secs_f64()
}

fn loose_objects(bench: &Bench, shape: Shape, count: usize) -> f64 {
    let folder = repository(bench, shape);
    let repository = Repository::open_bare(&folder).expect("it was just made");
    let mut config = repository.config().expect("it has a configuration");
    config.set_bool("core.fsyncObjectFiles", true).expect("it can be set");
    let who = Signature::now("Ada Example", "ada@example.org").expect("that is a name");
    let started = Instant::now();
    for commit in 0..count {
        let (file, content) = shape.change(commit);
        let head = repository.head().expect("it has a branch").peel_to_commit().expect("a commit");
        let blob = repository.blob(content.as_bytes()).expect("it can be written");
        let root = head.tree().expect("a commit has a tree").id();
        let tree = with_file(&repository, Some(root), &file, blob);
        let tree = repository.find_tree(tree).expect("it was just written");
        let message = format!("commit {commit}\n");
        repository
            .commit(Some("refs/heads/main"), &who, &who, &message, &tree, &[&head])
            .expect("it can be written");
    }
    count as f64 / started.elapsed().as_secs_f64()
}

fn with_file(repository: &Repository, tree: Option<Oid>, file: &str, blob: Oid) -> Oid {
    let tree = tree.map(|it| repository.find_tree(it).expect("it is there"));
    let mut builder = repository.treebuilder(tree.as_ref()).expect("a tree can be changed");
    match file.split_once('/') {
        Some((folder, rest)) => {
            let entry = builder.get(folder).expect("it can be looked up");
            let below = entry.filter(|it| it.kind() == Some(ObjectType::Tree)).map(|it| it.id());
            let below = with_file(repository, below, rest, blob);
            builder.insert(folder, below, 0o040_000).expect("it is a name");
        }
        None => drop(builder.insert(file, blob, 0o100_644).expect("it is a name")),
    }
    builder.write().expect("it can be written")
}

/// What a script does: an index of its own, and a process for each step.
fn plumbing(bench: &Bench, shape: Shape, count: usize) -> f64 {
    let folder = repository(bench, shape);
    let says = |arguments: &[&str], input: &[u8]| {
        let mut command = git::command(&folder, &[&["-c", "core.fsync=all"], arguments].concat());
        command.env("GIT_INDEX_FILE", folder.join("index-of-script"));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("git starts");
        process.stdin.take().expect("it is piped").write_all(input).expect("git reads");
        let output = process.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git {arguments:?} succeeds");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    };
    says(&["read-tree", "main"], b"");
    let mut head = says(&["rev-parse", "main"], b"");
    let started = Instant::now();
    for commit in 0..count {
        let (file, content) = shape.change(commit);
        let blob = says(&["hash-object", "-w", "--stdin"], content.as_bytes());
        let line = format!("100644 {blob}\t{file}\n");
        says(&["update-index", "--index-info"], line.as_bytes());
        let tree = says(&["write-tree"], b"");
        let message = format!("commit {commit}\n");
        let new = says(&["commit-tree", &tree, "-p", &head], message.as_bytes());
        says(&["update-ref", "refs/heads/main", &new, &head], b"");
        head = new;
    }
    count as f64 / started.elapsed().as_secs_f64()
}
