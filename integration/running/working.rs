//! Tasks are given to who may do them, and what is done counts once.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Scene, held, steps};

#[test]
fn a_completion_that_is_late_or_double_or_of_somebody_else_changes_nothing() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, transitions: [{on: ok, next_step: b}]}
  - {step_id: b}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    let before = scene.get("r");
    let wrong = [
        json!({"task": task["task"], "token": "0".repeat(40)}),
        json!({"task": task["task"], "token": task["token"], "worker": "another"}),
        json!({"task": "r/99", "token": task["token"]}),
    ];
    for it in wrong {
        for op in ["task.complete", "task.release", "task.heartbeat"] {
            let refused = scene.refused("conflict", op, it.clone());
            assert!(refused["actual"].is_string(), "{refused}");
        }
        let mut failing = it;
        failing["message"] = json!("no");
        scene.refused("conflict", "task.fail", failing);
    }
    scene.refused("invalid", "task.complete", held(&task, json!({"outcome": "failed-not"})));
    assert_eq!(scene.get("r"), before, "nothing has changed");
    scene.complete(&task, json!({"data": {"n": 1}, "worker": "w"}));
    let after = scene.get("r");
    scene.refused("conflict", "task.complete", held(&task, json!({"data": {"n": 2}})));
    assert_eq!(scene.get("r"), after);
    assert_eq!(after["data"], json!({"n": 1}));
    // The next task of the run has another token.
    let next = scene.claim_one();
    scene.refused(
        "conflict",
        "task.complete",
        json!({"task": next["task"], "token": task["token"]}),
    );
    scene.complete(&next, json!({}));
    scene.refused("conflict", "task.complete", held(&next, json!({})));
    scene.refused("not_found", "task.complete", json!({"task": "s/1", "token": task["token"]}));
    scene.is_sound();
}

#[test]
fn a_lease_that_is_over_gives_the_task_to_the_next_and_nothing_to_who_had_it() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a}]\n");
    scene.start("r", json!({}));
    let stalled = scene.claim(json!({"worker": "stalled", "lease_ms": 50}));
    assert!(scene.claim(json!({})).is_empty(), "it is held");
    let next = scene.claim(json!({"worker": "next", "wait_ms": 10_000}));
    assert_eq!(next[0]["task"], stalled[0]["task"]);
    assert_ne!(next[0]["token"], stalled[0]["token"]);
    scene.refused("conflict", "task.heartbeat", held(&stalled[0], json!({})));
    scene.refused(
        "conflict",
        "task.complete",
        held(&stalled[0], json!({"data": {"by": "stalled"}})),
    );
    scene.complete(&next[0], json!({"data": {"by": "next"}}));
    let run = scene.get("r");
    assert_eq!((&run["status"], &run["data"]), (&json!("done"), &json!({"by": "next"})));
}

#[test]
fn who_had_an_earlier_attempt_or_another_round_changes_nothing_with_it() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, retry: {attempts: 3}, repeat: {until: \"n > 1\"}}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({"input": {"n": 0}}));
    let mut earlier: Vec<Value> = Vec::new();
    let expect_refused = |scene: &mut Scene, earlier: &[Value]| {
        let before = scene.get("r");
        for task in earlier {
            for op in ["task.complete", "task.release", "task.heartbeat"] {
                scene.refused("conflict", op, held(task, json!({})));
            }
            scene.refused("conflict", "task.fail", held(task, json!({"message": "again"})));
            // Nobody is asked which attempt it is: the token says it.
            let lie = held(task, json!({"attempt": 2}));
            let refused = scene.refused("bad_request", "task.complete", lie);
            assert_eq!(refused["field"], "attempt");
        }
        assert_eq!(scene.get("r"), before);
    };
    for n in 1..=2 {
        for attempt in 1..=3 {
            let worker = format!("w{n}{attempt}");
            let task = scene.claim(json!({"worker": worker, "wait_ms": 10_000}))[0].clone();
            assert_eq!((&task["attempt"], &task["round"]), (&json!(attempt), &json!(n)));
            expect_refused(&mut scene, &earlier);
            match attempt {
                3 => drop(scene.complete(&task, json!({"data": {"n": n}}))),
                _ => drop(scene.ok("task.fail", held(&task, json!({"message": "no"})))),
            }
            earlier.push(task);
        }
    }
    let run = scene.get("r");
    assert_eq!((&run["status"], &run["data"]), (&json!("done"), &json!({"n": 2})));
    // Each attempt is told with who really had it.
    let receipts = scene.ok("receipt.list", json!({"run": "r"}))["receipts"].clone();
    let told: Vec<String> = receipts
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{}{}", it["worker"].as_str().unwrap(), it["attempt"]))
        .collect();
    assert_eq!(told, ["w111", "w122", "w133", "w211", "w222", "w233"]);
    assert_eq!(scene.ok("run.verify", json!({"run": "r"}))["ok"], true);
    scene.is_sound();
}

