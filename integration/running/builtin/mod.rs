//! Steps that the daemon does itself: programs and operations on the repository.

mod endings;
mod git;
mod policies;
mod programs;

use std::{fs, path::Path, thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::Scene;
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::Repository,
};

/// Programs that the suites run.
const ALLOWED: &str = "--exec-allow=sh,cat,env";

impl Scene {
    /// The same as [`Scene::of`] with flags for the daemon.
    fn with(definitions: &str, flags: &[&str]) -> Scene {
        let repository = Repository::of(&[("p.yaml", definitions)]);
        Scene { daemon: Daemon::start_with(flags), repository }
    }

    /// Waits until a run has ended, and gives it.
    fn ended(&mut self, run: &str) -> Value {
        let mut there = Value::Null;
        until("the run ends", PATIENCE, || {
            there = self.get(run);
            !["running", "waiting"].contains(&there["status"].as_str().unwrap())
        });
        there
    }

    /// Starts a run, and waits for its end.
    fn run(&mut self, run: &str, more: Value) -> Value {
        self.start(run, more);
        self.ended(run)
    }

    /// What went wrong in a run, as its commits say it.
    fn problems(&mut self, run: &str) -> String {
        let newest = self.get(run)["commit"].clone();
        let reference = super::execution(run);
        until("Git sees it", PATIENCE, || newest == *self.git(&["rev-parse", &reference]));
        let format = "--format=%(trailers:key=Problem,valueonly)";
        let text = self.git(&["log", format, &reference]);
        let lines: Vec<&str> = text.lines().filter(|it| !it.is_empty()).collect();
        lines.join("\n")
    }

    /// How often a step of a run was begun.
    fn begun(&mut self, run: &str, step: &str) -> usize {
        let history = self.ok("run.history", json!({"run": run}));
        let events = history["events"].as_array().unwrap().iter();
        events.filter(|it| it["event"] == "start" && it["step"] == step).count()
    }

    fn is_verified(&mut self, run: &str) {
        assert_eq!(self.ok("run.verify", json!({"run": run}))["ok"], true, "{run}");
        self.is_sound();
    }
}

/// A process of one step that runs a script of `sh`, with more arguments and configuration.
fn script(script: &str, arguments: &[&str], more: Value) -> String {
    let arguments: Vec<&str> = ["-c", script, "sh"].iter().chain(arguments).copied().collect();
    let mut configuration = json!({"program": "sh", "arguments": arguments});
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    let step = json!({"step_id": "a", "step_type": "exec", "configuration": configuration});
    // JSON is YAML.
    json!({"process_name": "p", "data": {"name": "x"}, "steps": [step]}).to_string()
}

/// Waits until a program has written so many lines, and gives them.
fn lines(file: &Path, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    until("a program writes", PATIENCE, || {
        let text = fs::read_to_string(file).unwrap_or_default();
        lines = text.lines().map(str::to_owned).collect();
        count <= lines.len() && text.ends_with('\n')
    });
    lines
}

/// Waits until none of these processes lives.
fn are_gone(ids: &[String]) {
    until("they are gone", PATIENCE, || !ids.iter().any(|it| is_alive(it)));
}

fn is_alive(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|it| it.1.chars().next());
    state.is_some_and(|it| !"ZX".contains(it))
}

/// Lets others do something that is not to happen.
fn a_while() {
    sleep(Duration::from_millis(300));
}
