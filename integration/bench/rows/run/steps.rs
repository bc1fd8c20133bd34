//! Many runs at once, beside a PostgreSQL.

use std::{fs, path::Path, process::Stdio};

use super::{
    DATA, IN_FLIGHT, LENGTH, published,
    work::{Client, TEN},
};
use crate::{
    Bench, daemon, git,
    postgres::{PASSWORD, Postgres, USER, program},
    rounds::{alternate, median},
    scratch::folder,
    table::{Quantity::PerSecond, Row},
};

pub const STEPS: &str =
    "durable steps of 10-step runs, 64 in flight (peer: PostgreSQL, 64 connections, one row each)";

pub fn steps(bench: &Bench) -> Vec<Row> {
    let (rounds, runs) = if bench.quick { (3, 2_000) } else { (5, 10_000) };
    let postgres = started();
    prepare(&postgres);
    let (ours, peer) = alternate(rounds, || ours(bench, runs), || rows(bench, &postgres));
    vec![Row::faster(STEPS, PerSecond(median(ours)), PerSecond(median(peer)), 1.0)]
}

/// One whose data outlives it.
pub fn started() -> Postgres {
    Postgres::start_with(&["shared_buffers=256MB", "max_connections=100"])
}

/// Steps a second.
pub fn ours(bench: &Bench, runs: usize) -> f64 {
    let mut daemon = daemon::start(&[]);
    let repository = published(bench, &mut daemon);
    let mut client = Client::new(daemon, TEN, &[&repository]);
    let took = client.work(runs);
    drop(client);
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
