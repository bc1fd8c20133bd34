//! Runs are suspended, tried again, forked and moved to other definitions; what they call and what
//! they reach has refs of its own.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::{Scene, execution, held, steps};
use crate::processes::until;

const SOON: Duration = Duration::from_secs(10);

const SEQUENCE: &str = "\
process_name: p
steps:
  - {step_id: a, milestone: begun, transitions: [{on: ok, next_step: b}, {on: failed, next_step: x}]}
  - {step_id: b, next: c}
  - {step_id: c, milestone: nearly}
  - {step_id: x, end: failed}
";

fn verify(scene: &mut Scene, run: &str) {
    let verified = scene.ok("run.verify", json!({"run": run}));
    assert_eq!(verified["ok"], true, "{verified}");
}

/// What is told of runs, which has to be the same after another start.
fn told(scene: &mut Scene, runs: &[&str]) -> Vec<Value> {
    runs.iter().map(|run| scene.get(run)).collect()
}

fn stays_after_a_restart(scene: &mut Scene, runs: &[&str]) {
    let before = told(scene, runs);
    scene.restart();
    assert_eq!(told(scene, runs), before);
    for run in runs.iter().filter(|it| !it.contains('/')) {
        verify(scene, run);
    }
    scene.is_sound();
}

/// Does what there is to do, step by step, until this one is there; gives its task.
fn go_to(scene: &mut Scene, step: &str) -> Value {
    loop {
        let task = scene.claim_one();
        if task["step"] == step {
            return task;
        }
        scene.complete(&task, json!({}));
    }
}

#[test]
fn nothing_of_a_suspended_run_is_started_and_what_was_started_counts() {
    let definition = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [a, b, t]}
  - {step_id: a, next: z}
  - {step_id: b, next: z}
  - {step_id: t, await: {after: 10ms}, next: z}
  - {step_id: z, join: all}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    scene.refused("conflict", "run.resume", json!({"run": "r"}));
    let task = scene.claim_one();
    let suspended = scene.ok("run.suspend", json!({"run": "r", "actor": "ann"}));
    assert_eq!(suspended["status"], "suspended");
    assert!(suspended["commit"].is_string());
    scene.refused("conflict", "run.suspend", json!({"run": "r"}));
    scene.complete(&task, json!({"data": {"done": true}}));
    assert!(scene.claim(json!({"max": 9})).is_empty(), "nothing is handed out");
    let offered = scene.get("r")["offers"][0]["task"].clone();
    scene.refused("conflict", "task.claim", json!({"worker": "w", "task": offered}));
    sleep(Duration::from_millis(200));
    let then = scene.get("r");
    assert_eq!((&then["status"], &then["due_ms"]), (&json!("suspended"), &Value::Null));
    assert_eq!(then["data"], json!({"done": true}));
    let listed = scene.ok("run.list", json!({"status": "suspended"}));
    assert_eq!(listed["runs"][0]["run"], "r");
    stays_after_a_restart(&mut scene, &["r"]);
    assert_eq!(scene.ok("run.resume", json!({"run": "r"}))["status"], "running");
    until("the time that was over long ago comes", SOON, || {
        scene.get("r")["offers"].as_array().unwrap().iter().all(|it| it["path"] != "t")
    });
    let tasks = scene.claim(json!({"max": 9}));
    assert_eq!(steps(&tasks), ["a", "b"]);
    for task in &tasks {
        scene.complete(task, json!({}));
    }
    let last = scene.claim_one();
    assert_eq!(scene.complete(&last, json!({}))["status"], "done");
    scene.refused("conflict", "run.suspend", json!({"run": "r"}));
    verify(&mut scene, "r");
}

#[test]
fn signals_come_to_a_suspended_run_and_it_can_be_cancelled() {
    let definition = "\
process_name: p
steps: [{step_id: w, await: go, next: a}, {step_id: a}]
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    scene.ok("run.suspend", json!({"run": "r"}));
    scene.ok("run.signal", json!({"run": "r", "name": "go", "data": {"n": 1}}));
    let then = scene.get("r");
    assert_eq!((&then["offers"][0]["path"], &then["data"]), (&json!("a"), &json!({"n": 1})));
    assert_eq!(scene.ok("run.cancel", json!({"run": "r"}))["status"], "cancelled");
    verify(&mut scene, "r");
}

