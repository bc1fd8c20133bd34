//! Definitions of processes: played, linted, and kept from exhausting the daemon.

use std::{fmt::Write as _, fs, time::Instant};

use serde_json::{Value, json};

use crate::{
    Bench,
    daemon::{self, Daemon},
    exhausting::definitions,
    rounds::median,
    scratch::{folder, text},
    table::{
        Quantity::{Bytes, Seconds},
        Row,
    },
};

pub const STEP: &str = "a step of 10 in a row, played by process.test";
pub const EACH: &str = "an instance of 10,000 in one `each` (peer: of 100)";
pub const OR_JOIN: &str = "a step in a net of 100 that an OR-join waits for, of the slowest ten";
pub const LINT: &str = "lint of 1,000 definitions";
pub const EXHAUSTING: &str = "the longest that a definition made to exhaust takes";
pub const MEMORY: &str = "memory that all of them need";

pub fn step(bench: &Bench) -> Vec<Row> {
    let mut steps = String::new();
    for number in 0..STEPS {
        write!(steps, "  - {{step_id: a{number}").expect("memory does not fail");
        let next =
            if number + 1 < STEPS { format!(", next: a{}", number + 1) } else { String::new() };
        writeln!(steps, "{next}}}").expect("memory does not fail");
    }
    let all: Vec<String> = (0..STEPS).map(|it| format!("a{it}")).collect();
    let took = per_line(bench, &steps, &all, 1_000);
    vec![Row::below(STEP, Seconds(took), Seconds(20e-6))]
}

pub fn each(bench: &Bench) -> Vec<Row> {
    let steps = |count: usize| format!("  - {{step_id: a, each: {{count: {count}}}}}\n");
    let lines = |count: usize| (1..=count).map(|it| format!("a#{it}")).collect::<Vec<_>>();
    let many = per_line(bench, &steps(10_000), &lines(10_000), 1);
    let few = per_line(bench, &steps(100), &lines(100), 100);
    vec![Row::within(EACH, Seconds(many), Seconds(few), 2.0)]
}

pub fn or_join(bench: &Bench) -> Vec<Row> {
    let shapes = [("with loops before it", with_loops()), ("with joins of all", with_joins())];
    // What was found out for a marking is kept: each is played once.
    let mut slowest = (0.0, "");
    for (name, (steps, lines)) in shapes {
        // What the first lines take is a part of what more of them take.
        let mut before = 0.0;
        for count in (FEW..=lines.len()).step_by(FEW) {
            let took = per_line(bench, &steps, &lines[..count], 1) * count as f64;
            let of_these = (took - before) / FEW as f64;
            (before, slowest) =
                (took, if slowest.0 < of_these { (of_these, name) } else { slowest });
        }
    }
    vec![Row::below(OR_JOIN, Seconds(slowest.0), Seconds(1e-3)).beside(slowest.1)]
}

/// A choice of any of ten ways of nine steps, each of which may go back to its beginning, before a
/// join that waits for all that can still come.
fn with_loops() -> (String, Vec<String>) {
    let mut steps = String::from("  - {step_id: s, split: any, transitions: [");
    let ways: Vec<String> = (0..WAYS).map(|it| format!("{{next_step: w{it}x0}}")).collect();
    writeln!(steps, "{}]}}", ways.join(", ")).expect("memory does not fail");
    let mut lines = vec!["s".to_owned()];
    for way in 0..WAYS {
        for number in 0..LONG {
            let (id, first) = (format!("w{way}x{number}"), format!("w{way}x0"));
            let next = match number + 1 < LONG {
                true => format!("next: w{way}x{}", number + 1),
                false => format!(
                    "transitions: [{{on: again, next_step: {first}}}, {{on: success, next_step: j}}]"
                ),
            };
            writeln!(steps, "  - {{step_id: {id}, {next}}}").expect("memory does not fail");
            lines.push(if number + 1 < LONG { id } else { id + ":success" });
        }
    }
    steps.push_str("  - {step_id: j, join: any}\n");
    lines.push("j".to_owned());
    (steps, lines)
}

/// Ways into joins of all branches, whose other branch may never come, before a join that waits
/// for all that can still come.
fn with_joins() -> (String, Vec<String>) {
    let mut first = vec!["b".to_owned()];
    let mut steps =
        String::from("  - {step_id: b, next: e}\n  - {step_id: z}\n  - {step_id: e, join: any}\n");
    let (mut chains, mut choices, mut joins) = (Vec::new(), Vec::new(), Vec::new());
    for way in 0..PAIRS {
        first.extend([format!("c{way}x0"), format!("k{way}")]);
        for number in 0..CHAIN {
            let (id, next) = (format!("c{way}x{number}"), number + 1);
            let next = if next < CHAIN { format!("c{way}x{next}") } else { format!("w{way}") };
            writeln!(steps, "  - {{step_id: {id}, next: {next}}}").expect("memory does not fail");
            chains.push(id);
        }
        writeln!(
            steps,
            "  - {{step_id: k{way}, transitions: [{{on: go, next_step: w{way}}}, \
             {{on: quit, next_step: z}}]}}\n  - {{step_id: w{way}, join: all, next: e}}"
        )
        .expect("memory does not fail");
        match way % 2 {
            0 => choices.extend([format!("k{way}:quit"), "z".to_owned()]),
            _ => {
                choices.push(format!("k{way}:go"));
                joins.push(format!("w{way}"));
            }
        }
    }
    let head = format!("  - {{step_id: a, split: all, next: [{}]}}\n", first.join(", "));
    let mut lines = vec!["a".to_owned(), "b".to_owned()];
    lines.extend(chains.into_iter().chain(choices).chain(joins));
    lines.push("e".to_owned());
    (head + &steps, lines)
}

