//! Remotes on loopback: syncs that change nothing, lists of refs, and clones.

use std::{fs, path::Path, time::Instant};

use serde_json::json;

use crate::{
    Bench,
    daemon::{self, Daemon},
    git,
    process::Peak,
    rounds::{alternate, median},
    servers::{self, Server},
    table::{
        Quantity::{Bytes, Seconds},
        Row,
    },
};

pub const NOTHING_HTTP: [&str; 2] =
    ["sync of nothing new, http (peer: git fetch)", "lsremote, http (peer: git ls-remote)"];
pub const NOTHING_GIT: [&str; 2] =
    ["sync of nothing new, git:// (peer: git fetch)", "lsremote, git:// (peer: git ls-remote)"];
pub const CLONES_HTTP: [&str; 4] = [
    "clone, depth 1, http: time (peer: git clone)",
    "clone, depth 1, http: memory",
    "clone, full, http: time (peer: git clone)",
    "clone, full, http: memory",
];
pub const CLONES_GIT: [&str; 4] = [
    "clone, depth 1, git://: time (peer: git clone)",
    "clone, depth 1, git://: memory",
    "clone, full, git://: time (peer: git clone)",
    "clone, full, git://: memory",
];

pub fn nothing_new_http(bench: &Bench) -> Vec<Row> {
    served(bench, http, NOTHING_HTTP, nothing_new)
}

pub fn nothing_new_git(bench: &Bench) -> Vec<Row> {
    served(bench, git, NOTHING_GIT, nothing_new)
}

pub fn clones_http(bench: &Bench) -> Vec<Row> {
    served(bench, http, CLONES_HTTP, clones)
}

pub fn clones_git(bench: &Bench) -> Vec<Row> {
    served(bench, git, CLONES_GIT, clones)
}

type Start = fn(&Bench) -> Result<Server, String>;

fn http(bench: &Bench) -> Result<Server, String> {
    servers::lighttpd(bench.fixtures.folder(), &bench.scratch)
}

fn git(bench: &Bench) -> Result<Server, String> {
    servers::git_daemon(bench.fixtures.folder())
}

fn served<const N: usize>(
    bench: &Bench,
    start: Start,
    names: [&str; N],
    measure: fn(&Bench, &Server, [&str; N]) -> Vec<Row>,
) -> Vec<Row> {
    match start(bench) {
        Ok(server) => measure(bench, &server, names),
        Err(reason) => names.iter().map(|name| Row::missing(*name, &reason)).collect(),
    }
}

fn nothing_new(bench: &Bench, server: &Server, [sync, lsremote]: [&str; 2]) -> Vec<Row> {
    bench.fixtures.small();
    let url = server.url("small");
    let mut daemon = daemon::start(&[]);
    let folder =
        tempfile::tempdir_in(&bench.scratch).expect("the scratch folder can be written to");
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let commit = our_clone(&mut daemon, &url, &ours, 1);
    their_clone(&url, &theirs, 1);
    let rounds = if bench.quick { 5 } else { 21 };
    let synced = alternate(
        rounds,
        || timed(|| assert_eq!(our_clone(&mut daemon, &url, &ours, 1), commit)),
        || timed(|| git::git(&theirs, &["fetch", "--quiet", "origin"])),
    );
    let listed = alternate(
        rounds,
        || {
            timed(|| {
                let found: String = daemon.call("lsremote", json!({"url": url, "branch": "main"}));
                assert_eq!(found, commit);
            })
        },
        || timed(|| git::git(folder.path(), &["ls-remote", "--quiet", &url, "refs/heads/main"])),
    );
    [(sync, synced), (lsremote, listed)]
        .map(|(name, (ours, peer))| {
            Row::faster(name, Seconds(median(ours)), Seconds(median(peer)), 2.0)
        })
        .into()
}

fn clones(bench: &Bench, server: &Server, names: [&str; 4]) -> Vec<Row> {
    bench.fixtures.large();
    let url = server.url("large");
    let mut daemon = daemon::start(&[]);
    let folder =
        tempfile::tempdir_in(&bench.scratch).expect("the scratch folder can be written to");
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let mut rows = Vec::new();
    for (depth, names) in [1, 0].into_iter().zip(names.chunks(2)) {
        let commit = our_clone(&mut daemon, &url, &ours, depth);
        check_clone(&ours, &commit, depth);
        remove(&ours);
        let (our_times, their_times) = alternate(
            if bench.quick { 1 } else { 3 },
            || fresh(&ours, || timed(|| drop(our_clone(&mut daemon, &url, &ours, depth)))),
            || fresh(&theirs, || timed(|| their_clone(&url, &theirs, depth))),
        );
        let [ours_time, theirs_time] = [our_times, their_times].map(|runs| Seconds(median(runs)));
        rows.push(Row::within(names[0], ours_time, theirs_time, 1.2));
        // Looking at memory takes time, so these runs are others than those above.
        let (our_bytes, their_bytes) = alternate(
            if bench.quick { 1 } else { 2 },
            || fresh(&ours, || our_memory(&mut daemon, &url, &ours, depth)),
            || fresh(&theirs, || their_memory(&url, &theirs, depth)),
        );
        let [ours, theirs] = [our_bytes, their_bytes].map(|runs| Bytes(median(runs)));
        rows.push(Row::within(names[1], ours, theirs, 1.5));
    }
    rows
}

fn our_clone(daemon: &mut Daemon, url: &str, path: &Path, depth: u32) -> String {
    daemon.call("sync", json!({"url": url, "branch": "main", "path": path, "depth": depth}))
}

fn their_clone(url: &str, path: &Path, depth: u32) {
    let status = clone_command(url, path, depth).status().expect("git can be started");
    assert!(status.success(), "git clone failed");
}

fn clone_command(url: &str, path: &Path, depth: u32) -> std::process::Command {
    let depth = format!("--depth={depth}");
    let name = path.to_str().expect("the scratch folder's name is text");
    let mut arguments = vec!["clone", "--quiet", "--branch=main", &depth, url, name];
    arguments.retain(|argument| *argument != "--depth=0");
    git::command(Path::new("/"), &arguments)
}

fn our_memory(daemon: &mut Daemon, url: &str, path: &Path, depth: u32) -> f64 {
    let peak = Peak::watch(daemon.wire.process());
    our_clone(daemon, url, path, depth);
    peak.bytes() as f64
}

fn their_memory(url: &str, path: &Path, depth: u32) -> f64 {
    let mut child = clone_command(url, path, depth).spawn().expect("git can be started");
    let peak = Peak::watch(child.id());
    assert!(child.wait().is_ok_and(|status| status.success()), "git clone failed");
    peak.bytes() as f64
}

/// A clone without one file changed, and with the history that was asked for.
fn check_clone(path: &Path, commit: &str, depth: u32) {
    assert_eq!(git::git_says(path, &["rev-parse", "HEAD"]), commit);
    assert_eq!(git::git_says(path, &["status", "--porcelain"]), "");
    let count = git::git_says(path, &["rev-list", "--count", "HEAD"]);
    assert_eq!(count == "1", depth == 1, "{count} commits at depth {depth}");
}

/// Starts without a clone and without the disk still writing the one before, and leaves none.
fn fresh<T>(path: &Path, measure: impl FnOnce() -> T) -> T {
    rustix::fs::sync();
    let result = measure();
    remove(path);
    result
}

fn remove(path: &Path) {
    fs::remove_dir_all(path).expect("the clone can be removed");
}

fn timed(action: impl FnOnce()) -> f64 {
    let started = Instant::now();
    action();
    started.elapsed().as_secs_f64()
}
