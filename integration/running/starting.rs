//! A run follows the process that it was started with, and a start may be repeated.

use serde_json::{Value, json};

use super::{Scene, execution};
use crate::repository::text;

const ORDER: &str = "\
process_name: order
process_version: 1.0.0
data: {total: 0, lines: []}
input: {type: object, properties: {total: {type: integer}}}
steps:
  - {step_id: check, next: send}
  - {step_id: send}
";

fn publish(scene: &mut Scene, version: &str) {
    let content = ORDER.replace("1.0.0", version);
    scene.ok("process.publish", json!({"content": content, "encoding": "utf8"}));
}

#[test]
fn a_start_that_is_repeated_is_answered_with_the_run_that_there_is() {
    let mut scene = Scene::of(ORDER);
    let first = scene.start("r1", json!({"input": {"total": 5}, "actor": "ann"}));
    assert_eq!(first["created"], true);
    assert_eq!((&first["process"], &first["version"]), (&json!("order"), &json!("1.0.0")));
    assert!(first["digest"].as_str().unwrap().starts_with("sha256:"), "{first}");
    let task = scene.claim_one();
    for _ in 0..2 {
        let again = scene.start("r1", json!({"input": {"total": 5}, "actor": "bob"}));
        assert_eq!((&again["created"], &again["commit"]), (&json!(false), &task["token"]));
        scene.restart();
    }
    let other = json!({"run": "r1", "files": ["p.yaml"], "input": {"total": 6}});
    let refused = scene.refused("conflict", "run.start", other.clone());
    assert_ne!(refused["expected"], refused["actual"], "{refused}");
    let mut changed = other;
    changed["input"] = json!({"total": 5});
    scene.repository.write("p.yaml", ORDER.replace("send}", "send, priority: 3}"));
    scene.repository.commit("another");
    scene.refused("conflict", "run.start", changed);
    assert_eq!(scene.ok("run.list", json!({}))["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_run_has_its_process_with_it_whatever_becomes_of_where_it_came_from() {
    let mut scene = Scene::of("process_name: other\nsteps: [{step_id: a}]\n");
    publish(&mut scene, "1.2.0");
    publish(&mut scene, "1.10.0");
    publish(&mut scene, "2.0.0");
    let start =
        |run: &str, version: &str| json!({"run": run, "process": "order", "version": version});
    assert_eq!(scene.ok("run.start", start("r1", "^1.0"))["version"], "1.10.0");
    assert_eq!(scene.ok("run.start", start("r2", "1.2.0"))["version"], "1.2.0");
    assert_eq!(scene.ok("run.start", start("r3", "latest"))["version"], "2.0.0");
    // A range that the run is in is no other one, also when something newer is there.
    publish(&mut scene, "1.11.0");
    let again = scene.ok("run.start", start("r1", "^1.0"));
    assert_eq!((&again["version"], &again["created"]), (&json!("1.10.0"), &json!(false)));
    scene.refused("conflict", "run.start", start("r1", "^2"));
    let missing = scene.refused("not_found", "run.start", start("r4", "3.0.0"));
    assert!(missing["err"].as_str().unwrap().contains("2.0.0"), "{missing}");

    let tags = scene.git(&["tag", "--list", "process/*"]);
    tags.lines().for_each(|tag| drop(scene.git(&["tag", "-d", tag])));
    scene.restart();
    let task = scene.claim(json!({"max": 3}));
    assert_eq!(task.len(), 3, "they go on without a store");
    let shown = scene.git(&["show", &format!("{}:process/order_v1.10.0.yaml", execution("r1"))]);
    assert_eq!(shown.trim(), ORDER.replace("1.0.0", "1.10.0").trim());
    let begun = scene.git(&[
        "log",
        "--reverse",
        "--format=%(trailers:key=Digest,valueonly)",
        &execution("r1"),
    ]);
    assert!(begun.starts_with("sha256:"), "{begun}");
}

#[test]
fn processes_that_are_called_come_along_from_a_folder_as_well() {
    let mut scene = Scene::of(ORDER);
    let folder = tempfile::tempdir().unwrap();
    let store = json!({"folder": text(&folder.path().join("store"))});
    let caller =
        "process_name: outer\nprocess_version: 1.0.0\nsteps: [{step_id: a, call: order}]\n";
    for content in [ORDER, caller] {
        let arguments = json!({"op": "process.publish", "store": store, "content": content, "encoding": "utf8"});
        scene.daemon.ok(arguments);
    }
    scene.ok("run.start", json!({"run": "r1", "process": "outer", "store": store}));
    drop(folder);
    scene.restart();
    let task = scene.claim_one();
    assert_eq!(task["step"], "a/check");
    scene.complete(&task, json!({}));
    let task = scene.claim_one();
    let done = scene.complete(&task, json!({}));
    assert_eq!(done["status"], "done");
    scene.is_sound();
}

#[test]
fn data_is_taken_as_deep_as_every_reply_can_have_it() {
    let mut scene = Scene::of(ORDER);
    let deep = |depth: usize| (1..depth).fold(json!({}), |it, _| json!({"a": it}));
    let begin = |depth: usize| json!({"run": "deep", "files": ["p.yaml"], "input": deep(depth)});
    for depth in [49, 60] {
        let refused = scene.refused("too_large", "run.start", begin(depth));
        assert!(refused["err"].as_str().unwrap().contains("48 deep"), "{refused}");
    }
    scene.ok("run.start", begin(48));
    let task = scene.claim_one();
    let shown = scene.get("deep");
    assert_eq!((&shown["data"]["a"], &task["data"]["a"]), (&deep(48)["a"], &deep(48)["a"]));
}

#[test]
fn what_a_definition_does_not_take_is_no_run() {
    let mut scene = Scene::of(ORDER);
    let draft = |name: &str| json!({"file": "p.yaml", "content": format!("process_name: {name}\nsteps: [{{step_id: a}}]\n")});
    let twice = json!({"run": "r1", "encoding": "utf8", "drafts": [draft("p"), draft("q")]});
    let refused = scene.refused("bad_request", "run.start", twice);
    assert_eq!(refused["field"], "drafts", "{refused}");
    let wrong = json!({"run": "r1", "files": ["p.yaml"], "input": {"total": "five"}});
    let refused = scene.refused("invalid", "run.start", wrong);
    assert!(refused["err"].as_str().unwrap().contains("total"), "{refused}");
    scene.refused("not_found", "run.get", json!({"run": "r1"}));
    assert_eq!(scene.git(&["for-each-ref", "refs/workflow"]), "");
    // The id is still free.
    assert_eq!(scene.start("r1", json!({}))["created"], true);
}

#[test]
fn what_is_called_by_more_than_may_be_published_is_no_run() {
    let mut scene = Scene::of(ORDER);
    let called = "process_name: order\nsteps: [{step_id: a, call: CALLED}]\n";
    let of = |name: &str| ORDER.replace("process_name: order", &format!("process_name: {name}"));
    for (length, is_fine) in [(100, true), (101, false)] {
        let name = "x".repeat(length);
        let alone = vec![of(&name)];
        let below = vec![called.replace("CALLED", &name), of(&name)];
        for (at, texts) in [alone, below].iter().enumerate() {
            let file = |(no, text): (usize, &String)| json!({"file": format!("{no}.yaml"), "content": text});
            let drafts: Vec<Value> = texts.iter().enumerate().map(file).collect();
            let run = format!("r{length}-{at}");
            let wanted = json!({"run": run, "drafts": drafts, "encoding": "utf8"});
            if is_fine {
                scene.ok("run.start", wanted);
                continue;
            }
            let refused = scene.refused("invalid", "run.start", wanted);
            assert!(refused["err"].as_str().unwrap().contains("100 bytes"), "{refused}");
            scene.refused("not_found", "run.get", json!({"run": run}));
        }
    }
}

#[test]
fn runs_are_found_by_what_is_said_of_them() {
    let mut scene = Scene::of(ORDER);
    for (run, customer, actor) in [("a", "acme", "ann"), ("b", "acme", "bob"), ("c", "zet", "ann")]
    {
        let attributes = json!({"customer": customer});
        scene.start(run, json!({"attributes": attributes, "actor": actor}));
    }
    let first = scene.claim(json!({"task": "a/3"}));
    scene.complete(&first[0], json!({}));
    scene.ok("run.cancel", json!({"run": "c"}));
    for _ in 0..2 {
        let mut found = |query: Value| {
            let listed = scene.ok("run.list", query);
            let runs = listed["runs"].as_array().unwrap().clone();
            runs.iter().map(|it| it["run"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found(json!({})), "a b c");
        assert_eq!(found(json!({"limit": 2})), "a b");
        assert_eq!(found(json!({"after": "b"})), "c");
        assert_eq!(found(json!({"attributes": {"customer": "acme"}})), "a b");
        assert_eq!(found(json!({"actor": "ann"})), "a c");
        assert_eq!(found(json!({"actor": "ann", "attributes": {"customer": "acme"}})), "a");
        assert_eq!(found(json!({"status": "cancelled"})), "c");
        assert_eq!(found(json!({"status": "running"})), "a b");
        assert_eq!(found(json!({"step": "check"})), "b");
        assert_eq!(found(json!({"process": "order", "version": "1.0.0"})), "a b c");
        assert_eq!(found(json!({"process": "other"})), "");
        assert_eq!(found(json!({"until_ms": 1})), "");
        scene.restart();
    }
}

#[test]
fn runs_are_found_by_how_they_stand_by_their_version_and_by_when_they_began() {
    let definitions = "\
process_name: waits
steps: [{step_id: a, await: go}]
---
process_name: sticks
steps:
  - {step_id: a, split: all, next: [b, c]}
  - {step_id: b, transitions: [{on: go, next_step: z}, {on: drop, next_step: x}]}
  - {step_id: c, next: z}
  - {step_id: x, step_type: route}
  - {step_id: z, join: all}
---
process_name: fails
process_version: 2.0.0
steps: [{step_id: a, step_type: route, end: failed}]
";
    let mut scene = Scene::of(definitions);
    scene.repository.write("order.yaml", ORDER);
    scene.repository.commit("another process");
    for run in ["waits", "sticks", "fails", "order"] {
        let file = if run == "order" { "order.yaml" } else { "p.yaml" };
        scene.ok("run.start", json!({"run": run, "process": run, "files": [file]}));
    }
    let task = scene.claim(json!({"types": [""], "task": "sticks/3"}))[0].clone();
    scene.complete(&task, json!({}));
    for task in scene.claim(json!({"max": 9})) {
        let outcome = match task["step"].as_str().unwrap() {
            "b" => "drop",
            "c" => "ok",
            _ => continue,
        };
        scene.complete(&task, json!({"outcome": outcome}));
    }
    for _ in 0..2 {
        let listed = scene.ok("run.list", json!({}));
        let all = listed["runs"].as_array().unwrap().clone();
        let mut found = |query: Value| {
            let listed = scene.ok("run.list", query);
            let runs = listed["runs"].as_array().unwrap().clone();
            runs.iter().map(|it| it["run"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found(json!({"status": "waiting"})), "waits");
        assert_eq!(found(json!({"status": "stuck"})), "sticks");
        assert_eq!(found(json!({"status": "failed"})), "fails");
        assert_eq!(found(json!({"status": "running"})), "order");
        assert_eq!(found(json!({"status": "done"})), "");
        assert_eq!(found(json!({"version": "1.0.0"})), "order");
        assert_eq!(found(json!({"version": "2.0.0"})), "fails");
        assert_eq!(found(json!({"version": "3.0.0"})), "");
        assert_eq!(found(json!({"process": "order", "version": "2.0.0"})), "");
        for it in &all {
            let began_ms = it["began_ms"].as_i64().unwrap();
            let since = |it: &&Value| began_ms <= it["began_ms"].as_i64().unwrap();
            let (later, earlier): (Vec<&Value>, Vec<&Value>) = all.iter().partition(since);
            let names = |runs: Vec<&Value>| {
                runs.iter().map(|it| it["run"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(found(json!({"since_ms": began_ms})), names(later));
            assert_eq!(found(json!({"until_ms": began_ms})), names(earlier));
            let one =
                json!({"since_ms": began_ms, "until_ms": began_ms + 1, "process": it["process"]});
            assert_eq!(found(one), it["run"].as_str().unwrap());
        }
        let last = all.iter().map(|it| it["began_ms"].as_i64().unwrap()).max().unwrap();
        assert_eq!(found(json!({"since_ms": last + 1})), "");
        scene.restart();
    }
}