pub fn lint(bench: &Bench) -> Vec<Row> {
    let documents: Vec<&str> = PATTERNS.split("\n---\n").collect();
    let draft = |number: usize| {
        let content = documents[number % documents.len()]
            .replace("process_name: ", &format!("process_name: p{number}_"))
            .replace("call: wcp22_", &format!("call: p{number}_wcp22_"));
        json!({"file": format!("{number}.yaml"), "content": content})
    };
    let drafts: Vec<Value> = (0..1_000).map(draft).collect();
    let request = json!({"drafts": drafts, "encoding": "utf8"});
    let mut daemon = daemon::start(&[]);
    let took = (0..rounds(bench)).map(|_| {
        let started = Instant::now();
        let _: Value = daemon.call("process.lint", request.clone());
        started.elapsed().as_secs_f64()
    });
    vec![Row::below(LINT, Seconds(median(took)), Seconds(2.0))]
}

pub fn exhausting(bench: &Bench) -> Vec<Row> {
    let path = text(&folder(bench));
    let mut daemon = daemon::start(&[]);
    let (mut longest, mut name) = (0.0, String::new());
    for (what, content) in definitions() {
        let files = json!([{"file": "m.yaml", "content": content}]);
        let ways = [
            ("process.publish", json!({"store": {"folder": path}, "content": content})),
            ("process.lint", json!({"drafts": files})),
            ("process.test", json!({"drafts": files})),
        ];
        for (op, mut arguments) in ways {
            arguments["encoding"] = "utf8".into();
            let started = Instant::now();
            let reply = daemon.call_raw(op, arguments);
            let took = started.elapsed().as_secs_f64();
            let reply = crate::reply::Reply::parse(&reply);
            let is_refused = ["invalid", "too_large"].contains(&reply.code);
            assert!(is_refused || op != "process.publish", "{what} is not refused");
            if longest < took {
                (longest, name) = (took, format!("{op} of {what}"));
            }
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.wire.process()));
    let status = status.expect("the daemon is there");
    let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).expect("Linux says it");
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse().expect("it is a number");
    vec![
        Row::below(EXHAUSTING, Seconds(longest), Seconds(1.0)).beside(name),
        Row::below(MEMORY, Bytes(kib * 1024.0), Bytes(f64::from(200 << 20))),
    ]
}

/// Seconds for each line of a test that is played so many times, without what reading takes.
fn per_line(bench: &Bench, steps: &str, lines: &[String], times: usize) -> f64 {
    let with = |count: usize, lines: &[String]| {
        let head = "process_name: measured\nsteps:\n";
        let script: Vec<String> = lines.iter().map(|it| format!("\"{it}\"")).collect();
        let script = script.join(", ");
        // An alias is read once.
        let mut tests = format!("tests:\n  t0: &all [{script}]\n");
        for number in 1..count {
            writeln!(tests, "  t{number}: *all").expect("memory does not fail");
        }
        json!({"drafts": [{"file": "m.yaml", "content": format!("{head}{steps}{tests}")}],
            "encoding": "utf8"})
    };
    let mut daemon = daemon::start(&[]);
    let mut seconds = |request: &Value| {
        let took = (0..rounds(bench)).map(|_| played(&mut daemon, request));
        median(took)
    };
    let request = with(times, lines);
    let (all, reading) = (seconds(&request), seconds(&with(times, &[])));
    (all - reading).max(0.0) / (lines.len() * times) as f64
}

fn played(daemon: &mut Daemon, request: &Value) -> f64 {
    let started = Instant::now();
    let reply: Value = daemon.call("process.test", request.clone());
    let took = started.elapsed().as_secs_f64();
    assert_ne!(reply["passed"], false, "{reply}");
    took
}

fn rounds(bench: &Bench) -> usize {
    if bench.quick { 5 } else { 15 }
}

const PATTERNS: &str = include_str!("../../../protocol/patterns.yaml");
const STEPS: usize = 10;
const WAYS: usize = 10;
const LONG: usize = 9;
/// Two steps and a chain each: a hundred steps with the four around them.
const PAIRS: usize = 12;
const CHAIN: usize = 6;
/// So many lines are measured together.
const FEW: usize = 10;
