//! A disk that fills while runs go on: what is not answered for is refused and told why, what is
//! answered for stays, and all goes on once there is room.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::PathBuf,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{execution, git, held};
use crate::{
    bad_luck::disk::SmallDisk,
    daemon::Daemon,
    durability::disk::noise,
    repository::{expect_sound, text},
};

const PROCESS: &str = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [a, b]}
  - {step_id: a, next: z}
  - {step_id: b, next: z}
  - {step_id: z, join: all}
";

/// A daemon, and a repository on a disk of a few mebibytes.
struct Small {
    disk: SmallDisk,
    path: PathBuf,
    daemon: Daemon,
    /// The runs that somebody was told of.
    runs: BTreeSet<String>,
    /// What was completed, as somebody was told.
    commits: Vec<(String, String)>,
    asked: u64,
}

impl Small {
    fn mount() -> Option<Small> {
        let disk = SmallDisk::mount("12m")?;
        let path = disk.path().join("repository");
        fs::create_dir(&path).unwrap();
        git(&path, &["init", "-q"]);
        fs::write(path.join("p.yaml"), PROCESS).unwrap();
        git(&path, &["add", "-A"]);
        git(&path, &["commit", "-q", "-m", "a process"]);
        let (daemon, runs, commits) = (Daemon::start(), BTreeSet::new(), Vec::new());
        Some(Small { disk, path, daemon, runs, commits, asked: 0 })
    }

    fn call(&mut self, op: &str, mut more: Value) -> Value {
        more["op"] = json!(op);
        more["path"] = json!(text(&self.path));
        self.daemon.call(more)
    }

    /// What a request came to, unless there was no room for it.
    #[track_caller]
    fn try_to(&mut self, op: &str, more: Value) -> Option<Value> {
        let reply = self.call(op, more);
        if let Some(value) = reply.get("ok") {
            return Some(value.clone());
        }
        assert_eq!(reply["code"], "disk_full", "{op}: {reply}");
        assert!(reply["err"].as_str().unwrap().contains("space"), "{op}: {reply}");
        None
    }

    /// Starts a run, and does what there is to do; whether there was room for all of it.
    fn work(&mut self) -> bool {
        self.asked += 1;
        let run = format!("r{}", self.asked);
        let input = json!({"noise": noise(40_000, self.asked)});
        let start = json!({"run": run, "files": ["p.yaml"], "input": input});
        if self.try_to("run.start", start).is_none() {
            return false;
        }
        self.runs.insert(run);
        self.work_off()
    }

    fn work_off(&mut self) -> bool {
        loop {
            let claim = json!({"worker": "w", "max": 10});
            let Some(claimed) = self.try_to("task.claim", claim) else { return false };
            let tasks = claimed["tasks"].as_array().unwrap();
            if tasks.is_empty() {
                return true;
            }
            for task in tasks {
                let name = task["task"].as_str().unwrap().to_owned();
                let data = json!({"data": {"noise": noise(20_000, self.asked)}});
                match self.try_to("task.complete", held(task, data)) {
                    Some(done) => {
                        let commit = done["commit"].as_str().unwrap().to_owned();
                        self.commits.push((name, commit));
                    }
                    // It is held, and nobody will come for it.
                    None => {
                        self.try_to("task.release", held(task, json!({})));
                        return false;
                    }
                }
            }
        }
    }

    /// Takes up all the room there is.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).unwrap();
        for bytes in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![1; bytes]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.disk.path().join("filler")
    }

    /// All that somebody was told is there, and nothing is wrong.
    fn has_all(&mut self) {
        let listed = self.call("run.list", json!({}));
        let listed: BTreeSet<String> = listed["ok"]["runs"]
            .as_array()
            .unwrap_or_else(|| panic!("{listed}"))
            .iter()
            .map(|it| it["run"].as_str().unwrap().to_owned())
            .collect();
        assert!(self.runs.is_subset(&listed), "{:?} and {listed:?}", self.runs);
        for run in listed {
            let verified = self.call("run.verify", json!({"run": run}));
            assert_eq!(verified["ok"]["ok"], true, "{verified}");
        }
        for (task, commit) in &self.commits {
            let run = task.split('/').next().unwrap();
            git(&self.path, &["merge-base", "--is-ancestor", commit, &execution(run)]);
        }
        expect_sound(&self.path);
    }
}

#[test]
fn what_does_not_fit_on_the_disk_is_refused_and_goes_on_once_there_is_room() {
    let Some(mut small) = Small::mount() else { return };
    for round in 0..3 {
        assert!(small.work(), "there is room");
        small.fill();
        // The journal has some room of its own.
        let mut count = 0;
        while small.work() {
            count += 1;
            assert!(count < 1000, "the disk is full");
        }
        assert_eq!(small.daemon.ok(json!({"op": "ping"})), json!("pong"));
        if round == 1 {
            // Nor does it matter to who comes after a kill.
            small.daemon.signal(Signal::KILL);
            small.daemon = Daemon::start();
            small.work();
        }
        small.free();
        assert!(small.work_off(), "there is room again");
        small.has_all();
    }
    let listed = small.call("run.list", json!({"status": "done"}));
    let done = listed["ok"]["runs"].as_array().unwrap().len();
    assert!(small.runs.len() <= done, "{done} of {:?}", small.runs);
    let end = std::mem::replace(&mut small.daemon, Daemon::start());
    assert!(end.end().status.success());
    expect_sound(&small.path);
}
