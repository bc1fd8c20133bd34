//! A clock on the wall may be set while runs go on: what time does comes late rather than never,
//! and once rather than twice, and who works keeps what it holds.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Scene, held, steps};
use crate::{
    daemon::Daemon,
    durability::shim::library,
    processes::{PATIENCE, until},
    repository::text,
};

pub(super) const HOUR_MS: i64 = 3_600_000;

static LIBRARY: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| library("running/clock.c"));

/// A clock that goes like every other one until somebody sets it.
pub(super) struct Clock {
    folder: TempDir,
    ahead: File,
}

impl Clock {
    fn new() -> Clock {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("ahead");
        fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
        Clock { ahead: File::options().write(true).open(file).unwrap(), folder }
    }

    pub(super) fn daemon(&self) -> Daemon {
        let file = self.folder.path().join("ahead");
        let variables = [("LD_PRELOAD", text(&LIBRARY.1)), ("CLOCK_AHEAD", text(&file))];
        Daemon::start_in(TempDir::new().unwrap(), &[], &variables)
    }

    /// Has it show a time that is so much later than the true one.
    pub(super) fn set(&self, ahead_ms: i64) {
        self.ahead.write_all_at(&ahead_ms.to_ne_bytes(), 0).unwrap();
    }
}

/// A scene whose daemon looks at such a clock.
fn scene(definitions: &str) -> (Scene, Clock) {
    scene_at(0, definitions)
}

pub(super) fn scene_at(ahead_ms: i64, definitions: &str) -> (Scene, Clock) {
    let (mut scene, clock) = (Scene::of(definitions), Clock::new());
    clock.set(ahead_ms);
    scene.daemon = clock.daemon();
    (scene, clock)
}

/// How often a run has commits of an event and a step.
pub(super) fn count(scene: &mut Scene, run: &str, event: &str, step: &str) -> usize {
    let history = scene.ok("run.history", json!({"run": run, "limit": 10_000}));
    let events = history["events"].as_array().unwrap().iter();
    events.filter(|it| it["event"] == event && it["step"] == step).count()
}

pub(super) fn expect_verified(scene: &mut Scene, run: &str) {
    let verified = scene.ok("run.verify", json!({"run": run}));
    assert_eq!(verified["ok"], true, "{verified}");
}

const PENDING: &str = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [timer, deadline, timeout, again, held]}
  - {step_id: timer, await: {after: 30m}, next: z}
  - {step_id: deadline, deadline: {after: 30m, escalate: {queue: boss}}, next: z}
  - {step_id: timeout, timeout: 30m, transitions: [{on: timeout, next_step: late}, {next_step: late}]}
  - {step_id: late, next: z}
  - {step_id: again, retry: {attempts: 2, wait: 30m}, next: z}
  - {step_id: held, next: z}
  - {step_id: z, join: all}
";

/// Starts a run of that in which one task has failed and all others but one are held, which are
/// given.
fn begin(scene: &mut Scene) -> Vec<Value> {
    scene.start("r", json!({}));
    let first = scene.claim_one();
    scene.complete(&first, json!({}));
    let mut tasks = scene.claim(json!({"max": 9, "lease_ms": 60_000}));
    let mut take = |step: &str| {
        let at = tasks.iter().position(|it| it["step"] == step).unwrap();
        tasks.remove(at)
    };
    let (again, deadline) = (take("again"), take("deadline"));
    scene.ok("task.fail", held(&again, json!({"message": "not yet"})));
    scene.ok("task.release", held(&deadline, json!({})));
    assert_eq!(steps(&tasks), ["timeout", "held"]);
    assert!(scene.claim(json!({"queue": "boss"})).is_empty(), "it is not late yet");
    tasks
}

