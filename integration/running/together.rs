//! Two daemons on one repository, and many workers at one.

use std::{collections::BTreeSet, thread};

use serde_json::json;

use super::{Scene, held};
use crate::{daemon::Daemon, repository::text};

const TEN: &str = "\
process_name: p
data: {sum: 0}
steps:
  - {step_id: a, each: {count: 40}, next: z}
  - {step_id: z}
";

#[test]
fn two_daemons_go_on_with_the_same_runs() {
    let mut scene = Scene::of(TEN);
    let mut other = Daemon::start();
    scene.start("r", json!({}));
    let path = text(scene.path()).to_owned();
    let claim = |worker: &str| json!({"op": "task.claim", "path": path, "worker": worker});
    let (mut done, mut turn) = (BTreeSet::new(), 0);
    loop {
        turn += 1;
        let daemon = if turn % 2 == 0 { &mut scene.daemon } else { &mut other };
        let claimed = daemon.ok(claim("w"));
        let Some(task) = claimed["tasks"].as_array().unwrap().first().cloned() else { break };
        assert!(done.insert(task["task"].to_string()), "given twice: {task}");
        // It was claimed of one, and the other is told that it is done.
        let daemon = if turn % 3 == 0 { &mut scene.daemon } else { &mut other };
        let mut complete = held(&task, json!({"op": "task.complete", "path": path}));
        complete["data"] = json!({"last": turn});
        daemon.ok(complete);
    }
    assert_eq!(done.len(), 41);
    assert_eq!(scene.status("r"), "done");
    assert_eq!(other.ok(json!({"op": "run.get", "path": path, "run": "r"}))["status"], "done");
    assert!(other.end().status.success());
    scene.is_sound();
}

const FORK: &str = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [a, b]}
  - {step_id: a, next: z}
  - {step_id: b, next: z}
  - {step_id: z, join: all}
";

#[test]
fn what_a_daemon_gave_is_held_though_another_one_goes_on_with_the_run() {
    let mut scene = Scene::of(FORK);
    let mut other = Daemon::start();
    let path = text(scene.path()).to_owned();
    scene.start("r", json!({}));
    let first = scene.claim_one();
    scene.complete(&first, json!({}));
    let tasks = scene.claim(json!({"max": 2, "lease_ms": 60_000}));
    other.ok(held(&tasks[0], json!({"op": "task.complete", "path": path})));
    for _ in 0..2 {
        assert!(scene.claim(json!({})).is_empty(), "it is held");
        let claim = json!({"op": "task.claim", "path": path, "worker": "other"});
        assert_eq!(other.ok(claim)["tasks"], json!([]), "it is held");
        // It goes on once more.
        other.ok(json!({"op": "run.signal", "path": path, "run": "r", "name": "x"}));
    }
    assert_eq!(scene.complete(&tasks[1], json!({}))["status"], "running");
    let last = other.ok(json!({"op": "task.claim", "path": path, "worker": "other"}));
    assert_eq!(last["tasks"][0]["step"], "z");
    // A lease that is over is over, whoever goes on with the run.
    scene.start("s", json!({}));
    let given = scene.claim(json!({"lease_ms": 400}));
    other.ok(json!({"op": "run.signal", "path": path, "run": "s", "name": "x"}));
    let next = scene.claim(json!({"wait_ms": 20_000}));
    assert_eq!(next[0]["task"], given[0]["task"]);
    scene.refused("conflict", "task.complete", held(&given[0], json!({})));
    scene.complete(&next[0], json!({}));
    assert!(other.end().status.success());
    scene.is_sound();
}

#[test]
fn a_path_that_another_daemon_saw_is_gone_once_it_is_over() {
    let mut scene = Scene::of(FORK);
    let mut other = Daemon::start();
    let look = json!({"op": "task.claim", "path": text(scene.path()), "worker": "other"});
    for round in 0..30 {
        let run = format!("r{round}");
        scene.start(&run, json!({}));
        let first = scene.claim_one();
        scene.complete(&first, json!({}));
        // What Git sees of it a moment later, the other daemon has Git see now.
        let tasks = scene.claim(json!({"max": 2}));
        let seen = other.ok(look.clone());
        assert_eq!(seen["tasks"], json!([]), "both are given");
        tasks.iter().for_each(|it| drop(scene.complete(it, json!({}))));
        let last = scene.claim_one();
        assert_eq!(scene.complete(&last, json!({}))["status"], "done");
        let verified = scene.ok("run.verify", json!({"run": run}));
        assert_eq!(verified["ok"], true, "{verified}");
    }
    let paths = scene.git(&["for-each-ref", "--format=%(refname)", "refs/workflow/threads"]);
    assert_eq!(paths, "");
    scene.is_sound();
}

#[test]
fn workers_side_by_side_do_each_task_once() {
    let mut scene = Scene::of(TEN);
    let path = text(scene.path()).to_owned();
    let work = |run: &str| {
        let mut daemon = Daemon::start();
        daemon.ok(json!({"op": "run.start", "path": path, "run": run, "files": ["p.yaml"]}));
        let mut done = Vec::new();
        loop {
            let claim = json!({"op": "task.claim", "path": path, "worker": "w", "wait_ms": 1500});
            let claimed = daemon.ok(claim);
            let Some(task) = claimed["tasks"].as_array().unwrap().first().cloned() else { break };
            daemon.ok(held(&task, json!({"op": "task.complete", "path": path})));
            done.push(task["task"].to_string());
        }
        assert!(daemon.end().status.success());
        done
    };
    let done: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = ["r1", "r2", "r3"].map(|it| scope.spawn(move || work(it))).into();
        workers.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    let once: BTreeSet<&String> = done.iter().collect();
    assert_eq!((done.len(), once.len()), (123, 123), "each once");
    for run in ["r1", "r2", "r3"] {
        let verified = scene.ok("run.verify", json!({"run": run}));
        let stands = (&verified["ok"], &verified["status"]);
        assert_eq!(stands, (&json!(true), &json!("done")), "{verified}");
    }
    scene.is_sound();
}
