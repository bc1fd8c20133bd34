//! Tasks are sent to workers as they come, as many as they have credits for.

use serde_json::{Value, json};

use super::{Scene, held};

const DEFINITION: &str = "\
process_name: p
steps:
  - {step_id: a, next: b}
  - {step_id: b}
";

fn subscribe(scene: &mut Scene, id: Value, more: Value) {
    let mut request = scene.request("task.subscribe", json!({"worker": "w"}));
    request["id"] = id;
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    scene.daemon.send(request);
}

/// The next event, whatever replies come before it.
fn event(scene: &mut Scene) -> Value {
    loop {
        let frame = scene.daemon.receive();
        if frame["event"] == "tasks" {
            return frame;
        }
    }
}

/// The reply to a request, with the events that came before it.
fn reply(scene: &mut Scene, request: Value) -> (Value, Vec<Value>) {
    let id = request["id"].clone();
    scene.daemon.send(request);
    let mut events = Vec::new();
    loop {
        let frame = scene.daemon.receive();
        match frame["event"] {
            Value::Null if frame["id"] == id => return (frame, events),
            _ => events.push(frame),
        }
    }
}

fn named(events: &[Value]) -> Vec<String> {
    let tasks = events.iter().flat_map(|it| it["tasks"].as_array().unwrap());
    tasks.map(|it| format!("{}/{}", it["run"], it["step"]).replace('"', "")).collect()
}

fn start(scene: &mut Scene, run: &str) -> Vec<Value> {
    let mut request = scene.request("run.start", json!({"run": run, "files": ["p.yaml"]}));
    request["id"] = json!(format!("start {run}"));
    let (reply, events) = reply(scene, request);
    assert!(reply["ok"].is_object(), "{reply}");
    events
}

#[test]
fn a_worker_is_sent_as_many_tasks_as_it_has_credits_for() {
    let mut scene = Scene::of(DEFINITION);
    subscribe(&mut scene, json!("s"), json!({"credits": 2}));
    let mut events = Vec::new();
    for run in ["r1", "r2", "r3"] {
        events.extend(start(&mut scene, run));
    }
    while named(&events).len() < 2 {
        events.push(event(&mut scene));
    }
    let mut told = named(&events);
    told.sort();
    assert_eq!(told, ["r1/a", "r2/a"]);
    for (at, it) in events.iter().enumerate() {
        assert_eq!((&it["request"], &it["op"]), (&json!("s"), &json!("task.subscribe")));
        assert_eq!((&it["seq"], &it["dropped"]), (&json!(at + 1), &json!(0)));
    }
    // What is sent is held, as what is claimed is.
    let task = events[0]["tasks"][0].clone();
    let mut complete = scene.request("task.complete", held(&task, json!({})));
    complete["id"] = json!("c");
    let (completed, more) = reply(&mut scene, complete);
    assert!(completed["ok"].is_object() && more.is_empty(), "{completed} {more:?}");
    let mut credit = json!({"op": "task.credit", "request": "s", "credits": 2, "id": "k"});
    let (credited, mut more) = reply(&mut scene, credit.clone());
    assert_eq!(credited["ok"], true);
    while named(&more).len() < 2 {
        more.push(event(&mut scene));
    }
    let mut told = named(&more);
    told.sort();
    assert_eq!(told, ["r1/b", "r3/a"]);
    // Until it is cancelled.
    let cancel = json!({"op": "cancel", "request": "s", "id": "x"});
    scene.daemon.send(cancel);
    let mut ended: Vec<Value> = (0..2).map(|_| scene.daemon.receive()).collect();
    ended.sort_by_key(|it| it["id"].to_string());
    assert_eq!((&ended[0]["id"], &ended[0]["code"]), (&json!("s"), &json!("cancelled")));
    assert_eq!(ended[1]["ok"], true);
    credit["id"] = json!("k2");
    assert_eq!(reply(&mut scene, credit).0["ok"], false);
    assert!(start(&mut scene, "r4").is_empty(), "nobody waits for it");
}

