//! A file with `exec` steps, carried out by the daemon that `gitport run` starts for it.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    daemon::program,
    repository::Repository,
    terminal::{Outcome, finish},
};

/// `gitport run p.yaml` in a folder, with these variables.
fn run(folder: &Path, variables: &[(&str, &str)]) -> Outcome {
    let home = TempDir::new().unwrap();
    let mut command: Command = program(home.path());
    command.args(["run", "p.yaml"]).current_dir(folder).envs(variables.iter().copied());
    finish(command, &home, "")
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
