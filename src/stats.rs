//! What the program counts about itself.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

/// Repositories beyond this share one row, called `other`.
const REPOSITORIES_MAX: usize = 1000;
/// Buckets of the latency histogram: the n-th holds what took less than 2^n µs.
const BUCKETS: usize = 32;

pub struct Stats {
    started: Instant,
    operations: Vec<(&'static str, Operation)>,
    repositories: Mutex<BTreeMap<PathBuf, Counts>>,
    pub workers: Queue,
    pub network: Queue,
    pub events_sent: AtomicU64,
    pub events_dropped: AtomicU64,
}

#[derive(Default)]
struct Operation {
    count: AtomicU64,
    errors: AtomicU64,
    latency: [AtomicU64; BUCKETS],
    latency_us_max: AtomicU64,
}

/// How full one kind of worker is.
#[derive(Default)]
pub struct Queue {
    pub waiting: AtomicU64,
    pub waiting_bytes: AtomicUsize,
    pub running: AtomicU64,
    pub limit: u64,
}

#[derive(Default, Clone, Copy, Serialize)]
struct Counts {
    count: u64,
    errors: u64,
}

/// What `stats` answers.
#[derive(Serialize)]
pub struct Snapshot {
    uptime_ms: u64,
    requests: Requests,
    operations: BTreeMap<&'static str, OperationSnapshot>,
    repositories: BTreeMap<String, Counts>,
    queues: BTreeMap<&'static str, QueueSnapshot>,
    events: EventSnapshot,
    memory: MemorySnapshot,
}

#[derive(Serialize)]
struct Requests {
    answered: u64,
    errors: u64,
    waiting: u64,
    running: u64,
}

#[derive(Serialize)]
struct OperationSnapshot {
    count: u64,
    errors: u64,
    latency_us: Latency,
    /// [upper bound in µs, count], empty buckets left out.
    histogram: Vec<(u64, u64)>,
}

#[derive(Serialize)]
struct Latency {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

#[derive(Serialize)]
struct QueueSnapshot {
    waiting: u64,
    running: u64,
    limit: u64,
}

#[derive(Serialize)]
struct EventSnapshot {
    sent: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct MemorySnapshot {
    resident_bytes: u64,
}

impl Stats {
    pub fn new(operations: impl IntoIterator<Item = &'static str>, limits: [u64; 2]) -> Stats {
        let [workers, network] = limits.map(|limit| Queue { limit, ..Queue::default() });
        Stats {
            started: Instant::now(),
            operations: operations.into_iter().map(|it| (it, Operation::default())).collect(),
            repositories: Mutex::default(),
            workers,
            network,
            events_sent: AtomicU64::new(0),
            events_dropped: AtomicU64::new(0),
        }
    }

    /// Counts one answered request.
    pub fn count(&self, name: &str, path: Option<&Path>, took: Duration, is_error: bool) {
        if let Some((_, operation)) = self.operations.iter().find(|(it, _)| *it == name) {
            let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let bucket = (u64::BITS - took_us.leading_zeros()).min(BUCKETS as u32 - 1);
            operation.count.fetch_add(1, Relaxed);
            operation.errors.fetch_add(u64::from(is_error), Relaxed);
            operation.latency[bucket as usize].fetch_add(1, Relaxed);
            operation.latency_us_max.fetch_max(took_us, Relaxed);
        }
        let Some(path) = path else { return };
        let mut repositories = self.repositories.lock().expect("nobody panics with the lock");
        if !repositories.contains_key(path) {
            let is_full = REPOSITORIES_MAX <= repositories.len();
            let name = if is_full { Path::new("other") } else { path };
            repositories.entry(name.to_owned()).or_default();
        }
        let known = if repositories.contains_key(path) { path } else { Path::new("other") };
        let counts = repositories.get_mut(known).expect("it was just made");
        counts.count += 1;
        counts.errors += u64::from(is_error);
    }

    pub fn snapshot(&self) -> Snapshot {
        let operations = self.operations.iter().filter(|(_, it)| 0 < it.count.load(Relaxed));
        let operations: BTreeMap<_, _> =
            operations.map(|(name, it)| (*name, it.snapshot())).collect();
        let repositories = self.repositories.lock().expect("nobody panics with the lock");
        Snapshot {
            uptime_ms: self.started.elapsed().as_millis() as u64,
            requests: Requests {
                answered: operations.values().map(|it| it.count).sum(),
                errors: operations.values().map(|it| it.errors).sum(),
                waiting: self.workers.waiting.load(Relaxed) + self.network.waiting.load(Relaxed),
                running: self.workers.running.load(Relaxed) + self.network.running.load(Relaxed),
            },
            operations,
            repositories: repositories
                .iter()
                .map(|(path, counts)| (path.to_string_lossy().into_owned(), *counts))
                .collect(),
            queues: BTreeMap::from([
                ("workers", self.workers.snapshot()),
                ("network", self.network.snapshot()),
            ]),
            events: EventSnapshot {
                sent: self.events_sent.load(Relaxed),
                dropped: self.events_dropped.load(Relaxed),
            },
            memory: MemorySnapshot { resident_bytes: resident_bytes() },
        }
    }
}

impl Queue {
    fn snapshot(&self) -> QueueSnapshot {
        QueueSnapshot {
            waiting: self.waiting.load(Relaxed),
            running: self.running.load(Relaxed),
            limit: self.limit,
        }
    }
}

impl Operation {
    fn snapshot(&self) -> OperationSnapshot {
        let buckets: Vec<u64> = self.latency.iter().map(|it| it.load(Relaxed)).collect();
        let total: u64 = buckets.iter().sum();
        let max = self.latency_us_max.load(Relaxed);
        let quantile = |of_hundred: u64| {
            let mut left = (total * of_hundred).div_ceil(100);
            let bucket = buckets.iter().position(|count| {
                left = left.saturating_sub(*count);
                left == 0
            });
            bucket.map_or(0, |it| (1u64 << it).min(max))
        };
        OperationSnapshot {
            count: self.count.load(Relaxed),
            errors: self.errors.load(Relaxed),
            latency_us: Latency { p50: quantile(50), p90: quantile(90), p99: quantile(99), max },
            histogram: (0..).map(|it| 1 << it).zip(buckets).filter(|(_, it)| 0 < *it).collect(),
        }
    }
}

fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0u64);
    pages * rustix::param::page_size() as u64
}