#[test]
fn workers_that_are_sent_tasks_and_those_that_claim_get_each_task_once() {
    let mut scene = Scene::of(DEFINITION);
    for worker in ["v", "w"] {
        subscribe(&mut scene, json!(worker), json!({"worker": worker, "credits": 1000}));
    }
    let mut events = Vec::new();
    for at in 0..40 {
        events.extend(start(&mut scene, &format!("r{at}")));
    }
    let mut done = 0;
    let mut seen = std::collections::BTreeSet::new();
    while done < 80 {
        let next = if events.is_empty() { event(&mut scene) } else { events.remove(0) };
        for task in next["tasks"].as_array().unwrap() {
            assert!(seen.insert(task["token"].to_string()), "{task}");
            let mut complete = scene.request("task.complete", held(task, json!({})));
            complete["id"] = json!(format!("c{done}"));
            let (reply, more) = reply(&mut scene, complete);
            assert!(reply["ok"].is_object(), "{reply}");
            events.extend(more);
            done += 1;
        }
    }
    let mut list = scene.request("run.list", json!({"status": "done"}));
    list["id"] = json!("list");
    let (listed, _) = reply(&mut scene, list);
    assert_eq!(listed["ok"]["runs"].as_array().unwrap().len(), 40);
}

#[test]
fn what_cannot_be_sent_is_refused_and_nothing_is_held_by_who_is_gone() {
    let mut scene = Scene::of(DEFINITION);
    scene.refused("bad_request", "task.subscribe", json!({"worker": "w"}));
    let wrong = [
        (json!({"credits": 0}), "credits"),
        (json!({"credits": 1001}), "credits"),
        (json!({"lease_ms": 0}), "lease_ms"),
        (json!({"worker": ""}), "worker"),
        (json!({"wait_ms": 1}), "wait_ms"),
    ];
    for (more, field) in wrong {
        subscribe(&mut scene, json!(1), more);
        let refused = scene.daemon.receive();
        assert_eq!((&refused["code"], &refused["field"]), (&json!("bad_request"), &json!(field)));
    }
    let batch = json!([{"op": "task.credit", "request": "s", "credits": 1}]);
    let refused = scene.daemon.ok(json!({"op": "batch", "requests": batch}));
    assert_eq!(refused[0]["code"], "bad_request");
    assert_eq!(
        scene.daemon.ok(json!({"op": "task.credit", "request": "nobody", "credits": 1})),
        false
    );
    subscribe(&mut scene, json!(2), json!({"lease_ms": 200}));
    start(&mut scene, "r");
    // Whoever was sent it says nothing: it is the next one's.
    let request = scene.request("task.claim", json!({"worker": "next", "wait_ms": 60_000}));
    let mut request = request;
    request["id"] = json!("claim");
    let (claimed, _) = reply(&mut scene, request);
    assert_eq!(claimed["ok"]["tasks"][0]["step"], "a");
    scene.daemon.close_input();
}

#[test]
fn nothing_of_a_suspended_run_is_sent_until_it_goes_on() {
    let mut scene = Scene::of(DEFINITION);
    start(&mut scene, "r");
    let mut suspend = scene.request("run.suspend", json!({"run": "r"}));
    suspend["id"] = json!("suspend");
    assert!(reply(&mut scene, suspend).0["ok"].is_object());
    subscribe(&mut scene, json!("s"), json!({}));
    let mut list = scene.request("task.list", json!({}));
    list["id"] = json!("list");
    let (listed, events) = reply(&mut scene, list);
    assert_eq!((&listed["ok"]["tasks"], events.len()), (&json!([]), 0));
    let mut resume = scene.request("run.resume", json!({"run": "r"}));
    resume["id"] = json!("resume");
    let (_, mut events) = reply(&mut scene, resume);
    if events.is_empty() {
        events.push(event(&mut scene));
    }
    assert_eq!(named(&events), ["r/a"]);
}
