//! Definitions of processes are linted, tested and drawn, and a folder of them goes through a
//! pipeline.

mod command;
mod examples;
mod exhausting;
mod hostile;
mod looking;
mod pipeline;

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::daemon::{Daemon, program};

const SHIP: &str = "\
process_name: ship
process_version: \"1.0.0\"
steps:
  - step_id: pack
    next: send
  - step_id: send
tests:
  packed: [pack, '@send', send, '=done']
";

fn drafts(files: &[(&str, &str)]) -> Value {
    let draft = |(file, content): &(&str, &str)| json!({"file": file, "content": content});
    files.iter().map(draft).collect()
}

/// A request about definitions that come with it.
fn about(op: &str, files: &[(&str, &str)], more: &Value) -> Value {
    let mut request = json!({"op": op, "drafts": drafts(files), "encoding": "utf8"});
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

fn lint(daemon: &mut Daemon, files: &[(&str, &str)]) -> Value {
    daemon.ok(about("process.lint", files, &json!({})))
}

fn test(daemon: &mut Daemon, files: &[(&str, &str)]) -> Value {
    daemon.ok(about("process.test", files, &json!({})))
}

/// `gitport process …` in a folder.
fn process(folder: &Path, arguments: &[&str]) -> Output {
    let home = TempDir::new().unwrap();
    let mut command: Command = program(home.path());
    command.arg("process").args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