#[test]
fn a_heartbeat_keeps_a_lease() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a}]\n");
    scene.start("r", json!({}));
    let task = scene.claim(json!({"lease_ms": 300}))[0].clone();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(900) {
        let kept = scene.ok("task.heartbeat", held(&task, json!({})));
        assert_eq!(kept["lease_ms"], 300);
        sleep(Duration::from_millis(20));
    }
    let kept = scene.ok("task.heartbeat", held(&task, json!({"lease_ms": 60_000})));
    assert_eq!(kept["lease_ms"], 60_000);
    scene.complete(&task, json!({}));
}

#[test]
fn what_is_released_is_the_next_ones_at_once() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a}]\n");
    scene.start("r", json!({}));
    let task = scene.claim_one();
    scene.ok("task.release", held(&task, json!({})));
    scene.refused("conflict", "task.complete", held(&task, json!({})));
    let again = scene.claim_one();
    assert_eq!((&again["task"], &again["attempt"]), (&task["task"], &json!(1)));
}

const MANY: &str = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [a, b, c, d, e]}
  - {step_id: a, priority: 5}
  - {step_id: b, step_type: build}
  - {step_id: c, queue: far}
  - {step_id: d, assignee: ann}
  - {step_id: e, roles: [boss, clerk]}
";

#[test]
fn tasks_go_by_queue_type_priority_assignee_and_role() {
    let mut scene = Scene::of(MANY);
    scene.start("r", json!({}));
    let first = scene.claim_one();
    scene.complete(&first, json!({}));
    let listed = scene.ok("task.list", json!({"run": "r"}));
    assert_eq!(steps(listed["tasks"].as_array().unwrap()), ["a", "b", "c", "d", "e"]);
    let listed = scene.ok("task.list", json!({"queue": "far"}));
    assert_eq!(steps(listed["tasks"].as_array().unwrap()), ["c"]);
    let listed = scene.ok("task.list", json!({"run": "r"}));
    let of_ann = listed["tasks"][3]["task"].clone();
    let denied = scene.refused("denied", "task.claim", json!({"worker": "w", "task": of_ann}));
    assert!(denied["rule"].is_string(), "{denied}");
    assert_eq!(steps(&scene.claim(json!({"types": ["build"], "max": 9}))), ["b"]);
    assert_eq!(steps(&scene.claim(json!({"queue": "far", "max": 9}))), ["c"]);
    assert_eq!(steps(&scene.claim(json!({"max": 9}))), ["a"], "the others are not for `w`");
    assert_eq!(steps(&scene.claim(json!({"worker": "ann", "max": 9}))), ["d"]);
    assert_eq!(steps(&scene.claim(json!({"roles": ["clerk"], "max": 9}))), ["e"]);
    let listed = scene.ok("task.list", json!({"worker": "ann"}));
    assert_eq!(steps(listed["tasks"].as_array().unwrap()), ["d"]);
    assert!(listed["tasks"][0].get("token").is_none(), "tokens are for those who hold them");
}

