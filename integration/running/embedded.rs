//! A file with `exec` steps, carried out by the daemon that `gitport run` starts for it.

use std::{fs, path::Path, process::Command};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, program},
    repository::{Repository, text},
    terminal::{Outcome, finish},
};

/// `gitport run p.yaml` in a folder, with these variables.
fn run(folder: &Path, variables: &[(&str, &str)]) -> Outcome {
    run_with(folder, &["p.yaml"], variables)
}

fn run_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let home = TempDir::new().unwrap();
    let mut command: Command = program(home.path());
    command.arg("run").args(arguments).current_dir(folder).envs(variables.iter().copied());
    finish(command, &home, "")
}

/// A process of one step that makes a file.
fn touching(process: &str, file: &Path) -> String {
    let configuration = json!({"program": "touch", "arguments": [text(file)]});
    let step = json!({"step_id": "touch", "step_type": "exec", "configuration": configuration});
    json!({"process_name": process, "steps": [step]}).to_string()
}

#[test]
fn what_waits_in_other_runs_is_left_to_others() {
    let place = TempDir::new().unwrap();
    let (theirs, ours) = (place.path().join("theirs"), place.path().join("ours"));
    let not_allowed = touching("q", &theirs).replace("touch\"", "false\"");
    let repository =
        Repository::of(&[("a.yaml", &touching("q", &theirs)), ("b.yaml", &not_allowed)]);
    let here = Path::new(repository.path());
    for (file, id) in [("a.yaml", "a"), ("b.yaml", "b")] {
        let begun = run_with(here, &["start", "--file", file, "--id", id], &[]);
        assert_eq!(begun.status.code(), Some(0), "{}", begun.stderr);
    }
    fs::write(here.join("p.yaml"), touching("p", &ours)).unwrap();
    let done = run_with(here, &["p.yaml", "--id", "r", "--git-steps"], &[]);
    assert_eq!(done.status.code(), Some(0), "{}{}", done.stdout, done.stderr);
    assert!(ours.exists() && !theirs.exists());
    let mut daemon = Daemon::start();
    for id in ["a", "b"] {
        let get = json!({"op": "run.get", "path": repository.path(), "run": id});
        assert_eq!(daemon.ok(get)["offers"][0]["status"], "offered", "{id}");
    }
    // Its own it goes on with.
    let again = run_with(here, &["p.yaml", "--id", "r"], &[]);
    assert_eq!(again.status.code(), Some(0), "{}{}", again.stdout, again.stderr);
}

#[test]
fn what_is_wrong_with_a_file_is_told_before_anything_begins() {
    let repository = Repository::of(&[("other.yaml", "x: 1\n")]);
    let here = Path::new(repository.path());
    let wrong = touching("p", Path::new("/x")).replace("arguments", "args");
    fs::write(here.join("p.yaml"), wrong).unwrap();
    let told = run(here, &[]);
    assert_eq!(told.status.code(), Some(1), "{}", told.stdout);
    assert!(told.stderr.contains("p.yaml") && told.stderr.contains("`args`"), "{}", told.stderr);
    let listed = run_with(here, &["list"], &[]);
    assert_eq!(listed.stdout, "");
}

#[test]
fn the_programs_that_a_file_names_are_run_whatever_the_operator_allows_besides() {
    let repository = Repository::of(&[("other.yaml", "x: 1\n")]);
    let here = Path::new(repository.path());
    let place = TempDir::new().unwrap();
    let made = place.path().join("made");
    let definition = format!(
        "process_name: p
steps:
  - step_id: outer
    steps:
      - step_id: touch
        step_type: exec
        configuration: {{program: touch, arguments: [\"{}\"]}}
    next: end
  - {{step_id: end, step_type: final_commit, final_status: made}}
",
        made.display()
    );
    fs::write(here.join("p.yaml"), definition).unwrap();
    for variables in [&[][..], &[("GITPORT_EXEC_ALLOW", "true")]] {
        let done = run(here, variables);
        assert_eq!(done.status.code(), Some(0), "{}{}", done.stdout, done.stderr);
        assert!(done.stdout.ends_with("it ended as made\n"), "{}", done.stdout);
        fs::remove_file(&made).unwrap();
    }
}
