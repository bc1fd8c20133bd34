//! Two daemons on one repository may be killed at any instant, with workers at work: what was
//! answered for is there and counts once, and every run goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread::sleep,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Scene, execution, held};
use crate::{
    daemon::Daemon,
    durability::Chance,
    processes::{PATIENCE, until},
};

const PROCESS: &str = "\
process_name: p
data: {done: 0}
steps:
  - {step_id: s, split: all, next: [a, b, t, r, q, w]}
  - {step_id: a, next: c}
  - {step_id: b, each: {count: 2}, next: c}
  - {step_id: t, await: {after: 20ms}, next: c}
  - {step_id: r, retry: {attempts: 1000}, next: c}
  - {step_id: q, call: called, next: c}
  - {step_id: w, await: {event: go}, next: c}
  - {step_id: c, join: all, next: z}
  - {step_id: z, step_type: final_commit}
---
process_name: called
steps:
  - {step_id: x, next: y}
  - {step_id: y}
";
/// What workers do in such a run.
const TASKS: [&str; 8] = ["s", "a", "b#1", "b#2", "r", "q/x", "q/y", "c"];

/// So many kills meet one repository.
const KILLS_OF_ONE: u64 = 40;
/// So many runs are verified after each.
const VERIFIED_EACH: usize = 3;

#[test]
fn what_was_answered_for_outlives_a_kill_and_every_run_goes_on_by_itself() {
    let kills = std::env::var("GITPORT_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(12);
    let mut chance = Chance::new();
    let mut done = 0;
    while done < kills {
        let count = KILLS_OF_ONE.min(kills - done);
        let mut pair = Pair::new(chance);
        for _ in 0..count {
            pair.work();
            pair.kill();
            pair.go_on_from_there();
            pair.expect_all_there();
        }
        chance = pair.finish();
        done += count;
    }
}

#[test]
fn who_had_a_task_of_a_run_that_is_suspended_ends_it_after_a_kill_too() {
    let definition = "process_name: p\nsteps: [{step_id: a, next: b}, {step_id: b}]\n";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    scene.ok("run.suspend", json!({"run": "r"}));
    scene.kill();
    // Others get nothing of it, and take nothing from who has it.
    assert!(scene.claim(json!({})).is_empty());
    scene.refused("conflict", "task.claim", json!({"worker": "w", "task": task["task"]}));
    scene.complete(&task, json!({}));
    scene.refused("conflict", "task.complete", held(&task, json!({})));
    assert!(scene.claim(json!({})).is_empty());
    scene.ok("run.resume", json!({"run": "r"}));
    let next = scene.claim_one();
    assert_eq!(next["step"], "b");
    assert_eq!(scene.complete(&next, json!({}))["status"], "done");
    scene.is_sound();
}

#[test]
fn the_first_receipt_outlives_kills_before_and_behind_what_it_is_about() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, next: b}, {step_id: b}]\n");
    scene.start("r", json!({}));
    let task = scene.claim_one();
    scene.kill();
    scene.complete(&task, json!({}));
    scene.kill();
    scene.ok("run.get", json!({"run": "r"}));
    until("there is a receipt", PATIENCE, || {
        scene.ok("run.verify", json!({"run": "r"}))["ok"] == true
    });
    scene.is_sound();
}