#[test]
fn each_run_has_its_turn() {
    let each = "process_name: p\nsteps: [{step_id: a, each: {count: 20}}]\n";
    let mut scene = Scene::of(each);
    scene.start("large", json!({}));
    scene.start("other", json!({}));
    let tasks = scene.claim(json!({"max": 6}));
    let of = |run: &str| tasks.iter().filter(|it| it["run"] == *run).count();
    assert_eq!((of("large"), of("other")), (3, 3), "{tasks:?}");
    let all = scene.claim(json!({"max": 1000}));
    assert_eq!(all.len(), 34);
    assert!(scene.claim(json!({})).is_empty());
}

#[test]
fn what_fails_is_tried_again_as_the_process_says_and_then_fails() {
    let definition = "\
process_name: p
steps:
  - step_id: a
    retry: [{errors: [busy], attempts: 3, wait: 50ms, factor: 1}]
    transitions: [{on: failed, next_step: mend}, {next_step: b}]
  - {step_id: b}
  - {step_id: mend}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    for attempt in 1..=3 {
        let task = scene.claim(json!({"wait_ms": 10_000}))[0].clone();
        assert_eq!((&task["step"], &task["attempt"]), (&json!("a"), &json!(attempt)));
        let why = json!({"type": "busy", "message": "in a moment"});
        scene.ok("task.fail", held(&task, why));
    }
    assert_eq!(scene.claim_one()["step"], "mend");

    scene.start("hopeless", json!({}));
    let task = scene.claim_one();
    let why = json!({"type": "busy", "message": "never", "retry": false});
    scene.ok("task.fail", held(&task, why));
    assert_eq!(scene.claim_one()["step"], "mend");
}

#[test]
fn who_waits_is_given_what_comes_and_an_empty_list_in_the_end() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, next: b}, {step_id: b}]\n");
    let began = Instant::now();
    assert!(scene.claim(json!({"wait_ms": 100})).is_empty());
    assert!(Duration::from_millis(100) <= began.elapsed());
    let waiting = scene.request("task.claim", json!({"worker": "w", "wait_ms": 30_000, "id": 1}));
    scene.daemon.send(waiting.clone());
    // Others go on meanwhile.
    scene.daemon.ok(json!({"op": "ping"}));
    let start = scene.request("run.start", json!({"run": "r", "files": ["p.yaml"], "id": 2}));
    scene.daemon.send(start);
    let replies = scene.daemon.receive_many(2);
    let given = |replies: &[Value]| {
        let claimed = replies.iter().find(|it| it["id"] == 1).unwrap();
        claimed["ok"]["tasks"][0].clone()
    };
    let task = given(&replies);
    assert_eq!(task["step"], "a");
    // The task that a completion makes is in the same commit of the disk as the completion.
    scene.daemon.send(waiting);
    let mut complete = scene.request("task.complete", held(&task, json!({})));
    complete["id"] = json!(3);
    scene.daemon.send(complete);
    let task = given(&scene.daemon.receive_many(2));
    assert_eq!(task["step"], "b");
    // One that is cancelled waits no longer.
    let waiting = scene.request("task.claim", json!({"worker": "w", "wait_ms": 30_000, "id": 4}));
    scene.daemon.send(waiting);
    scene.daemon.send(json!({"op": "cancel", "request": 4, "id": 5}));
    let replies = scene.daemon.receive_many(2);
    assert!(replies.iter().any(|it| it["code"] == "cancelled"), "{replies:?}");
    let began = Instant::now();
    let waiting = scene.request(
        "task.claim",
        json!({"worker": "w", "wait_ms": 30_000, "id": 6, "timeout_ms": 50}),
    );
    let reply = scene.daemon.call(waiting);
    assert_eq!(reply["code"], "timeout");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn who_begins_to_wait_together_with_what_it_waits_for_is_given_it() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a}]\n");
    for round in 0..20 {
        let claim = json!({"worker": "w", "wait_ms": 40_000, "id": 1});
        let start = json!({"run": format!("r{round}"), "files": ["p.yaml"], "id": 2});
        let frames = [scene.request("task.claim", claim), scene.request("run.start", start)];
        let bytes = frames.map(|it| crate::daemon::request_frame(&it)).concat();
        scene.daemon.send_bytes(&bytes);
        let replies = scene.daemon.receive_many(2);
        let claimed = replies.iter().find(|it| it["id"] == 1).unwrap();
        let task = &claimed["ok"]["tasks"][0];
        assert_eq!(task["run"], format!("r{round}"), "{claimed}");
        scene.complete(task, json!({}));
    }
}

