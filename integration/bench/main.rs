//! Measures the built program against its peers and ends with one table.
//!
//! `cargo bench` runs everything, `cargo bench -- NAME` the rows whose name contains NAME,
//! `cargo bench -- --quick` fewer rounds. Nothing here uses the code under `src`.

// A benchmark talks on stdout, looks at clocks, and is of no use once something fails.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods)]

mod daemon;
mod echo;
#[path = "../defining/exhausting.rs"]
mod exhausting;
mod fixture;
mod git;
#[allow(dead_code)] // The suites ask it for more.
#[path = "../servers/postgres.rs"]
mod postgres;
mod process;
mod reply;
mod rounds;
mod rows;
mod scratch;
mod servers;
mod slow;
#[allow(dead_code)] // The suites write other layouts too.
#[path = "../snapshots.rs"]
mod snapshots;
mod table;
mod text;
mod wire;

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::exit,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{
    fixture::Fixtures,
    rows::{BENCHMARKS, Benchmark},
    table::{Row, Table},
};

/// What every benchmark is given.
pub struct Bench {
    pub quick: bool,
    pub fixtures: Fixtures,
    /// An empty folder that is removed at the end.
    pub scratch: PathBuf,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--echo") {
        // The end of the pipe in the midst of a frame is the end of the benchmark.
        let _ = echo::run();
        return;
    }
    // cargo adds `--bench` of its own accord.
    let name = arguments.iter().find(|argument| !argument.starts_with("--"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let fixtures = Fixtures::new(folder);
    let scratch = tempfile::tempdir_in(folder).expect("the target folder can be written to");
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let bench = Bench { quick, fixtures, scratch: scratch.path().to_owned() };
    let wanted = |row: &str| name.is_none_or(|name| row.contains(name.as_str()));
    let load = load();
    let mut rows = Vec::new();
    for benchmark in BENCHMARKS {
        if benchmark.rows.iter().any(|row| wanted(row)) {
            rows.extend(run(&bench, benchmark).into_iter().filter(|row| wanted(row.what())));
        }
    }
    println!("\n{}", machine(&load));
    println!("\n{}", Table(rows));
}

/// A benchmark that fails gives rows that say so; one that hangs ends the program.
fn run(bench: &Bench, benchmark: &Benchmark) -> Vec<Row> {
    eprintln!("measuring: {}", benchmark.rows.join("; "));
    let (ended, watched) = mpsc::channel::<()>();
    let first = benchmark.rows[0];
    let watch = thread::Builder::new().name("watch".to_owned()).spawn(move || {
        if watched.recv_timeout(BENCHMARK_TIME_MAX) == Err(RecvTimeoutError::Timeout) {
            eprintln!("`{first}` hangs");
            exit(1);
        }
    });
    let result = catch_unwind(AssertUnwindSafe(|| (benchmark.run)(bench)));
    drop(ended);
    watch.expect("a thread can be started").join().expect("watching does not fail");
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let reason = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("failed");
        benchmark.rows.iter().map(|row| Row::missing(*row, reason)).collect()
    })
}

fn machine(load_before: &str) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let git = git::git_says(Path::new("/"), &["--version"]);
    format!("{cores} cores, load {load_before} before and {} after, {git}", load())
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

const BENCHMARK_TIME_MAX: Duration = Duration::from_secs(900);
