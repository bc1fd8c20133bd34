//! Runs of processes: steps done by workers, each durable when it is answered.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Bench,
    daemon::{self, Daemon, frame, request},
    git,
    postgres::{PASSWORD, Postgres, USER, program},
    rounds::{alternate, median, part},
    scratch::{empty_repository, folder, text},
    table::{
        Quantity::{PerSecond, Seconds},
        Row,
    },
};

pub const STEPS: &str =
    "durable steps of 10-step runs, 64 in flight (peer: PostgreSQL, 64 connections, one row each)";
pub const ONE: &str = "a step of a run, one at a time (bound: one fdatasync + 0.3 ms)";
pub const ONE_SLOWEST: &str = "the same, 99 of 100 (bound: 3 times one fdatasync, 99 of 100)";
pub const FIRST: &str = "from run.start to the first task at a worker who waits";

const LENGTH: usize = 10;
const IN_FLIGHT: usize = 64;
/// As much as a small completion brings.
const DATA: &str = "a text of some forty bytes, as data is";

pub fn steps(bench: &Bench) -> Vec<Row> {
    let (rounds, runs) = if bench.quick { (3, 2_000) } else { (5, 10_000) };
    let postgres = Postgres::start_with(&["shared_buffers=256MB", "max_connections=100"]);
    prepare(&postgres);
    let (ours, peer) = alternate(rounds, || ours(bench, runs), || rows(bench, &postgres));
    vec![Row::faster(STEPS, PerSecond(median(ours)), PerSecond(median(peer)), 1.0)]
}

/// Ten steps, one after the other, in a repository.
fn published(bench: &Bench, daemon: &mut Daemon) -> PathBuf {
    let repository = empty_repository(bench);
    let mut definition = String::from("process_name: ten\nprocess_version: 1.0.0\nsteps:\n");
    for number in 0..LENGTH {
        let next = match number + 1 {
            LENGTH => String::new(),
            next => format!(", next: a{next}"),
        };
        writeln!(definition, "  - {{step_id: a{number}{next}}}").expect("memory does not fail");
    }
    let arguments = json!({"path": text(&repository), "content": definition, "encoding": "utf8"});
    let _: Value = daemon.call("process.publish", arguments);
    repository
}

#[derive(Deserialize)]
struct Claimed {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    task: String,
    token: String,
}

#[derive(Deserialize)]
struct Ended {
    status: String,
}

enum Asked {
    Start,
    Claim,
    Complete,
}

/// A client that keeps so many runs going, and does what there is to do in them.
struct Worker {
    daemon: Daemon,
    path: String,
    asked: HashMap<u64, Asked>,
    last: u64,
    output: Vec<u8>,
    to_start: usize,
    ended: usize,
}

impl Worker {
    fn ask(&mut self, asked: Asked, operation: &str, mut arguments: Value) {
        // Behind what the daemon counted itself.
        self.last += 1;
        let id = 1_000_000_000 + self.last;
        arguments["path"] = self.path.as_str().into();
        self.output.extend_from_slice(&frame(&request(operation, id, arguments)));
        self.asked.insert(id, asked);
    }

    fn start(&mut self) {
        if 0 < self.to_start {
            self.to_start -= 1;
            let arguments = json!({"process": "ten", "version": "1.0.0", "actor": "ann"});
            self.ask(Asked::Start, "run.start", arguments);
        }
    }

    fn claim(&mut self) {
        let arguments = json!({"worker": "w", "max": IN_FLIGHT, "wait_ms": 1000});
        self.ask(Asked::Claim, "task.claim", arguments);
    }