/// Does what an hour has made of such a run, and all that is left of it.
fn finish(scene: &mut Scene, tasks: &[Value]) {
    let boss = scene.claim(json!({"queue": "boss", "wait_ms": 30_000}));
    assert_eq!((&boss[0]["step"], &boss[0]["overdue"]), (&json!("deadline"), &json!(true)));
    let mut come = Vec::new();
    while come.len() < 2 {
        come.extend(scene.claim(json!({"max": 9, "wait_ms": 30_000})));
    }
    let again = come.iter().find(|it| it["step"] == "again").expect("it is tried again");
    assert_eq!(again["attempt"], 2);
    assert!(come.iter().any(|it| it["step"] == "late"), "{come:?}");
    scene.refused("conflict", "task.complete", held(&tasks[0], json!({})));
    // No clock that anybody sets tells how long a worker has what it holds.
    scene.ok("task.heartbeat", held(&tasks[1], json!({})));
    for it in come.iter().chain(&boss).chain(&tasks[1..]) {
        scene.complete(it, json!({}));
    }
    let last = scene.claim(json!({"wait_ms": 30_000}));
    assert_eq!(scene.complete(&last[0], json!({}))["status"], "done");
    for step in ["timer", "timeout", "again", "held", "deadline"] {
        assert_eq!(count(scene, "r", "complete", step), 1, "{step}");
    }
    expect_verified(scene, "r");
    scene.is_sound();
}

#[test]
fn what_is_pending_comes_once_where_the_clock_jumps_an_hour_ahead() {
    let (mut scene, clock) = scene(PENDING);
    let tasks = begin(&mut scene);
    clock.set(HOUR_MS);
    until("the timer fires", PATIENCE, || count(&mut scene, "r", "complete", "timer") == 1);
    clock.set(0);
    finish(&mut scene, &tasks);
}

#[test]
fn what_is_pending_comes_late_where_the_clock_jumps_an_hour_back() {
    let (mut scene, clock) = scene(PENDING);
    let tasks = begin(&mut scene);
    clock.set(-HOUR_MS);
    // Leases end all the same, and what workers do counts.
    scene.start("other", json!({}));
    let there = scene.ok("task.list", json!({"run": "other"}))["tasks"][0]["task"].clone();
    scene.claim(json!({"task": there, "worker": "stalled", "lease_ms": 50}));
    let mut next = Value::Null;
    until("the lease ends", PATIENCE, || {
        let claim = scene.request("task.claim", json!({"worker": "w", "task": there}));
        next = scene.daemon.call(claim)["ok"]["tasks"][0].clone();
        next.is_object()
    });
    scene.complete(&next, json!({}));
    expect_verified(&mut scene, "other");
    assert_eq!(count(&mut scene, "r", "complete", "timer"), 0);
    scene.ok("run.cancel", json!({"run": "other"}));
    // By now half an hour is over after all.
    clock.set(HOUR_MS / 2 + 1);
    finish(&mut scene, &tasks);
}

#[test]
fn a_daemon_that_starts_while_the_clock_is_wrong_goes_on() {
    let timer =
        "process_name: p\nsteps: [{step_id: t, await: {after: 1s}, next: a}, {step_id: a}]\n";
    let (mut scene, clock) = scene(timer);
    scene.start("r", json!({}));
    for ahead_ms in [-HOUR_MS, 0] {
        clock.set(ahead_ms);
        let before = std::mem::replace(&mut scene.daemon, clock.daemon());
        assert!(before.end().status.success());
        scene.get("r");
    }
    let task = scene.claim(json!({"wait_ms": 30_000}));
    assert_eq!(steps(&task), ["a"]);
    clock.set(-HOUR_MS);
    assert_eq!(scene.complete(&task[0], json!({}))["status"], "done");
    // Time that went back is none for a run.
    let history = scene.ok("run.history", json!({"run": "r"}));
    let times = history["events"].as_array().unwrap().iter().filter_map(|it| it["at_ms"].as_i64());
    assert!(times.is_sorted(), "{history}");
    assert_eq!(count(&mut scene, "r", "complete", "t"), 1);
    expect_verified(&mut scene, "r");
    scene.is_sound();
}

