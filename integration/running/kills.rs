//! A daemon may be killed at any instant, with workers at work: what was answered for is there and
//! counts once, and every run goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread::sleep,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Scene, execution, held};
use crate::{daemon::Daemon, durability::Chance};

const PROCESS: &str = "\
process_name: p
data: {done: 0}
steps:
  - {step_id: s, split: all, next: [a, b, t]}
  - {step_id: a, next: c}
  - {step_id: b, each: {count: 3}, next: c}
  - {step_id: t, await: {after: 20ms}, next: c}
  - {step_id: c, join: all, next: z}
  - {step_id: z, step_type: final_commit}
";
/// The tasks of such a run.
const TASKS: [&str; 6] = ["s", "a", "b#1", "b#2", "b#3", "c"];

/// So many kills meet one repository.
const KILLS_OF_ONE: u64 = 40;

/// What is known of what was answered.
struct Known {
    asked: u64,
    chance: Chance,
    started: BTreeSet<String>,
    completed: BTreeMap<String, String>,
}

#[test]
fn what_was_answered_for_outlives_a_kill_and_every_run_goes_on_by_itself() {
    let kills = std::env::var("GITPORT_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(12);
    let mut chance = Chance::new();
    let mut done = 0;
    while done < kills {
        let count = KILLS_OF_ONE.min(kills - done);
        chance = be_killed(count, chance);
        done += count;
    }
}

/// Kills daemons of one repository, and has all that was begun there done in the end.
fn be_killed(kills: u64, chance: Chance) -> Chance {
    let mut scene = Scene::of(PROCESS);
    let (asked, started, completed) = (0, BTreeSet::new(), BTreeMap::new());
    let mut known = Known { asked, chance, started, completed };
    for _ in 0..kills {
        work_until_killed(&mut scene, &mut known);
        scene.daemon = Daemon::start();
        for run in &known.started {
            scene.get(run);
        }
    }
    // Whoever worked at them is gone: others finish all of it.
    loop {
        let tasks = scene.claim(json!({"max": 1000, "wait_ms": 300}));
        tasks.iter().for_each(|it| drop(scene.complete(it, json!({}))));
        if tasks.is_empty() {
            break;
        }
    }
    let listed = scene.ok("run.list", json!({}));
    let runs = listed["runs"].as_array().unwrap().clone();
    for run in &known.started {
        let it = runs.iter().find(|it| it["run"] == *run.as_str());
        assert_eq!(it.map(|it| &it["status"]), Some(&json!("done")), "{run}");
    }
    for run in &runs {
        is_done_once(&mut scene, run["run"].as_str().unwrap());
    }
    for (task, commit) in &known.completed {
        let run = task.split('/').next().unwrap();
        // Fails where it is not.
        scene.git(&["merge-base", "--is-ancestor", commit, &execution(run)]);
    }
    scene.is_sound();
    known.chance
}

/// Each task of a run was done, and once.
fn is_done_once(scene: &mut Scene, run: &str) {
    let history = scene.ok("run.history", json!({"run": run, "limit": 10_000}));
    let events = history["events"].as_array().unwrap();
    let is_done = |it: &&Value| it["event"] == "complete" && it["actor"] == "w";
    let steps: Vec<&str> =
        events.iter().filter(is_done).map(|it| it["step"].as_str().unwrap()).collect();
    let once: BTreeSet<&str> = steps.iter().copied().collect();
    assert_eq!(steps.len(), once.len(), "each once: {steps:?}");
    assert!(TASKS.iter().all(|it| once.contains(it)), "all: {steps:?}");
    let verified = scene.ok("run.verify", json!({"run": run}));
    assert_eq!(verified["ok"], true, "{verified}");
    let count = scene.git(&["rev-list", "--count", &execution(run)]);
    assert_eq!(count, events.len().to_string());
}

fn work_until_killed(scene: &mut Scene, known: &mut Known) {
    let mut sent: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut tasks: Vec<Value> = Vec::new();
    let wanted = 5 + known.chance.below(60);
    let (mut id, mut answered) = (0, 0);
    let mut ask =
        |scene: &mut Scene, op: &str, what: &str, more: Value, sent: &mut BTreeMap<_, _>| {
            id += 1;
            let mut request = scene.request(op, more);
            request["id"] = json!(id);
            scene.daemon.send(request);
            sent.insert(id, (op.to_owned(), what.to_owned()));
        };
    for _ in 0..4 {
        known.asked += 1;
        let run = format!("r{}", known.asked);
        let more = json!({"run": run, "files": ["p.yaml"]});
        ask(scene, "run.start", &run, more, &mut sent);
    }
    let mut is_claiming = false;
    while answered < wanted {
        if !is_claiming {
            let more = json!({"worker": "w", "max": 8, "wait_ms": 200});
            ask(scene, "task.claim", "", more, &mut sent);
            is_claiming = true;
        }
        for task in tasks.drain(..) {
            let name = task["task"].as_str().unwrap().to_owned();
            ask(scene, "task.complete", &name, held(&task, json!({})), &mut sent);
        }
        let reply = scene.daemon.receive();
        answered += 1;
        known.hear(&reply, &mut sent, &mut tasks, &mut is_claiming);
    }
    for task in tasks.drain(..) {
        let name = task["task"].as_str().unwrap().to_owned();
        ask(scene, "task.complete", &name, held(&task, json!({})), &mut sent);
    }
    sleep(Duration::from_micros(known.chance.below(30_000)));
    scene.daemon.signal(Signal::KILL);
    for reply in scene.daemon.rest().frames {
        known.hear(&reply, &mut sent, &mut tasks, &mut is_claiming);
    }
}

impl Known {
    fn hear(
        &mut self,
        reply: &Value,
        sent: &mut BTreeMap<u64, (String, String)>,
        tasks: &mut Vec<Value>,
        is_claiming: &mut bool,
    ) {
        let (op, what) = sent.remove(&reply["id"].as_u64().unwrap()).unwrap();
        assert!(reply.get("err").is_none(), "{op} {what}: {reply}");
        match &*op {
            "run.start" => drop(self.started.insert(what)),
            "task.claim" => {
                *is_claiming = false;
                tasks.extend(reply["ok"]["tasks"].as_array().unwrap().iter().cloned());
            }
            _ => {
                let commit = reply["ok"]["commit"].as_str().unwrap().to_owned();
                assert!(self.completed.insert(what, commit).is_none(), "completed twice");
            }
        }
    }
}