    fn hear(&mut self, reply: &daemon::OwnedReply) {
        let asked = self.asked.remove(&reply.id.expect("it has an id")).expect("it was asked");
        let value = reply.ok.as_ref().unwrap_or_else(|| panic!("{} ({})", reply.err, reply.code));
        match asked {
            Asked::Start => (),
            Asked::Claim => {
                let claimed: Claimed = rmp_serde::from_slice(value).expect("it has tasks");
                for Task { task, token } in claimed.tasks {
                    let arguments = json!({"task": task, "token": token, "data": {"said": DATA}});
                    self.ask(Asked::Complete, "task.complete", arguments);
                }
                self.claim();
            }
            Asked::Complete => {
                let ended: Ended = rmp_serde::from_slice(value).expect("it has a status");
                if ended.status == "done" {
                    self.ended += 1;
                    self.start();
                }
            }
        }
    }
}

/// Steps a second.
fn ours(bench: &Bench, runs: usize) -> f64 {
    let mut daemon = daemon::start(&[]);
    let repository = published(bench, &mut daemon);
    let (asked, output) = (HashMap::new(), Vec::new());
    let path = text(&repository);
    let mut worker = Worker { daemon, path, asked, last: 0, output, to_start: runs, ended: 0 };
    let began = Instant::now();
    (0..IN_FLIGHT).for_each(|_| worker.start());
    worker.claim();
    while worker.ended < runs {
        let output = std::mem::take(&mut worker.output);
        worker.daemon.wire.send(&output);
        let mut reply = worker.daemon.receive();
        loop {
            worker.hear(&reply);
            match worker.daemon.received() {
                Some(more) => reply = more,
                None => break,
            }
        }
    }
    let took = began.elapsed();
    drop(worker);
    let refs = git::git_says(&repository, &["for-each-ref", "refs/workflow/executions"]);
    assert_eq!(refs.lines().count(), runs, "every run is there");
    (runs * LENGTH) as f64 / took.as_secs_f64()
}

fn sql(postgres: &Postgres) -> std::process::Command {
    let mut command = program("pgbench");
    let url = postgres.url();
    let field = |name: &str| {
        let rest = url.split(name).nth(1).expect("the url says it");
        rest.split('&').next().unwrap_or_default().to_owned()
    };
    let (host, port) = (field("host="), field("port="));
    command.args(["-h", &host, "-p", &port, "-U", USER, "-n"]).env("PGPASSWORD", PASSWORD);
    command
}

fn prepare(postgres: &Postgres) {
    let mut create = program("psql");
    create.arg(postgres.url()).arg("-qc").arg(
        "CREATE TABLE steps (id bigserial PRIMARY KEY, run bigint, step int, state jsonb, at \
         timestamptz DEFAULT now())",
    );
    assert!(create.status().expect("psql can be started").success(), "the table is made");
}

/// Transactions a second.
fn rows(bench: &Bench, postgres: &Postgres) -> f64 {
    let script = folder(bench).join("step.sql");
    let insert = format!(
        "\\set run random(1, 1000000)\nINSERT INTO steps (run, step, state) VALUES (:run, 1, \
         '{{\"said\": \"{DATA}\"}}');\n"
    );
    fs::write(&script, insert).expect("the scratch folder can be written to");
    open_to_all(&script);
    let seconds = if bench.quick { "3" } else { "8" };
    let connections = IN_FLIGHT.to_string();
    let mut run = sql(postgres);
    run.args(["-c", &connections, "-j", "2", "-M", "prepared", "-T", seconds, "-f"]).arg(&script);
    let output = run.arg("postgres").stdout(Stdio::piped()).output();
    let output = output.expect("pgbench can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().find_map(|it| it.strip_prefix("tps = ")?.split(' ').next());
    rate.and_then(|it| it.parse().ok()).unwrap_or_else(|| {
        panic!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr));
    })
}

/// PostgreSQL's programs run as another user.
fn open_to_all(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for path in file.ancestors().take(4) {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o755));
    }
}