#[test]
fn who_waits_does_not_keep_a_daemon_from_its_end() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a}]\n");
    for is_asked in [false, true] {
        let claim = json!({"worker": "w", "wait_ms": 86_400_000, "id": 1});
        let waiting = scene.request("task.claim", claim);
        scene.daemon.send(waiting);
        scene.daemon.ok(json!({"op": "ping"}));
        let mut daemon = std::mem::replace(&mut scene.daemon, crate::daemon::Daemon::start());
        if is_asked {
            daemon.send(json!({"op": "shutdown", "id": 2}));
        }
        let began = Instant::now();
        let end = daemon.end();
        let of_claim = end.frames.iter().find(|it| it["id"] == 1).unwrap();
        assert_eq!(of_claim["code"], "cancelled");
        assert!(end.status.success() && began.elapsed() < Duration::from_secs(4));
    }
}

#[test]
fn what_is_no_json_is_refused_before_it_is_anything_else() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, await: {event: e}}]\n");
    scene.start("r", json!({}));
    // NaN and bytes have no place in JSON, so the request is written by hand.
    for (value, said) in [(&b"\xcb\x7f\xf8\0\0\0\0\0\0"[..], "number"), (b"\xc4\x01\xff", "bytes")]
    {
        let path = scene.repository.path().to_owned();
        let mut payload =
            b"\x86\xa2op\xaarun.signal\xa3run\xa1r\xa4name\xa1e\xa2id\x01\xa4path".to_vec();
        payload.extend(crate::msgpack::encode(&json!(path)));
        payload.extend(b"\xa3key");
        payload.extend(value);
        scene.daemon.send_payload(&payload);
        let reply = scene.daemon.receive();
        assert_eq!((&reply["code"], &reply["field"]), (&json!("bad_request"), &json!("key")));
        assert!(reply["err"].as_str().unwrap().contains(said), "{reply}");
    }
    assert_eq!(scene.status("r"), "waiting");
}

#[test]
fn a_choice_that_is_put_off_is_made_by_who_claims_first() {
    let race = "\
process_name: p
steps:
  - {step_id: s, split: race, next: [a, b]}
  - {step_id: a}
  - {step_id: b}
";
    let mut scene = Scene::of(race);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    scene.complete(&task, json!({}));
    let tasks = scene.claim(json!({"max": 9}));
    assert_eq!(tasks.len(), 1, "one of them: {tasks:?}");
    assert_eq!(scene.complete(&tasks[0], json!({}))["status"], "done");
}

#[test]
fn a_step_that_ends_a_run_is_nobodys_task() {
    let definition = "\
process_name: p
steps:
  - {step_id: a, next: z}
  - {step_id: z, step_type: final_commit, final_status: shipped}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    assert_eq!(scene.complete(&task, json!({}))["status"], "done");
    assert_eq!(scene.get("r")["final_status"], "shipped");
}

#[test]
fn large_data_is_kept_whole() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, next: b}, {step_id: b}]\n");
    scene.start("r", json!({}));
    let task = scene.claim_one();
    let long = "word ".repeat(200_000);
    scene.complete(&task, json!({"data": {"long": long, "other": [1, {"a": null}]}}));
    scene.restart();
    let task = scene.claim_one();
    assert_eq!(task["data"]["long"], long);
    assert_eq!(task["data"]["other"], json!([1, {"a": null}]));
    scene.is_sound();
}