#[test]
fn a_run_that_failed_goes_on_from_before_its_failure() {
    let mut scene = Scene::of(SEQUENCE);
    scene.start("r", json!({"input": {"n": 1}}));
    scene.refused("conflict", "run.retry", json!({"run": "r"}));
    let a = scene.claim_one();
    scene.complete(&a, json!({"data": {"a": true}}));
    let b = scene.claim_one();
    let ended = scene.ok("task.fail", held(&b, json!({"message": "no"})));
    assert_eq!(ended["status"], "failed");
    let newest = scene.get("r")["commit"].clone();
    let again = scene.ok("run.retry", json!({"run": "r", "actor": "ann"}));
    assert_eq!(again["status"], "running");
    assert_eq!(
        (&again["again"][0]["step"], &again["again"][0]["actor"]),
        (&json!("b"), &json!("w"))
    );
    scene.refused("conflict", "task.complete", held(&b, json!({})));
    stays_after_a_restart(&mut scene, &["r"]);
    let history = scene.ok("run.history", json!({"run": "r"}));
    let retry = history["events"].as_array().unwrap().iter().find(|it| it["event"] == "retry");
    let parents = retry.unwrap()["parents"].as_array().unwrap();
    assert!(parents.contains(&newest), "nothing that happened is lost: {parents:?}");
    let b = scene.claim_one();
    assert_eq!((&b["step"], &b["attempt"]), (&json!("b"), &json!(1)));
    scene.complete(&b, json!({}));
    let c = scene.claim_one();
    assert_eq!(scene.complete(&c, json!({}))["status"], "done");
    assert_eq!(scene.get("r")["data"], json!({"n": 1, "a": true}));
    verify(&mut scene, "r");
    scene.refused("conflict", "run.retry", json!({"run": "r"}));
    scene.refused("not_found", "run.retry", json!({"run": "s"}));
}

#[test]
fn a_run_can_be_tried_again_from_any_commit_and_as_often_as_need_be() {
    let mut scene = Scene::of(SEQUENCE);
    scene.start("r", json!({}));
    for round in 0..3 {
        let task = go_to(&mut scene, "c");
        scene.ok("task.fail", held(&task, json!({"message": "no"})));
        let again = scene.ok("run.retry", json!({"run": "r", "seq": 1}));
        let told: Vec<&Value> =
            again["again"].as_array().unwrap().iter().map(|it| &it["step"]).collect();
        assert_eq!(told, ["a", "b", "c"], "{round}");
    }
    let at = scene.get("r")["seq"].as_u64().unwrap();
    scene.ok("run.cancel", json!({"run": "r"}));
    scene.refused("conflict", "run.retry", json!({"run": "r", "seq": at + 2}));
    scene.refused("bad_request", "run.retry", json!({"run": "r", "seq": 0}));
    scene.ok("run.retry", json!({"run": "r"}));
    stays_after_a_restart(&mut scene, &["r"]);
    let task = go_to(&mut scene, "c");
    assert_eq!(scene.complete(&task, json!({}))["status"], "done");
    verify(&mut scene, "r");
}

#[test]
fn a_run_that_is_stuck_goes_on_from_before_what_got_it_there() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, split: all, next: [b, c]}
  - {step_id: b, next: z}
  - {step_id: c, transitions: [{on: go, next_step: z}, {on: drop, next_step: x}]}
  - {step_id: x, step_type: route}
  - {step_id: z, join: all}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    for step in ["a", "b"] {
        let task = go_to(&mut scene, step);
        scene.complete(&task, json!({}));
    }
    let task = go_to(&mut scene, "c");
    let stuck = scene.complete(&task, json!({"outcome": "drop"}));
    assert_eq!(stuck["status"], "stuck");
    stays_after_a_restart(&mut scene, &["r"]);
    assert!(scene.claim(json!({})).is_empty());
    let again = scene.ok("run.retry", json!({"run": "r", "actor": "eve"}));
    assert_eq!(again["status"], "running");
    let steps: Vec<&str> =
        again["again"].as_array().unwrap().iter().map(|it| it["step"].as_str().unwrap()).collect();
    assert_eq!(steps[0], "c", "{again}");
    stays_after_a_restart(&mut scene, &["r"]);
    scene.refused("conflict", "run.retry", json!({"run": "r"}));
    let task = scene.claim_one();
    assert_eq!(task["step"], "c");
    scene.complete(&task, json!({"outcome": "go"}));
    let task = scene.claim_one();
    assert_eq!(task["step"], "z");
    assert_eq!(scene.complete(&task, json!({}))["status"], "done");
    verify(&mut scene, "r");
}

