//! What schedules start beside runs that go on, after hours in which nobody was there, and where two
//! daemons are.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::json;

use super::{
    Scene,
    clock::{Clock, HOUR_MS, count, expect_verified, scene_at},
    held,
};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
};

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// A process with these triggers, all of every hour.
fn hourly(triggers: &[(&str, &str)]) -> String {
    let trigger =
        |(name, more): &(&str, &str)| format!("  - {{name: {name}, cron: \"0 * * * *\"{more}}}\n");
    let triggers: String = triggers.iter().map(trigger).collect();
    format!(
        "process_name: p\nprocess_version: 1.0.0\ntriggers:\n{triggers}steps: [{{step_id: a}}]\n"
    )
}

/// What a commit starts says that all there is to start was started: that is one look.
const MARKER: &str = "\
process_name: seen
process_version: 1.0.0
triggers: [{name: seen, push: main}]
steps: [{step_id: a, step_type: final_commit}]
";

/// Hours that pass as they are told to.
struct Hours {
    scene: Scene,
    clock: Clock,
    /// How much later than it is it was half past an hour when this began.
    half_ms: i64,
}

impl Hours {
    fn of(definition: &str) -> Hours {
        let half_ms = HOUR_MS / 2 - now_ms() % HOUR_MS;
        let (mut scene, clock) = scene_at(half_ms, "nothing: yet\n");
        for content in [definition, MARKER] {
            scene.ok("process.publish", json!({"content": content, "encoding": "utf8"}));
        }
        let mut hours = Hours { scene, clock, half_ms };
        hours.look();
        hours
    }

    /// It is half past so many hours after the first.
    fn pass(&mut self, hours: i64) {
        self.clock.set(self.half_ms + hours * HOUR_MS);
        self.look();
    }

    fn look(&mut self) {
        let commit = self.scene.repository.commit("something");
        let wanted = json!({"attributes": {"commit": commit}});
        until("it is looked at", PATIENCE, || {
            let listed = self.scene.ok("run.list", wanted.clone());
            !listed["runs"].as_array().unwrap().is_empty()
        });
    }

    /// The runs of a trigger, by their times: how late each is, in hours after the first, and how
    /// it stands.
    fn runs(&mut self, trigger: &str) -> Vec<(i64, String)> {
        let listed = self.scene.ok("run.list", json!({"attributes": {"trigger": trigger}}));
        let mut runs: Vec<(i64, String)> = Vec::new();
        let first_ms = (now_ms() + self.half_ms) / HOUR_MS * HOUR_MS;
        for it in listed["runs"].as_array().unwrap() {
            let time = it["attributes"]["time"].as_str().unwrap();
            let time: i64 = seconds(time) * 1000;
            assert_eq!(time % HOUR_MS, 0, "{it}");
            runs.push(((time - first_ms) / HOUR_MS, it["status"].as_str().unwrap().to_owned()));
        }
        runs.sort_unstable();
        runs
    }

    #[track_caller]
    fn expect(&mut self, trigger: &str, runs: &[(i64, &str)]) {
        let there = self.runs(trigger);
        let there: Vec<(i64, &str)> = there.iter().map(|it| (it.0, &*it.1)).collect();
        assert_eq!(there, runs, "{trigger}");
    }

    /// Has the oldest run of a trigger that is under way done.
    fn finish(&mut self, trigger: &str) {
        let wanted = json!({"attributes": {"trigger": trigger}, "status": "running"});
        let listed = self.scene.ok("run.list", wanted);
        let runs = listed["runs"].as_array().unwrap().iter();
        let run = runs.min_by_key(|it| it["attributes"]["time"].as_str()).unwrap();
        let task = self.scene.ok("task.list", json!({"run": run["run"]}))["tasks"][0].clone();
        let task = self.scene.claim(json!({"task": task["task"]}))[0].clone();
        assert_eq!(self.scene.complete(&task, json!({}))["status"], "done");
    }
}

