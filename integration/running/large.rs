//! Large data, many signals and long runs are borne, or refused with the limit.
//!
//! With `GITPORT_LARGE=all` as much as there may be, else enough to see that it works.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Scene, held};
use crate::{daemon::Daemon, durability::disk::noise, processes::resident_bytes_max};

const PAID: &str = "\
process_name: p
steps:
  - {step_id: a, next: b}
  - {step_id: b, await: paid, next: c}
  - {step_id: c}
";

/// How many events a run keeps that nobody waits for yet.
const KEPT_MAX: usize = 10_000;

fn is_all() -> bool {
    std::env::var("GITPORT_LARGE").is_ok_and(|it| it == "all")
}

fn expect_verified(scene: &mut Scene, run: &str) {
    let mut request = scene.request("run.verify", json!({"run": run}));
    request["id"] = json!("verify");
    scene.daemon.send(request);
    // However long it takes, others are answered meanwhile.
    let verified = loop {
        scene.daemon.send(json!({"op": "ping", "id": "ping"}));
        let reply = scene.daemon.receive();
        if reply["id"] == "verify" {
            break reply;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(verified["ok"]["ok"], true, "{verified}");
    scene.daemon.receive();
}

/// Sends all of them at once, and again what is told to come back; each of them has to succeed.
fn ask_all(scene: &mut Scene, requests: Vec<Value>) -> Vec<Value> {
    let mut left: BTreeMap<usize, Value> = requests.into_iter().enumerate().collect();
    let mut done = BTreeMap::new();
    while !left.is_empty() {
        for (id, request) in &left {
            let mut request = request.clone();
            request["id"] = json!(id);
            scene.daemon.send(request);
        }
        for reply in scene.daemon.receive_many(left.len()) {
            let id = reply["id"].as_u64().unwrap() as usize;
            match reply.get("ok") {
                Some(value) => {
                    left.remove(&id);
                    done.insert(id, value.clone());
                }
                None => assert_eq!(reply["code"], "busy", "{reply}"),
            }
        }
    }
    done.into_values().collect()
}

#[test]
fn data_of_many_mebibytes_is_taken_wherever_there_is_data() {
    let bytes = if is_all() { 50 << 20 } else { 2 << 20 };
    let mut scene = Scene::of(PAID);
    let limit = (bytes + (1 << 20)).to_string();
    scene.restart_with(&["--request-bytes-max", &limit]);
    // Half of it can be made smaller, and half cannot.
    let long = |seed: u64| noise(bytes / 2, seed) + &"word ".repeat(bytes / 10);
    let [first, second, third] = [1, 2, 3].map(long);
    scene.start("r", json!({"input": {"first": first}}));
    let task = scene.claim_one();
    assert_eq!(task["data"]["first"], *first);
    scene.complete(&task, json!({"data": {"second": second}}));
    scene.ok("run.signal", json!({"run": "r", "name": "paid", "data": {"third": third}}));
    let data = scene.get("r")["data"].clone();
    assert_eq!(data, json!({"first": first, "second": second, "third": third}));
    let most = resident_bytes_max(scene.daemon.id());
    assert!(most < 20 * bytes as u64 + (200 << 20), "{} MiB", most >> 20);
    scene.restart();
    let task = scene.claim_one();
    scene.complete(&task, json!({"data": {"first": 1, "second": null}}));
    assert_eq!(scene.get("r")["data"], json!({"first": 1, "third": third}));
    expect_verified(&mut scene, "r");
    scene.is_sound();
}

#[test]
fn data_beyond_the_limit_of_requests_is_refused_with_the_limit_and_nothing_is_lost() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, next: b}, {step_id: b}]\n");
    scene.start("r", json!({}));
    let task = scene.claim_one();
    let before = scene.get("r");
    scene.daemon.send_bytes(&(50_u32 << 20).to_be_bytes());
    let told = scene.daemon.receive();
    assert_eq!((&told["code"], &told["limit"]), (&json!("too_large"), &json!(16 << 20)));
    assert_eq!(told["bytes"], 50 << 20);
    // What comes behind it cannot be told from it: the next daemon goes on.
    assert!(!scene.daemon.exit().success());
    scene.daemon = Daemon::start();
    assert_eq!(scene.get("r")["commit"], before["commit"]);
    let next = scene.complete(&task, json!({}));
    assert_eq!(next["status"], "running", "who was at it may end it");
    expect_verified(&mut scene, "r");
}

#[test]
fn signals_that_come_together_are_each_taken_once_by_one_run() {
    let count = if is_all() { KEPT_MAX } else { 300 };
    let mut scene = Scene::of(PAID);
    scene.start("r", json!({}));
    let signal = |n: usize| json!({"run": "r", "name": "paid", "data": {"n": n}});
    let signals = (0..count).map(|n| scene.request("run.signal", signal(n))).collect();
    let taken = ask_all(&mut scene, signals);
    let commits: BTreeSet<&str> = taken.iter().map(|it| it["commit"].as_str().unwrap()).collect();
    assert_eq!(commits.len(), count, "each has a commit of its own");
    if is_all() {
        let refused = scene.refused("too_large", "run.signal", signal(count));
        assert!(refused["err"].as_str().unwrap().contains(&KEPT_MAX.to_string()), "{refused}");
    }
    let task = scene.claim_one();
    scene.complete(&task, json!({}));
    let n = scene.get("r")["data"]["n"].as_u64().unwrap();
    assert!(n < count as u64, "the first to come was kept for it");
    expect_verified(&mut scene, "r");
    let task = scene.claim_one();
    assert_eq!(scene.complete(&task, json!({}))["status"], "done");
    expect_verified(&mut scene, "r");
    scene.restart();
    let all = scene.git(&["rev-list", "--count", &super::execution("r")]);
    assert!(count <= all.parse().unwrap(), "all of them come before its end");
    scene.is_sound();
}

