//! Time does what a process says, late rather than never and once rather than twice.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::Scene;
use crate::processes::until;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_timer_fires_by_itself_and_after_a_restart_that_it_came_due_in() {
    let timer = "\
process_name: p
steps:
  - {step_id: a, await: {after: 400ms}, next: b}
  - {step_id: b}
";
    let mut scene = Scene::of(timer);
    scene.start("r", json!({}));
    assert_eq!(scene.status("r"), "waiting");
    let task = scene.claim(json!({"wait_ms": 10_000}))[0].clone();
    assert_eq!(task["step"], "b");
    scene.complete(&task, json!({}));

    scene.start("s", json!({}));
    scene.restart();
    sleep(Duration::from_millis(500));
    scene.restart();
    // Whoever asks for this repository first has it seen to.
    assert_eq!(scene.claim(json!({"wait_ms": 10_000}))[0]["run"], "s");
    let history = scene.ok("run.history", json!({"run": "s"}));
    let fired = history["events"].as_array().unwrap().iter().filter(|it| it["step"] == "a");
    assert_eq!(fired.count(), 1, "once: {history}");
}

#[test]
fn a_step_of_the_type_timer_is_nobodys_task_and_waits_on_after_a_restart() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, step_type: timer, configuration: {after: 2s}, next: b}
  - {step_id: b}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let before = scene.get("r");
    assert_eq!(
        (&before["status"], &before["offers"][0]["status"]),
        (&json!("waiting"), &json!("awaiting"))
    );
    let (due_ms, began_ms) =
        (before["due_ms"].as_i64().unwrap(), before["began_ms"].as_i64().unwrap());
    assert_eq!(due_ms, began_ms + 2000);
    let timer = before["offers"][0]["task"].clone();
    scene.refused("conflict", "task.claim", json!({"worker": "w", "task": timer}));
    assert!(scene.claim(json!({"types": ["timer"]})).is_empty());
    scene.restart();
    let task = scene.claim(json!({"wait_ms": 60_000}))[0].clone();
    assert_eq!(task["step"], "b");
    let history = scene.ok("run.history", json!({"run": "r"}));
    let fired = history["events"].as_array().unwrap().iter();
    let fired: Vec<&Value> =
        fired.filter(|it| it["step"] == "a" && it["event"] == "complete").collect();
    assert_eq!(fired.len(), 1, "once: {history}");
    assert_eq!(fired[0]["actor"], "gitport");
    assert!(due_ms <= fired[0]["at_ms"].as_i64().unwrap(), "not before its time: {history}");
    scene.complete(&task, json!({}));
    assert_eq!(scene.ok("run.verify", json!({"run": "r"}))["ok"], true);
}

#[test]
fn a_step_that_takes_too_long_times_out_for_its_worker_as_well() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, timeout: 100ms, transitions: [{on: timeout, next_step: late}, {next_step: b}]}
  - {step_id: b}
  - {step_id: late}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    assert_eq!(scene.claim(json!({"wait_ms": 10_000}))[0]["step"], "late");
    scene.refused("conflict", "task.complete", super::held(&task, json!({})));
}

#[test]
fn a_worker_that_is_silent_for_too_long_has_failed() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, heartbeat: 200ms, transitions: [{on: failed, next_step: late}, {next_step: b}]}
  - {step_id: b}
  - {step_id: late}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    for _ in 0..10 {
        sleep(Duration::from_millis(40));
        scene.ok("task.heartbeat", super::held(&task, json!({})));
    }
    assert_eq!(scene.claim(json!({"wait_ms": 10_000}))[0]["step"], "late");
}

#[test]
fn a_deadline_is_seen_by_others_while_the_step_goes_on() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, deadline: {after: 100ms, escalate: {queue: boss, priority: 9}}}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let tasks = scene.claim(json!({"queue": "boss", "wait_ms": 10_000}));
    assert_eq!((&tasks[0]["overdue"], &tasks[0]["priority"]), (&json!(true), &json!(9)));
}

#[test]
fn an_event_is_taken_by_who_waits_for_it_with_its_key() {
    let definition = "\
process_name: p
data: {order: 7}
steps:
  - {step_id: a, await: {event: paid, key: order}, next: b}
  - {step_id: b}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let other = scene.ok("run.signal", json!({"run": "r", "name": "paid", "key": 8}));
    assert_eq!(other["status"], "waiting");
    let data = json!({"run": "r", "name": "paid", "key": 7, "data": {"sum": 5}, "actor": "bank"});
    let taken = scene.ok("run.signal", data);
    assert_eq!(taken["status"], "running");
    let history = scene.ok("run.history", json!({"run": "r"}));
    let events = history["events"].as_array().unwrap();
    let event = events.iter().find(|it| it["commit"] == taken["commit"]).unwrap();
    assert_eq!((&event["actor"], &event["subject"]), (&json!("bank"), &json!("paid comes")));
    assert_eq!(scene.get("r")["data"], json!({"order": 7, "sum": 5}));
    let task = scene.claim_one();
    scene.complete(&task, json!({}));
    scene.refused("conflict", "run.signal", json!({"run": "r", "name": "paid"}));
    scene.refused("conflict", "run.cancel", json!({"run": "r"}));
    until("its refs follow", SOON, || {
        scene.git(&["for-each-ref", "--format=%(refname)", "refs/workflow"])
            == super::execution("r")
    });
}