/// Seconds since 1970, as stock date reads them.
fn seconds(time: &str) -> i64 {
    let mut command = std::process::Command::new("date");
    let output = command.args(["-u", "-d", time, "+%s"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_time_that_comes_beside_a_run_of_the_one_before_does_as_the_schedule_says() {
    let mut hours = Hours::of(&hourly(&[
        ("skip", ", overlap: skip"),
        ("queue", ", overlap: queue"),
        ("replace", ", overlap: replace"),
        ("allow", ", overlap: allow"),
        ("unsaid", ""),
    ]));
    for trigger in ["skip", "queue", "replace", "allow", "unsaid"] {
        hours.expect(trigger, &[]);
    }
    hours.pass(1);
    for trigger in ["skip", "queue", "replace", "allow", "unsaid"] {
        hours.expect(trigger, &[(1, "running")]);
    }
    hours.pass(2);
    hours.pass(3);
    hours.expect("skip", &[(1, "running")]);
    hours.expect("unsaid", &[(1, "running")]);
    hours.expect("queue", &[(1, "running")]);
    hours.expect("replace", &[(1, "cancelled"), (2, "cancelled"), (3, "running")]);
    hours.expect("allow", &[(1, "running"), (2, "running"), (3, "running")]);
    // Those that wait do so whoever is there.
    let before = std::mem::replace(&mut hours.scene.daemon, hours.clock.daemon());
    assert!(before.end().status.success());
    hours.finish("queue");
    hours.look();
    hours.expect("queue", &[(1, "done"), (2, "running")]);
    hours.finish("queue");
    hours.look();
    hours.expect("queue", &[(1, "done"), (2, "done"), (3, "running")]);
    hours.finish("queue");
    hours.finish("skip");
    hours.look();
    // What was skipped does not come later.
    hours.expect("skip", &[(1, "done")]);
    hours.pass(4);
    hours.expect("skip", &[(1, "done"), (4, "running")]);
    hours.expect("unsaid", &[(1, "running")]);
    hours.expect("queue", &[(1, "done"), (2, "done"), (3, "done"), (4, "running")]);
    hours.scene.is_sound();
}

#[test]
fn hours_in_which_nobody_was_there_are_made_up_for_as_the_schedule_says() {
    let mut hours = Hours::of(&hourly(&[
        ("all", ", overlap: allow, catch_up: all"),
        ("latest", ", overlap: allow, catch_up: latest"),
        ("unsaid", ", overlap: allow"),
        ("none", ", overlap: allow, catch_up: none"),
        ("two", ", overlap: allow, catch_up: all, window: 2h"),
        ("narrow", ", overlap: allow, catch_up: latest, window: 10m"),
    ]));
    let running = |all: &[i64]| all.iter().map(|it| (*it, "running")).collect::<Vec<_>>();
    let expect = |hours: &mut Hours, more: &[i64]| {
        let with = |all: &[i64]| running(&[all, more].concat());
        hours.expect("all", &with(&[1, 2, 3, 4, 5]));
        hours.expect("latest", &with(&[5]));
        hours.expect("unsaid", &with(&[5]));
        hours.expect("none", &with(&[]));
        hours.expect("two", &with(&[4, 5]));
        hours.expect("narrow", &with(&[]));
    };
    // Nobody is there for five hours.
    hours.scene.daemon.signal(Signal::KILL);
    hours.scene.daemon.rest();
    hours.clock.set(hours.half_ms + 5 * HOUR_MS);
    hours.scene.daemon = hours.clock.daemon();
    hours.look();
    expect(&mut hours, &[]);
    // What was left out does not come later, whoever is there.
    let before = std::mem::replace(&mut hours.scene.daemon, hours.clock.daemon());
    assert!(before.end().status.success());
    hours.look();
    expect(&mut hours, &[]);
    // What is on time starts a run of each.
    let to_the_hour_ms = HOUR_MS - (now_ms() + hours.half_ms) % HOUR_MS;
    hours.clock.set(hours.half_ms + 5 * HOUR_MS + to_the_hour_ms);
    hours.look();
    expect(&mut hours, &[6]);
    hours.scene.is_sound();
}

#[test]
fn a_time_starts_one_run_where_two_daemons_watch() {
    let mut hours = Hours::of(&hourly(&[
        ("skip", ", overlap: skip"),
        ("queue", ", overlap: queue"),
        ("allow", ", overlap: allow, catch_up: all"),
    ]));
    let mut other = hours.clock.daemon();
    let look = hours.scene.request("run.list", json!({}));
    for hour in 1..=4 {
        other.ok(look.clone());
        hours.pass(hour);
        // Each of them has looked by now, for each has heard of it.
        let trigger = hours.scene.request("trigger.list", json!({}));
        let told = [hours.scene.daemon.ok(trigger.clone()), other.ok(trigger)];
        assert_eq!(told[0], told[1]);
        if hour == 2 {
            other.signal(Signal::KILL);
            other.rest();
            other = hours.clock.daemon();
        }
    }
    hours.expect("skip", &[(1, "running")]);
    hours.expect("queue", &[(1, "running")]);
    hours.expect("allow", &[(1, "running"), (2, "running"), (3, "running"), (4, "running")]);
    for _ in 0..3 {
        hours.finish("queue");
        hours.look();
    }
    hours.expect("queue", &[(1, "done"), (2, "done"), (3, "done"), (4, "running")]);
    let listed = hours.scene.ok("run.list", json!({}));
    for it in listed["runs"].as_array().unwrap() {
        let run = it["run"].as_str().unwrap();
        assert_eq!(count(&mut hours.scene, run, "start", "a"), usize::from(it["status"] == "done"));
        expect_verified(&mut hours.scene, run);
    }
    assert!(other.end().status.success());
    hours.scene.is_sound();
}

const TIMERS: &str = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [timer, late, again]}
  - {step_id: timer, await: {after: 300ms}, next: z}
  - {step_id: late, timeout: 300ms, queue: nobody, transitions: [{on: timeout, next_step: z}]}
  - {step_id: again, retry: {attempts: 2, wait: 300ms}, next: z}
  - {step_id: z, join: all}
";

#[test]
fn timers_of_runs_fire_once_where_two_daemons_live() {
    let mut scene = Scene::of(TIMERS);
    let mut other = Daemon::start();
    let runs: Vec<String> = (0..10).map(|it| format!("r{it}")).collect();
    for run in &runs {
        scene.start(run, json!({}));
    }
    let claim = scene.request("task.claim", json!({"worker": "w", "max": 99, "wait_ms": 1500}));
    // Either daemon gives tasks, is told how they ended, and waits for what comes.
    let mut ended = 0;
    while ended < 40 {
        let is_turn = ended % 20 < 10;
        let daemon = if is_turn { &mut scene.daemon } else { &mut other };
        let tasks = daemon.ok(claim.clone())["tasks"].as_array().unwrap().clone();
        assert!(!tasks.is_empty(), "{ended} have ended, and nothing comes");
        for (at, task) in tasks.iter().enumerate() {
            let daemon = if at % 2 == 0 { &mut scene.daemon } else { &mut other };
            let fails = task["step"] == "again" && task["attempt"] == 1;
            let (op, more) = match fails {
                true => ("task.fail", json!({"message": "not yet"})),
                false => ("task.complete", json!({})),
            };
            let mut request = held(task, more);
            request["op"] = json!(op);
            request["path"] = claim["path"].clone();
            daemon.ok(request);
            ended += 1;
        }
    }
    for run in &runs {
        assert_eq!(scene.status(run), "done");
        for step in ["s", "timer", "late", "again", "z"] {
            assert_eq!(count(&mut scene, run, "complete", step), 1, "{run} {step}");
        }
        assert_eq!(count(&mut scene, run, "start", "again"), 2, "{run}");
        assert_eq!(count(&mut scene, run, "join", "z"), 1, "{run}");
        let seen = other.ok(json!({"op": "run.get", "path": claim["path"], "run": run}));
        assert_eq!(seen["commit"], scene.get(run)["commit"]);
        expect_verified(&mut scene, run);
    }
    assert!(other.end().status.success());
    scene.is_sound();
}