#[test]
fn a_fork_begins_as_a_run_was_and_both_go_their_way() {
    let mut scene = Scene::of(SEQUENCE);
    scene.start("r", json!({"attributes": {"customer": "acme"}}));
    let a = scene.claim_one();
    scene.complete(&a, json!({"data": {"by": "a"}}));
    let b = scene.claim_one();
    let seq = scene.get("r")["seq"].as_u64().unwrap();
    scene.complete(&b, json!({"data": {"by": "b"}}));
    let fork = json!({"run": "r", "seq": seq, "new": "f", "actor": "eve"});
    let forked = scene.ok("run.fork", fork.clone());
    assert_eq!((&forked["run"], &forked["status"]), (&json!("f"), &json!("running")));
    assert_eq!(forked["again"][0]["step"], "b");
    // Whoever did not hear of it asks again.
    assert_eq!(scene.ok("run.fork", fork), forked);
    scene.refused("conflict", "run.fork", json!({"run": "r", "seq": 1, "new": "f"}));
    scene.refused("conflict", "run.fork", json!({"run": "f", "new": "r"}));
    let f = scene.get("f");
    assert_eq!((&f["data"], &f["forked"]), (&json!({"by": "a"}), &json!(format!("r@{seq}"))));
    assert_eq!((&f["actor"], &f["attributes"]["customer"]), (&json!("eve"), &json!("acme")));
    assert_eq!(scene.get("r")["data"], json!({"by": "b"}));
    stays_after_a_restart(&mut scene, &["r", "f"]);
    // Its history begins with the other's, and it can be asked for.
    let then = scene.ok("run.get", json!({"run": "f", "seq": 1}));
    assert_eq!((&then["run"], &then["seq"]), (&json!("f"), &json!(1)));
    scene.ok("run.fork", json!({"run": "f", "seq": 1, "new": "early"}));
    assert_eq!(scene.get("early")["forked"], "r@1");
    scene.ok("run.cancel", json!({"run": "f"}));
    scene.ok("run.retry", json!({"run": "f", "seq": 1}));
    assert_eq!(scene.get("f")["offers"][0]["path"], "a");
    stays_after_a_restart(&mut scene, &["f", "early"]);
    scene.ok("run.cancel", json!({"run": "early"}));
    scene.ok("run.cancel", json!({"run": "f"}));
    scene.ok("run.retry", json!({"run": "f", "seq": seq}));
    // A fork of a fork, of what it is now.
    scene.ok("run.fork", json!({"run": "f", "new": "g"}));
    let tasks = scene.claim(json!({"max": 9}));
    let mut told: Vec<(&str, &str)> = tasks
        .iter()
        .map(|it| (it["run"].as_str().unwrap(), it["step"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("f", "b"), ("g", "b"), ("r", "c")]);
    for task in &tasks {
        scene.complete(task, json!({}));
    }
    for task in scene.claim(json!({"max": 9})) {
        scene.complete(&task, json!({}));
    }
    for run in ["r", "f", "g"] {
        assert_eq!(scene.status(run), "done");
    }
    stays_after_a_restart(&mut scene, &["r", "f", "g"]);
    until("git sees the forks", SOON, || {
        scene.git(&["for-each-ref", "--format=%(refname)", "refs/workflow"]).lines().count() == 4
    });
    let base = scene.git(&["merge-base", &execution("r"), &execution("f")]);
    let history = scene.ok("run.history", json!({"run": "r"}));
    assert_eq!(history["events"][seq as usize - 1]["commit"], base, "it is a branch");
    scene.refused("not_found", "run.fork", json!({"run": "nobody"}));
    scene.refused("bad_request", "run.fork", json!({"run": "r", "new": "a/b"}));
    // An ended run is under way with none of its last commits.
    scene.refused("conflict", "run.fork", json!({"run": "r"}));
}

#[test]
fn a_number_that_a_run_has_not_come_to_is_refused_wherever_it_is_asked_for() {
    let mut scene = Scene::of(SEQUENCE);
    scene.start("r", json!({}));
    for status in ["running", "cancelled"] {
        let newest = scene.get("r")["seq"].as_u64().unwrap();
        for op in ["run.get", "run.graph", "run.fork"] {
            let beyond = json!({"run": "r", "seq": newest + 1});
            let refused = scene.refused("bad_request", op, beyond);
            assert_eq!(refused["field"], "seq", "{op}: {refused}");
        }
        let then = scene.ok("run.get", json!({"run": "r", "seq": newest}));
        assert_eq!((&then["status"], &then["seq"]), (&json!(status), &json!(newest)));
        if status == "running" {
            scene.ok("run.cancel", json!({"run": "r"}));
        }
    }
    let refused = scene.refused("bad_request", "run.retry", json!({"run": "r", "seq": 999}));
    assert_eq!(refused["field"], "seq", "{refused}");
}

#[test]
fn what_runs_reach_are_tags_that_stay_where_they_were_first() {
    let mut scene = Scene::of(SEQUENCE);
    scene.start("r", json!({}));
    let task = go_to(&mut scene, "c");
    let reached = scene.get("r")["milestones"].clone();
    assert_eq!(reached.as_object().unwrap().len(), 1);
    scene.complete(&task, json!({}));
    let then = scene.get("r")["milestones"].clone();
    assert_eq!(then["begun"], reached["begun"]);
    until("git sees both", SOON, || {
        scene.git(&["tag", "--list", "milestone/r/*"]) == "milestone/r/begun\nmilestone/r/nearly"
    });
    for name in ["begun", "nearly"] {
        let at = scene.git(&["rev-parse", &format!("refs/tags/milestone/r/{name}")]);
        assert_eq!(then[name], at);
    }
    stays_after_a_restart(&mut scene, &["r"]);
    // Whoever moves it is named.
    let wrong = scene.git(&["rev-parse", &format!("{}~2", execution("r"))]);
    scene.git(&["update-ref", "refs/tags/milestone/r/nearly", &wrong]);
    let verified = scene.ok("run.verify", json!({"run": "r"}));
    assert_eq!(
        (&verified["ok"], &verified["problems"][0]["commit"]),
        (&json!(false), &json!(wrong))
    );
    let tag = "milestone/r/nearly";
    scene.refused("denied", "tag", json!({"tag": tag, "target": "HEAD", "force": true}));
    scene.refused("denied", "tag", json!({"tag": tag, "delete": true}));
    let refs = json!({"updates": [{"ref": "refs/tags/milestone/r/mine", "to": wrong}]});
    scene.refused("denied", "ref.update", refs);
}

#[test]
fn a_milestone_is_called_by_what_a_tag_can_be_called_by() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, milestone: 'a b'}]\n");
    let refused = scene.refused("invalid", "run.start", json!({"run": "r", "files": ["p.yaml"]}));
    let told = refused["problems"].to_string() + refused["err"].as_str().unwrap();
    assert!(told.contains("a milestone is called by"), "{refused}");
}

