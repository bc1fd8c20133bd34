//! Runs of processes: started, done by workers, and kept in Git whatever happens.

mod again;
mod builtin;
mod clock;
mod command;
mod conformance;
mod embedded;
mod full;
mod kills;
mod large;
mod pruning;
mod scheduling;
mod sending;
mod receipts;
mod policy;
mod starting;
mod story;
mod tampering;
mod threads;
mod time;
mod together;
mod triggering;
mod working;

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    repository::{Repository, expect_sound, git_command, text},
};

/// A daemon and a repository with processes in it.
struct Scene {
    daemon: Daemon,
    repository: Repository,
}

impl Scene {
    /// With these definitions in the file `p.yaml`.
    fn of(definitions: &str) -> Scene {
        let repository = Repository::of(&[("p.yaml", definitions)]);
        Scene { daemon: Daemon::start(), repository }
    }

    /// The same after another start of the daemon.
    fn restart(&mut self) {
        self.restart_with(&[]);
    }

    fn restart_with(&mut self, flags: &[&str]) {
        let before = std::mem::replace(&mut self.daemon, Daemon::start_with(flags));
        assert!(before.end().status.success());
    }

    /// Kills the daemon, and starts another one.
    fn kill(&mut self) {
        self.daemon.signal(Signal::KILL);
        self.daemon.rest();
        self.daemon = Daemon::start();
    }

    fn request(&self, op: &str, more: Value) -> Value {
        let mut request = json!({"op": op, "path": text(self.path())});
        for (key, value) in more.as_object().unwrap() {
            request[key] = value.clone();
        }
        request
    }

    fn path(&self) -> &Path {
        Path::new(self.repository.path())
    }

    fn ok(&mut self, op: &str, more: Value) -> Value {
        let request = self.request(op, more);
        self.daemon.ok(request)
    }

    #[track_caller]
    fn refused(&mut self, code: &str, op: &str, more: Value) -> Value {
        let request = self.request(op, more);
        self.daemon.refused(code, request)
    }

    /// Starts the first process of the file, or this one.
    fn start(&mut self, run: &str, more: Value) -> Value {
        let mut wanted = json!({"run": run, "files": ["p.yaml"]});
        for (key, value) in more.as_object().unwrap() {
            wanted[key] = value.clone();
        }
        self.ok("run.start", wanted)
    }

    fn get(&mut self, run: &str) -> Value {
        self.ok("run.get", json!({"run": run}))
    }

    fn status(&mut self, run: &str) -> String {
        self.get(run)["status"].as_str().unwrap().to_owned()
    }

    fn claim(&mut self, more: Value) -> Vec<Value> {
        let mut wanted = json!({"worker": "w"});
        for (key, value) in more.as_object().unwrap() {
            wanted[key] = value.clone();
        }
        self.ok("task.claim", wanted)["tasks"].as_array().unwrap().clone()
    }

    fn claim_one(&mut self) -> Value {
        let tasks = self.claim(json!({}));
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        tasks[0].clone()
    }

    fn complete(&mut self, task: &Value, more: Value) -> Value {
        let wanted = held(task, more);
        self.ok("task.complete", wanted)
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    fn is_sound(&self) {
        expect_sound(self.path());
    }
}

/// What shows that a task is held, with more arguments.
fn held(task: &Value, more: Value) -> Value {
    let mut wanted = json!({"task": task["task"], "token": task["token"]});
    for (key, value) in more.as_object().unwrap() {
        wanted[key] = value.clone();
    }
    wanted
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = git_command(folder).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The ref of a run.
fn execution(run: &str) -> String {
    format!("refs/workflow/executions/{run}")
}

/// The steps that are where the tasks say.
fn steps(tasks: &[Value]) -> Vec<&str> {
    tasks.iter().map(|it| it["step"].as_str().unwrap()).collect()
}
