//! Locks: alone against a commit, and in a crowd.

use std::{
    path::Path,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::commit::{Shape, commits, repository};
use crate::{
    Bench,
    daemon::{self, Daemon},
    rounds::{alternate, median, part},
    scratch::{empty_repository, text},
    table::{Quantity::Seconds, Row},
};

pub const DURABLE: &str = "lock + unlock, nobody else wants it (peer: a durable commit)";
pub const RELAXED: &str = "lock + unlock, relaxed";
pub const CROWD: &str = "100 daemons want one lock: the longest hand-over (beside: the median)";

pub fn alone(bench: &Bench) -> Vec<Row> {
    let folder = repository(bench, Shape::Flat);
    let path = text(&folder);
    let commit = commits(&folder, Shape::Flat);
    let mut daemon = daemon::start(&[]);
    let pairs = |daemon: &mut Daemon, durability: &str| {
        median((0..PAIRS).map(|_| {
            let started = Instant::now();
            let token = lock(daemon, &path, durability, 0);
            unlock(daemon, &path, durability, token);
            started.elapsed().as_secs_f64()
        }))
    };
    let mut other = daemon::start(&[]);
    let mut number = 0;
    let mut commits = || {
        median((0..PAIRS).map(|_| {
            let (operation, arguments) = commit(number);
            number += 1;
            let started = Instant::now();
            let _: Value = other.call(operation, arguments);
            started.elapsed().as_secs_f64()
        }))
    };
    let rounds = if bench.quick { 5 } else { 11 };
    let (ours, peer) = alternate(rounds, || pairs(&mut daemon, "durable"), &mut commits);
    let relaxed = (0..rounds).map(|_| pairs(&mut daemon, "relaxed"));
    vec![
        Row::within(DURABLE, Seconds(median(ours)), Seconds(median(peer)), 2.0),
        Row::below(RELAXED, Seconds(median(relaxed)), Seconds(0.001)),
    ]
}

/// From before the holder lets go to when the next one knows that it has the lock.
pub fn crowd(bench: &Bench) -> Vec<Row> {
    let folder = empty_repository(bench);
    let crowd = Crowd {
        ready: Barrier::new(DAEMONS),
        holders: AtomicUsize::new(0),
        released: Mutex::default(),
        times: Mutex::default(),
        rounds: if bench.quick { 20 } else { 200 },
    };
    thread::scope(|scope| {
        for _ in 0..DAEMONS {
            scope.spawn(|| crowd.member(&folder));
        }
    });
    let times = crowd.times.into_inner().expect("nobody panicked");
    let middle = Seconds(median(times.iter().copied())).to_string();
    vec![Row::below(CROWD, Seconds(part(times, 1.0)), Seconds(0.050)).beside(middle)]
}

struct Crowd {
    ready: Barrier,
    holders: AtomicUsize,
    released: Mutex<Option<Instant>>,
    times: Mutex<Vec<f64>>,
    rounds: usize,
}

impl Crowd {
    /// Wants the lock again and again until there were enough rounds, so that all 100 want it.
    fn member(&self, folder: &Path) {
        let path = text(folder);
        let mut daemon = daemon::start(&[]);
        self.ready.wait();
        while self.times.lock().expect("nobody panicked").len() < self.rounds {
            let token = lock(&mut daemon, &path, "durable", WAIT_MS);
            let now = Instant::now();
            assert_eq!(self.holders.fetch_add(1, SeqCst), 0, "one has the lock");
            if let Some(released) = self.released.lock().expect("nobody panicked").take() {
                let mut times = self.times.lock().expect("nobody panicked");
                // The last ones do not come after a crowd.
                if times.len() < self.rounds {
                    times.push((now - released).as_secs_f64());
                }
            }
            thread::sleep(HOLD);
            assert_eq!(self.holders.fetch_sub(1, SeqCst), 1, "one has the lock");
            *self.released.lock().expect("nobody panicked") = Some(Instant::now());
            unlock(&mut daemon, &path, "durable", token);
        }
    }
}

#[derive(Deserialize)]
struct Lease {
    token: u64,
}

fn lock(daemon: &mut Daemon, path: &str, durability: &str, wait_ms: u64) -> u64 {
    let arguments = json!({
        "path": path, "name": "bench", "owner": "bench", "durability": durability,
        "wait_ms": wait_ms, "ttl_ms": 60_000,
    });
    daemon.call::<Lease>("lock", arguments).token
}

fn unlock(daemon: &mut Daemon, path: &str, durability: &str, token: u64) {
    let arguments = json!({
        "path": path, "name": "bench", "token": token, "durability": durability,
    });
    let _: Value = daemon.call("unlock", arguments);
}

const PAIRS: usize = 100;
const DAEMONS: usize = 100;
const WAIT_MS: u64 = 600_000;
/// Long enough for a second holder to be seen.
const HOLD: Duration = Duration::from_millis(10);