pub fn one(bench: &Bench) -> Vec<Row> {
    let (rounds, runs) = if bench.quick { (3, 50) } else { (5, 200) };
    let (ours, disk) = alternate(rounds, || alone(bench, runs), || flushes(bench, runs * LENGTH));
    let all = |it: Vec<Vec<f64>>| it.into_iter().flatten().collect::<Vec<f64>>();
    let (ours, disk) = (all(ours), all(disk));
    let row = |what, share, bound: &dyn Fn(f64) -> f64| {
        let (ours, disk) = (part(ours.clone(), share), part(disk.clone(), share));
        Row::below(what, Seconds(ours), Seconds(bound(disk)))
            .beside(format!("one fdatasync: {}", Seconds(disk)))
    };
    vec![row(ONE, 0.5, &|it| it + 0.3e-3), row(ONE_SLOWEST, 0.99, &|it| 3.0 * it)]
}

/// What each step of runs takes, one after the other, by a worker who asks for the next task
/// before it says that the last is done.
fn alone(bench: &Bench, runs: usize) -> Vec<f64> {
    let mut daemon = daemon::start(&[]);
    let repository = published(bench, &mut daemon);
    let path = text(&repository);
    let mut took = Vec::new();
    for _ in 0..runs {
        let claim = json!({"path": path, "worker": "w", "wait_ms": 10_000});
        let mut claimed = daemon.send("task.claim", claim.clone());
        let start = daemon.send("run.start", json!({"path": path, "process": "ten"}));
        let mut task = answers(&mut daemon, claimed, start);
        for step in 0..LENGTH {
            let began = Instant::now();
            let is_last = step + 1 == LENGTH;
            if !is_last {
                claimed = daemon.send("task.claim", claim.clone());
            }
            let arguments = json!({"path": path, "task": task.task, "token": task.token});
            let done = daemon.send("task.complete", arguments);
            match is_last {
                true => drop(daemon.receive()),
                false => task = answers(&mut daemon, claimed, done),
            }
            took.push(began.elapsed().as_secs_f64());
        }
    }
    took
}

/// Waits for both replies; gives the task of the first.
fn answers(daemon: &mut Daemon, claimed: u64, other: u64) -> Task {
    let replies = [daemon.receive(), daemon.receive()];
    let value = |id: u64| {
        let reply = replies.iter().find(|it| it.id == Some(id)).expect("both are answered");
        reply.ok.clone().unwrap_or_else(|| panic!("{} ({})", reply.err, reply.code))
    };
    let _ = value(other);
    let claimed: Claimed = rmp_serde::from_slice(&value(claimed)).expect("it has tasks");
    claimed.tasks.into_iter().next().expect("there is one")
}

fn flushes(bench: &Bench, count: usize) -> Vec<f64> {
    let path = folder(bench).join("flushed");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .expect("the scratch folder can be written to");
    file.write_all(&vec![0; 1 << 20]).expect("there is room");
    file.sync_all().expect("it can be flushed");
    let flush = |at: usize| {
        let began = Instant::now();
        file.write_all_at(&[1; 512], (at * 512 % (1 << 20)) as u64).expect("there is room");
        file.sync_data().expect("it can be flushed");
        began.elapsed().as_secs_f64()
    };
    (0..count).map(flush).collect()
}

pub fn first(bench: &Bench) -> Vec<Row> {
    let count = if bench.quick { 50 } else { 200 };
    let mut daemon = daemon::start(&[]);
    let repository = published(bench, &mut daemon);
    let path = text(&repository);
    let mut took = Vec::new();
    for _ in 0..count {
        let claim = json!({"path": path, "worker": "w", "wait_ms": 10_000});
        let claimed = daemon.send("task.claim", claim);
        // The worker waits before there is anything.
        std::thread::sleep(Duration::from_millis(5));
        let began = Instant::now();
        let start = daemon.send("run.start", json!({"path": path, "process": "ten"}));
        answers(&mut daemon, claimed, start);
        took.push(began.elapsed().as_secs_f64());
    }
    vec![Row::below(FIRST, Seconds(median(took)), Seconds(5e-3))]
}