const CALLS: &str = "\
process_name: p
steps:
  - {step_id: c, call: q, with: {n: '1 + 1'}, returns: {m: n}, next: z}
  - {step_id: z}
---
process_name: q
steps:
  - {step_id: a, next: d}
  - {step_id: d, call: r}
---
process_name: r
steps: [{step_id: b}]
";

#[test]
fn what_a_run_calls_has_a_ref_and_can_be_asked_for() {
    let mut scene = Scene::of(CALLS);
    scene.start("r", json!({}));
    let called = scene.get("r")["children"].clone();
    let child = called[0]["run"].as_str().unwrap().to_owned();
    assert_eq!((&called[0]["process"], &called[0]["step"]), (&json!("q"), &json!("c")));
    let told = scene.ok("run.get", json!({"run": child}));
    assert_eq!((&told["status"], &told["data"]), (&json!("running"), &json!({"n": 2})));
    assert_eq!((&told["parent"], &told["offers"][0]["path"]), (&json!("r"), &json!("c/a")));
    let a = scene.claim_one();
    scene.complete(&a, json!({"data": {"n": 5}}));
    let b = scene.claim_one();
    assert_eq!(b["step"], "c/d/b");
    let all = scene.get("r")["children"].clone();
    assert_eq!(all.as_array().unwrap().len(), 2);
    stays_after_a_restart(&mut scene, &["r", &child]);
    let names = ["for-each-ref", "--format=%(refname)", "refs/workflow/children/r"];
    until("git sees both", SOON, || scene.git(&names).lines().count() == 2);
    for it in all.as_array().unwrap() {
        let (_, number) = it["run"].as_str().unwrap().split_once('/').unwrap();
        let at = scene.git(&["rev-parse", &format!("refs/workflow/children/r/{number}")]);
        assert_eq!(it["commit"], at);
    }
    let b = scene.claim(json!({"task": b["task"]}))[0].clone();
    scene.complete(&b, json!({}));
    assert_eq!(scene.ok("run.get", json!({"run": child}))["status"], "done");
    let z = scene.claim_one();
    scene.complete(&z, json!({}));
    assert_eq!(scene.get("r")["data"], json!({"m": 5}));
    stays_after_a_restart(&mut scene, &["r", &child]);
    // A fork from where it was called goes on with it.
    let seq = scene.ok("run.history", json!({"run": "r"}))["events"].as_array().unwrap().len();
    assert!(seq > 8);
    scene.ok("run.fork", json!({"run": "r", "seq": 6, "new": "f"}));
    let forked = scene.get("f")["children"].as_array().unwrap().clone();
    assert!(!forked.is_empty());
    stays_after_a_restart(&mut scene, &["r", "f"]);
    let b = scene.claim_one();
    scene.complete(&b, json!({}));
    let child = forked[0]["run"].as_str().unwrap();
    assert_eq!(scene.ok("run.get", json!({"run": child}))["parent"], "f");
    // All of what was called is behind the end of the run.
    for reference in scene.git(&names).lines() {
        scene.git(&["merge-base", "--is-ancestor", reference, &execution("r")]);
    }
    scene.refused("not_found", "run.get", json!({"run": "r/999"}));
}