/// What was asked for.
enum Asked {
    Start { run: String },
    Claim,
    End { op: &'static str, task: Value },
    About { op: &'static str, run: String },
}

/// Two daemons, and what is known of what they were asked for.
struct Pair {
    scene: Scene,
    other: Daemon,
    sent: [BTreeMap<u64, Asked>; 2],
    chance: Chance,
    asked: u64,
    runs: u64,
    /// What workers have, and what they said of without an answer.
    tasks: Vec<Value>,
    unanswered: Vec<Asked>,
    /// By run, the commits that were answered with and what they were for.
    answered: BTreeMap<String, BTreeMap<String, &'static str>>,
    completed: BTreeSet<String>,
    /// Those about which something was asked since it was last looked.
    touched: BTreeSet<String>,
    /// Whether runs are suspended, where the last that was said of that was answered.
    suspended: BTreeMap<String, bool>,
    is_killing: bool,
    /// Those that were to be cancelled, and whether they are.
    cancelled: BTreeMap<String, bool>,
}

impl Pair {
    fn new(chance: Chance) -> Pair {
        Pair {
            scene: Scene::of(PROCESS),
            other: Daemon::start(),
            sent: Default::default(),
            chance,
            asked: 0,
            runs: 0,
            tasks: Vec::new(),
            unanswered: Vec::new(),
            answered: BTreeMap::new(),
            completed: BTreeSet::new(),
            touched: BTreeSet::new(),
            suspended: BTreeMap::new(),
            is_killing: false,
            cancelled: BTreeMap::new(),
        }
    }

    fn daemon(&mut self, side: usize) -> &mut Daemon {
        if side == 0 { &mut self.scene.daemon } else { &mut self.other }
    }

    fn any_side(&mut self) -> usize {
        self.chance.below(2) as usize
    }

    fn ask(&mut self, side: usize, asked: Asked) {
        self.asked += 1;
        let number = self.asked;
        let (op, more) = match &asked {
            Asked::Start { run } => ("run.start", json!({"run": run, "files": ["p.yaml"]})),
            Asked::Claim => ("task.claim", json!({"worker": "w", "max": 8, "wait_ms": 10})),
            Asked::End { op: "task.fail", task } => {
                ("task.fail", held(task, json!({"message": format!("number {number}")})))
            }
            Asked::End { op, task } => (*op, held(task, json!({"data": {"done": number}}))),
            Asked::About { op: "run.signal", run } => {
                ("run.signal", json!({"run": run, "name": "go", "data": {"sent": number}}))
            }
            Asked::About { op, run } => (*op, json!({"run": run})),
        };
        let mut request = self.scene.request(op, more);
        request["id"] = json!(number);
        self.daemon(side).send(request);
        self.sent[side].insert(number, asked);
    }

    /// Asks for so much, and hears some of it.
    fn work(&mut self) {
        for _ in 0..2 {
            self.runs += 1;
            let (side, run) = (self.any_side(), format!("r{}", self.runs));
            self.ask(side, Asked::Start { run });
        }
        for _ in 0..5 + self.chance.below(40) {
            for side in 0..2 {
                if !self.sent[side].values().any(|it| matches!(it, Asked::Claim)) {
                    self.ask(side, Asked::Claim);
                }
            }
            self.end_tasks();
            if self.chance.below(4) == 0 {
                self.say_something();
            }
            let side = self.any_side();
            let reply = self.daemon(side).receive();
            self.hear(side, &reply);
        }
        self.end_tasks();
    }

    /// Whoever has a task completes it, fails or is still at it, and says so to any daemon.
    fn end_tasks(&mut self) {
        for task in std::mem::take(&mut self.tasks) {
            let side = self.any_side();
            let fails = task["step"] == "r" && self.chance.is_heads();
            match self.chance.below(6) {
                0 => self.tasks.push(task),
                _ if fails => self.ask(side, Asked::End { op: "task.fail", task }),
                _ => self.ask(side, Asked::End { op: "task.complete", task }),
            }
        }
    }

    /// Sends, suspends, resumes or cancels.
    fn say_something(&mut self) {
        let started: Vec<&String> = self.answered.keys().collect();
        let Some(last) = started.len().checked_sub(1) else { return };
        let run = started[last - self.chance.below(started.len().min(6) as u64) as usize].clone();
        let op = match self.chance.below(8) {
            0 => "run.cancel",
            1 | 2 => "run.suspend",
            3 | 4 => "run.resume",
            _ => "run.signal",
        };
        match op {
            "run.cancel" => drop(self.cancelled.entry(run.clone()).or_default()),
            "run.suspend" | "run.resume" => {
                // Which of two would be the last nobody could tell.
                let is_about = |it: &Asked| match it {
                    Asked::About { op: "run.suspend" | "run.resume", run: of } => *of == run,
                    _ => false,
                };
                if self.sent.iter().flat_map(BTreeMap::values).any(is_about) {
                    return;
                }
                self.suspended.remove(&run);
            }
            _ => (),
        }
        let side = self.any_side();
        self.ask(side, Asked::About { op, run });
    }

    fn hear(&mut self, side: usize, reply: &Value) {
        let asked = self.sent[side].remove(&reply["id"].as_u64().unwrap()).unwrap();
        self.hear_of(asked, reply);
    }

    fn hear_of(&mut self, asked: Asked, reply: &Value) {
        let ok = &reply["ok"];
        let (run, event) = match &asked {
            Asked::Start { run } => (run.clone(), "begin"),
            Asked::Claim => {
                let tasks = ok["tasks"].as_array().unwrap_or_else(|| panic!("{reply}"));
                return self.tasks.extend(tasks.iter().cloned());
            }
            Asked::End { op: "task.fail", task } => (run_of(task), "again"),
            Asked::End { task, .. } => (run_of(task), "complete"),
            Asked::About { op, run } => (run.clone(), op.strip_prefix("run.").unwrap()),
        };
        self.touched.insert(run.clone());
        if ok.is_null() {
            // Of nothing but a run that is over, or is suspended already or no more; and what who
            // is killed has given may be given to somebody else before it is done.
            let may_be_over = match &asked {
                Asked::End { .. } => self.cancelled.contains_key(&run) || self.is_killing,
                Asked::About { .. } => true,
                Asked::Start { .. } | Asked::Claim => false,
            };
            assert!(may_be_over && reply["code"] == "conflict", "{event} {run}: {reply}");
            return;
        }
        let commits = self.answered.entry(run.clone()).or_default();
        if event != "begin" {
            let commit = ok["commit"].as_str().unwrap().to_owned();
            assert!(commits.insert(commit, event).is_none(), "{event} {run}: {reply}");
        }
        match asked {
            Asked::About { op: "run.suspend", run } => drop(self.suspended.insert(run, true)),
            Asked::About { op: "run.resume", run } => drop(self.suspended.insert(run, false)),
            Asked::About { op: "run.cancel", run } => drop(self.cancelled.insert(run, true)),
            Asked::End { op: "task.complete", task } => {
                assert!(self.completed.insert(name_of(&task)), "completed twice: {task}");
            }
            _ => (),
        }
    }

    /// Kills one of them or both, and hears what is left to be heard.
    fn kill(&mut self) {
        let victims: &[usize] = [&[0][..], &[1], &[0, 1]][self.chance.below(3) as usize];
        sleep(Duration::from_micros(self.chance.below(30_000)));
        for side in victims {
            self.daemon(*side).signal(Signal::KILL);
        }
        self.is_killing = true;
        for side in victims {
            for reply in self.daemon(*side).rest().frames {
                self.hear(*side, &reply);
            }
            let left = std::mem::take(&mut self.sent[*side]).into_values();
            self.unanswered.extend(left);
            *self.daemon(*side) = Daemon::start();
        }
        for side in 0..2 {
            while !self.sent[side].is_empty() {
                let reply = self.daemon(side).receive();
                self.hear(side, &reply);
            }
        }
        self.is_killing = false;
    }

    /// Asks either daemon for each of them, and gives what they say.
    fn call(&mut self, all: Vec<Asked>) -> Vec<(Asked, Value)> {
        for asked in all {
            let side = self.any_side();
            self.ask(side, asked);
        }
        let mut replies = Vec::new();
        for side in 0..2 {
            while !self.sent[side].is_empty() {
                let reply = self.daemon(side).receive();
                let asked = self.sent[side].remove(&reply["id"].as_u64().unwrap()).unwrap();
                replies.push((asked, reply));
            }
        }
        replies
    }

    fn call_and_hear(&mut self, all: Vec<Asked>) {
        for (asked, reply) in self.call(all) {
            self.hear_of(asked, &reply);
        }
    }

    /// Who had no answer asks again, and who was at a task when somebody was killed ends it now.
    fn go_on_from_there(&mut self) {
        let is_asked_again = |it: &Asked| matches!(it, Asked::Start { .. } | Asked::End { .. });
        let unanswered = std::mem::take(&mut self.unanswered);
        let (again, left): (Vec<Asked>, Vec<Asked>) =
            unanswered.into_iter().partition(is_asked_again);
        for asked in left {
            if let Asked::About { run, .. } = asked {
                self.touched.insert(run);
            }
        }
        for (asked, reply) in self.call(again) {
            // It may have counted, or somebody else has the task by now.
            let may_be_over = matches!(asked, Asked::End { .. });
            if !may_be_over || reply["code"] != "conflict" {
                self.hear_of(asked, &reply);
            }
        }
        // What a daemon that lives had from one that was killed has another token: the last counts.
        let mut last = BTreeMap::new();
        for task in std::mem::take(&mut self.tasks) {
            last.insert(name_of(&task), task);
        }
        last.retain(|name, _| !self.completed.contains(name));
        let complete = |it: &Value| Asked::End { op: "task.complete", task: it.clone() };
        self.call_and_hear(last.values().map(complete).collect());
        // A token counts once.
        last.retain(|name, _| self.completed.contains(name));
        for (_, reply) in self.call(last.values().map(complete).collect()) {
            assert_eq!(reply["code"], "conflict", "{reply}");
        }
    }

    /// Nothing that was answered for is lost, and nothing counts twice.
    fn expect_all_there(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        let touched: Vec<&String> =
            touched.iter().filter(|it| self.answered.contains_key(*it)).collect();
        for run in &touched {
            self.expect_run(run);
        }
        // All of them are verified in the end, and each time some.
        for _ in 0..touched.len().min(VERIFIED_EACH) {
            let run = touched[self.chance.below(touched.len() as u64) as usize];
            self.expect_verified(run);
        }
        self.scene.is_sound();
    }

    fn expect_verified(&mut self, run: &str) {
        let side = self.any_side();
        let verified = self.scene.request("run.verify", json!({"run": run}));
        // Receipts come a moment later, of whoever was killed too.
        until("nothing is wrong with it but what is still to come", PATIENCE, || {
            let told = self.daemon(side).ok(verified.clone());
            let mut problems = told["problems"].as_array().unwrap().iter();
            assert!(problems.all(|it| it["kind"] == "missing"), "{told}");
            told["ok"] == true
        });
    }

    fn expect_run(&mut self, run: &str) -> usize {
        let side = self.any_side();
        let history = self.scene.request("run.history", json!({"run": run, "limit": 10_000}));
        let history = self.daemon(side).ok(history);
        let events = history["events"].as_array().unwrap();
        let commits: BTreeMap<&str, &Value> =
            events.iter().map(|it| (it["commit"].as_str().unwrap(), it)).collect();
        for (commit, event) in &self.answered[run] {
            let there = commits.get(&**commit).map(|it| &it["event"]);
            assert_eq!(there, Some(&json!(event)), "{run}: {commit}");
        }
        assert_eq!(events.iter().filter(|it| it["event"] == "begin").count(), 1, "{run}");
        let (mut begun, mut sent, mut steps) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for it in events {
            let cause = &it["cause"];
            let item = cause["item"].as_u64();
            match (cause["event"].as_str(), item) {
                (Some("start"), Some(item)) => assert!(begun.insert(item), "{run}: {it}"),
                // Each attempt ends once, by who had it.
                (Some(_), Some(item)) => assert!(begun.remove(&item), "{run}: {it}"),
                (Some("signal"), None) => {
                    assert!(sent.insert(cause["data"]["sent"].as_u64()), "{run}: {it}");
                }
                _ => (),
            }
            if it["event"] == "complete" {
                assert!(steps.insert(it["step"].to_string()), "{run}: each once: {it}");
            }
        }
        let get = self.scene.request("run.get", json!({"run": run}));
        let status = self.daemon(side).ok(get)["status"].as_str().unwrap().to_owned();
        match (self.cancelled.get(run), self.suspended.get(run)) {
            (Some(true), _) => assert_eq!(status, "cancelled", "{run}"),
            (None, Some(true)) => assert_eq!(status, "suspended", "{run}"),
            (None, Some(false)) => assert_ne!(status, "suspended", "{run}"),
            _ => (),
        }
        if status == "done" {
            let is_there = |it: &&str| steps.contains(&format!("\"{it}\""));
            assert!(TASKS.iter().chain(&["t", "w", "q"]).all(is_there), "{run}: {steps:?}");
        }
        events.len()
    }

    /// Whoever worked at them is gone: others finish all of it.
    fn finish(mut self) -> Chance {
        let runs: Vec<String> = self.answered.keys().cloned().collect();
        let about = |op| runs.iter().map(move |it| Asked::About { op, run: it.clone() });
        self.call_and_hear(about("run.resume").chain(about("run.signal")).collect());
        loop {
            let tasks = self.scene.claim(json!({"max": 1000, "wait_ms": 300}));
            if tasks.is_empty() {
                break;
            }
            let complete = |task| Asked::End { op: "task.complete", task };
            self.call_and_hear(tasks.into_iter().map(complete).collect());
        }
        let listed = self.scene.ok("run.list", json!({}));
        let listed = listed["runs"].as_array().unwrap().clone();
        assert_eq!(listed.len(), runs.len(), "each was started once");
        for it in &listed {
            let run = it["run"].as_str().unwrap();
            let may_be = |status: &str| match self.cancelled.get(run) {
                Some(true) => status == "cancelled",
                Some(false) => status == "cancelled" || status == "done",
                None => status == "done",
            };
            assert!(may_be(it["status"].as_str().unwrap()), "{it}");
            let events = self.expect_run(run);
            self.expect_verified(run);
            let count = self.scene.git(&["rev-list", "--count", &execution(run)]);
            assert_eq!(count, events.to_string(), "{run}");
        }
        self.scene.is_sound();
        assert!(self.other.end().status.success());
        self.chance
    }
}

fn name_of(task: &Value) -> String {
    task["task"].as_str().unwrap().to_owned()
}

fn run_of(task: &Value) -> String {
    task["run"].as_str().unwrap().to_owned()
}