#[test]
fn signals_that_come_together_are_each_taken_once_by_many_runs() {
    let (runs, each) = if is_all() { (500, 20) } else { (20, 10) };
    let definition = format!(
        "process_name: p\ndata: {{left: {each}}}\nsteps:\n  - {{step_id: a, \
         each: {{count: {each}}}, await: paid}}\n"
    );
    let mut scene = Scene::of(&definition);
    let start = |run: usize| json!({"run": format!("r{run}"), "files": ["p.yaml"]});
    let starts = (0..runs).map(|run| scene.request("run.start", start(run))).collect();
    ask_all(&mut scene, starts);
    let signal = |n: usize| json!({"run": format!("r{}", n % runs), "name": "paid"});
    let signals = (0..runs * each).map(|n| scene.request("run.signal", signal(n))).collect();
    ask_all(&mut scene, signals);
    let listed = scene.ok("run.list", json!({"status": "done", "limit": 10_000}));
    assert_eq!(listed["runs"].as_array().unwrap().len(), runs);
    expect_verified(&mut scene, "r0");
    scene.is_sound();
}

#[test]
fn many_runs_are_worked_at_while_most_of_them_are_not_read_yet() {
    let count = if is_all() { 10_000 } else { 1500 };
    let mut scene = Scene::of(PAID);
    let name = |number: usize| format!("r{number:05}");
    let start = |it| json!({"run": name(it), "files": ["p.yaml"]});
    let requests = (0..count).map(|it| scene.request("run.start", start(it))).collect();
    ask_all(&mut scene, requests);
    let last = name(count - 1);
    let held_before = scene.ok("task.list", json!({"run": last}))["tasks"][0]["task"].clone();
    let held_before = scene.ok("task.claim", json!({"worker": "w", "task": held_before}));
    let held_before = held_before["tasks"][0].clone();

    // What names a run is about that run, whether it was read or not.
    scene.restart();
    let task = scene.claim_one();
    scene.complete(&held_before, json!({}));
    scene.ok("run.signal", json!({"run": last, "name": "paid"}));
    assert_eq!(scene.start(&name(count - 2), json!({}))["created"], false);
    scene.complete(&task, json!({}));

    // What is about all of them is about all of them.
    scene.restart();
    let mut all = BTreeSet::new();
    let mut query = json!({"limit": 1000});
    loop {
        let page = scene.ok("run.list", query.clone());
        all.extend(page["runs"].as_array().unwrap().iter().map(|it| it["run"].to_string()));
        match page["next"].as_str() {
            Some(next) => query["after"] = json!(next),
            None => break,
        }
    }
    assert_eq!(all.len(), count);

    // Nobody is told that there is nothing while something is not read, and each is given once.
    scene.restart();
    let mut given = BTreeSet::new();
    loop {
        let tasks = scene.claim(json!({"max": 1000}));
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            assert!(given.insert(task["task"].to_string()), "{task}");
        }
    }
    // The first run waits for its event.
    assert_eq!(given.len(), count - 1);
}

#[test]
fn a_run_of_many_steps_comes_to_its_end_and_is_verified() {
    let (rounds, each) = if is_all() { (20, 5000) } else { (3, 60) };
    let definition = format!(
        "\
process_name: p
data: {{round: 0}}
steps:
  - {{step_id: a, each: {{count: {each}}}, next: b}}
  - {{step_id: b, transitions: [{{when: \"round < {rounds}\", next_step: a}}, {{next_step: c}}]}}
  - {{step_id: c, step_type: final_commit}}
"
    );
    let mut scene = Scene::of(&definition);
    scene.start("r", json!({}));
    let (mut done, mut round) = (BTreeSet::new(), 0);
    loop {
        let tasks = scene.claim(json!({"max": 1000}));
        if tasks.is_empty() {
            break;
        }
        round += usize::from(tasks[0]["step"] == "b");
        let data = |task: &Value| match task["step"] == "b" {
            true => json!({"data": {"round": round}}),
            false => json!({}),
        };
        let complete = |it: &Value| scene.request("task.complete", held(it, data(it)));
        let requests = tasks.iter().map(complete).collect();
        for ended in ask_all(&mut scene, requests) {
            assert!(done.insert(ended["commit"].to_string()), "once: {ended}");
        }
    }
    assert_eq!(done.len(), rounds * (each + 1));
    let most = resident_bytes_max(scene.daemon.id());
    assert!(most < 1 << 30, "{} MiB", most >> 20);
    expect_verified(&mut scene, "r");
    assert_eq!(scene.ok("run.list", json!({"status": "done"}))["runs"][0]["run"], "r");
    scene.is_sound();
}