const NEXT: &str = "\
process_name: p
process_version: 2.0.0
steps:
  - {step_id: s, split: all, next: [a, bb]}
  - {step_id: a, next: z}
  - {step_id: bb, next: z}
  - {step_id: z, join: all, next: more}
  - {step_id: more}
";

const BEFORE: &str = "\
process_name: p
process_version: 1.0.0
steps:
  - {step_id: s, split: all, next: [a, b]}
  - {step_id: a, next: z}
  - {step_id: b, next: z}
  - {step_id: z, join: all}
";

#[test]
fn a_run_migrates_to_where_everything_in_it_has_a_place() {
    let mut scene = Scene::of(BEFORE);
    let write = |scene: &mut Scene, content: &str| {
        let change = json!({"file": "p.yaml", "content": content});
        let commit =
            json!({"branch": "main", "message": "m", "changes": [change], "encoding": "utf8"});
        scene.ok("commit", commit);
    };
    scene.start("r", json!({}));
    let s = scene.claim_one();
    scene.complete(&s, json!({}));
    let tasks = scene.claim(json!({"max": 9}));
    let a = tasks.iter().find(|it| it["step"] == "a").unwrap().clone();
    scene.complete(&a, json!({}));
    let same = scene.refused("conflict", "run.migrate", json!({"run": "r", "files": ["p.yaml"]}));
    assert!(same["actual"].is_string());
    write(&mut scene, NEXT);
    let refused =
        scene.refused("conflict", "run.migrate", json!({"run": "r", "files": ["p.yaml"]}));
    assert_eq!(refused["missing"], json!(["`b`: there is no such step"]));
    let before = scene.get("r");
    let to = json!({"run": "r", "files": ["p.yaml"], "steps": {"b": "bb"}, "actor": "ann"});
    assert_eq!(scene.ok("run.migrate", to.clone())["status"], "running");
    let after = scene.get("r");
    assert_eq!((&before["version"], &after["version"]), (&json!("1.0.0"), &json!("2.0.0")));
    assert_eq!(after["offers"][0]["path"], "bb");
    assert_eq!(after["offers"][0]["worker"], "w", "it is still held");
    let b = tasks.iter().find(|it| it["step"] == "b").unwrap().clone();
    scene.complete(&b, json!({}));
    stays_after_a_restart(&mut scene, &["r"]);
    let z = scene.claim_one();
    scene.complete(&z, json!({}));
    let more = scene.claim_one();
    assert_eq!(more["step"], "more");
    assert_eq!(scene.complete(&more, json!({}))["status"], "done");
    stays_after_a_restart(&mut scene, &["r"]);
    let then = scene.ok("run.get", json!({"run": "r", "seq": 1}));
    assert_eq!(then["version"], "1.0.0");
    scene.refused("conflict", "run.migrate", to.clone());
    // Back before the migration, a fork follows the definition of that time.
    scene.ok("run.fork", json!({"run": "r", "seq": 1, "new": "f"}));
    assert_eq!(scene.get("f")["version"], "1.0.0");
    verify(&mut scene, "f");
    for steps in [json!({"b": "none"}), json!({"none": "bb"}), json!({"b": "a"})] {
        let mut wrong = to.clone();
        (wrong["steps"], wrong["run"]) = (steps, json!("f"));
        scene.refused("bad_request", "run.migrate", wrong);
    }
}