#[test]
fn a_schedule_starts_each_of_its_times_once_however_often_the_clock_shows_it() {
    // However long this takes, no hour begins by itself meanwhile.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let half_ms = HOUR_MS / 2 - now_ms % HOUR_MS;
    let (mut scene, clock) = scene_at(half_ms, "nothing: yet\n");
    let definition = "\
process_name: p
process_version: 1.0.0
triggers:
  - {name: hourly, cron: \"0 * * * *\"}
  - {name: pushed, push: main}
steps: [{step_id: a, step_type: final_commit}]
";
    scene.ok("process.publish", json!({"content": definition, "encoding": "utf8"}));
    let mut started = Vec::new();
    for (count, hours) in [(1, 1), (1, 0), (1, 1), (2, 2), (2, -1)] {
        clock.set(half_ms + hours * HOUR_MS);
        // All there is to start is started in one look.
        let commit = scene.repository.commit("something");
        let of = |it: &Value, trigger: &str| it["attributes"]["trigger"] == *trigger;
        let mut runs = Vec::new();
        until("it is looked at", PATIENCE, || {
            let listed = scene.ok("run.list", json!({}));
            runs = listed["runs"].as_array().unwrap().clone();
            let is_it = |it: &Value| of(it, "pushed") && it["attributes"]["commit"] == *commit;
            runs.iter().any(is_it)
        });
        let hourly = runs.iter().filter(|it| of(it, "hourly"));
        started = hourly.map(|it| it["run"].as_str().unwrap().to_owned()).collect();
        assert_eq!(started.len(), count, "{hours}: {started:?}");
    }
    for run in &started {
        expect_verified(&mut scene, run);
    }
    scene.is_sound();
}

#[test]
fn a_run_is_pruned_once_it_is_old_enough_and_a_younger_one_stays() {
    let (mut scene, clock) = scene("process_name: p\nsteps: [{step_id: a}]\n");
    let play = |scene: &mut Scene, run: &str| {
        scene.start(run, json!({}));
        let task = scene.claim_one();
        scene.complete(&task, json!({}));
    };
    play(&mut scene, "old");
    clock.set(HOUR_MS);
    play(&mut scene, "young");
    let ask = json!({"keep_ms": HOUR_MS / 2});
    let pruned = scene.ok("run.prune", ask.clone());
    assert_eq!(pruned["runs"].as_array().unwrap().len(), 1, "{pruned}");
    assert_eq!((&pruned["runs"][0]["run"], &pruned["more"]), (&json!("old"), &json!(false)));
    assert_eq!(scene.ok("run.list", json!({}))["runs"][0]["run"], "young");
    until("its ref is gone", PATIENCE, || {
        let refs = scene.git(&["for-each-ref", "--format=%(refname)", "refs/workflow"]);
        refs == super::execution("young")
    });
    assert_eq!(scene.ok("run.prune", ask.clone())["runs"], json!([]));
    clock.set(2 * HOUR_MS);
    assert_eq!(scene.ok("run.prune", ask)["runs"][0]["run"], "young");
}

#[test]
fn an_id_that_was_pruned_is_used_again_by_a_clock_that_went_back() {
    let (mut scene, clock) = scene("process_name: p\nsteps: [{step_id: a}]\n");
    for ahead_ms in [HOUR_MS, 0] {
        clock.set(ahead_ms);
        scene.start("r", json!({}));
        let task = scene.claim_one();
        scene.complete(&task, json!({}));
        let verified = scene.ok("receipt.verify", json!({}));
        let apart = if ahead_ms == 0 { 1 } else { 0 };
        assert_eq!((&verified["ok"], &verified["apart"]), (&json!(true), &json!(apart)));
        expect_verified(&mut scene, "r");
        if ahead_ms != 0 {
            scene.ok("run.prune", json!({"runs": ["r"]}));
        }
    }
}
