//! Steps of runs are durable when they are answered, though Git sees them later: whenever the power
//! goes, what was answered for is in the run again, in one piece and once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Chance, Store,
    disk::{Deed, Disk},
    is_sound,
    shim::Shim,
};
use crate::daemon::Daemon;

const PROCESS: &str = "\
process_name: p
process_version: 1.0.0
steps:
  - {step_id: s, split: all, next: [a, b]}
  - {step_id: a, next: z}
  - {step_id: b, next: z}
  - {step_id: z, join: all}
";
const RUNS: usize = 4;
/// After so many deeds, chosen by chance, the power goes.
const CUTS: u64 = 60;
/// Longer than it takes until Git sees a step.
const SHOWN: Duration = Duration::from_millis(250);

/// What was answered: by the number that the disk's log has, the commit that says so and its run.
#[derive(Default)]
struct Answers(BTreeMap<u64, (String, String)>);

struct Recorder {
    shim: Shim,
    daemon: Daemon,
    path: String,
    answers: Answers,
}

impl Recorder {
    fn ok(&mut self, op: &str, more: Value) -> Value {
        let mut request = json!({"op": op, "path": self.path});
        more.as_object().unwrap().iter().for_each(|it| request[it.0] = it.1.clone());
        self.daemon.ok(request)
    }

    /// Its answer is on disk from here on.
    fn answered(&mut self, run: &Value, commit: &Value) {
        let number = self.answers.0.len() as u64;
        self.shim.note_answer(number);
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        self.answers.0.insert(number, (text(run), text(commit)));
    }

    fn work(&mut self) {
        for number in 0..RUNS {
            let started =
                self.ok("run.start", json!({"process": "p", "run": format!("r{number}")}));
            self.answered(&started["run"], &started["commit"]);
        }
        let mut round = 0;
        loop {
            let claimed = self.ok("task.claim", json!({"worker": "w", "max": 3}));
            let tasks = claimed["tasks"].as_array().unwrap();
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                self.answered(&task["run"], &task["token"]);
                let held = json!({"task": task["task"], "token": task["token"]});
                let done = self.ok("task.complete", held);
                self.answered(&task["run"], &done["commit"]);
            }
            round += 1;
            // Now Git has seen it, now it has not, and now it has to.
            match round % 3 {
                0 => sleep(SHOWN),
                1 => {
                    let change = json!([{"file": "f", "content": round.to_string()}]);
                    let more = json!({"branch": "main", "message": "m", "changes": change, "encoding": "utf8"});
                    drop(self.ok("commit", more));
                }
                _ => (),
            }
        }
    }
}

#[test]
fn what_was_answered_of_runs_outlives_a_loss_of_power() {
    let (shim, store) = (Shim::new(), Store::new(true));
    let root = store.path().to_owned();
    let path = root.to_str().unwrap().to_owned();
    let mut publisher = Daemon::start();
    let publish =
        json!({"op": "process.publish", "path": path, "content": PROCESS, "encoding": "utf8"});
    publisher.ok(publish);
    assert!(publisher.end().status.success());
    super::git(&root, &["gc", "-q"]);
    let mut disk = Disk::of(&root);
    let daemon = shim.daemon(&root);
    let mut recorder = Recorder { shim, daemon, path, answers: Answers::default() };
    recorder.work();
    let Recorder { shim, daemon, answers, .. } = recorder;
    assert!(daemon.end().status.success());
    let deeds = Deed::all(&fs::read(shim.log()).unwrap());

    let mut chance = Chance::new();
    let cuts: BTreeSet<usize> = match std::env::var("GITPORT_POWER").is_ok_and(|it| it == "all") {
        true => (0..deeds.len()).collect(),
        false => (0..CUTS).map(|_| chance.below(deeds.len() as u64) as usize).collect(),
    };
    let mut there = BTreeSet::new();
    for (index, deed) in deeds.iter().enumerate() {
        disk.apply(deed);
        there.extend(deed.answer());
        if cuts.contains(&index) {
            let seed = chance.below(u64::MAX >> 16);
            for chance in [None, Some(Chance::of(seed))] {
                let about = format!("after deed {index} of {}, chance {seed}", deeds.len());
                comes_back(&disk, chance, &answers, &there, &about);
            }
        }
    }
    assert_eq!(there.len(), answers.0.len());
}

fn comes_back(
    disk: &Disk,
    mut chance: Option<Chance>,
    answers: &Answers,
    there: &BTreeSet<u64>,
    about: &str,
) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("repository");
    disk.found(&path, &mut chance);
    let mut daemon = Daemon::start();
    let mut commits: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let listed = daemon.ok(json!({"op": "run.list", "path": path}));
    for run in listed["runs"].as_array().unwrap() {
        let name = run["run"].as_str().unwrap().to_owned();
        let verified = daemon.ok(json!({"op": "run.verify", "path": path, "run": name}));
        assert_eq!(verified["ok"], true, "{about}: {verified}\n{}", daemon.stderr());
        let history = daemon.ok(json!({"op": "run.history", "path": path, "run": name}));
        let events = history["events"].as_array().unwrap().iter();
        let ids = events.map(|it| it["commit"].as_str().unwrap().to_owned()).collect();
        commits.insert(name, ids);
    }
    for number in there {
        let (run, commit) = &answers.0[number];
        let has = commits.get(run).is_some_and(|it| it.contains(commit));
        assert!(has, "{about}: {run} was answered for with {commit}\n{}", daemon.stderr());
    }
    finishes(&mut daemon, &path, about);
    assert!(daemon.end().status.success(), "{about}");
    is_sound(&path);
}

/// Every run goes on by itself.
fn finishes(daemon: &mut Daemon, path: &Path, about: &str) {
    loop {
        let claim = json!({"op": "task.claim", "path": path, "worker": "w", "max": 100});
        let claimed = daemon.ok(claim);
        let tasks = claimed["tasks"].as_array().unwrap();
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            let (task, token) = (&task["task"], &task["token"]);
            let request =
                json!({"op": "task.complete", "path": path, "task": task, "token": token});
            daemon.ok(request);
        }
    }
    let listed = daemon.ok(json!({"op": "run.list", "path": path}));
    let is_done = |it: &Value| it["status"] == "done";
    assert!(listed["runs"].as_array().unwrap().iter().all(is_done), "{about}: {listed}");
}
