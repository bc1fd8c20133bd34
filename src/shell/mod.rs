//! For a person at a shell: everything the daemon does, by hand.
//!
//! Nothing here reaches into the daemon. What is asked goes to a child of the same program, over
//! the same pipes and in the same frames as from any other client. Only definitions of processes,
//! which are files like any other, are read here as well.

mod call;
mod definition;
mod demo;
mod given;
mod help;
mod interrupt;
mod json;
mod lines;
mod place;
mod process;
mod progress;
mod run;
mod session;
mod supervisor;
mod task;
mod text;

use std::{
    ffi::OsStr,
    fmt::Display,
    io::{self, Write},
    process::{Command, ExitCode},
};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::config::Arguments;

pub use self::{
    call::call,
    demo::demo,
    help::{help, misused},
    lines::lines,
    process::process,
    run::run,
    task::task,
};

/// What the daemon refuses, for a script to branch on.
const REFUSED: u8 = 1;
/// What ends with neither `ok` nor `err`: a mistake on the command line, no daemon, no reply.
const NO_REPLY: u8 = 2;

const EXPLANATION: &str = "\
gitport serves requests that come through a pipe; this is a terminal.

A supervisor starts it with pipes as stdin and stdout, writes requests and reads replies, each a
length of four bytes and that many bytes of msgpack. From Elixir or Erlang, for example:

  Port.open({:spawn_executable, \"/usr/local/bin/gitport\"}, [:binary, packet: 4])

By hand:

  gitport demo                       play a supervisor and show every request, reply and time
  gitport call head path=/srv/app    carry out one request and print its reply as JSON
  gitport shell                      carry out requests written as JSON, one a line
  gitport process --help             lint, test, draw and publish definitions of processes
  gitport run --help                 play a definition, or begin, watch and look after runs
  gitport task --help                do by hand what runs wait for
  gitport --help                     all commands and flags
";

/// What a bare `gitport` says on a terminal, rather than wait for frames nobody can type.
pub fn explain() -> ExitCode {
    // Nobody is left to tell that stderr is closed.
    let _ = io::stderr().lock().write_all(EXPLANATION.as_bytes());
    ExitCode::from(NO_REPLY)
}

/// Prints the script that completes commands and flags in a shell.
pub fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "gitport", &mut script);
    match io::stdout().lock().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(&error),
    }
}

/// Says why there is nothing more to say.
fn end(error: &io::Error) -> ExitCode {
    match error.kind() {
        // The reader of our output has had enough, as in `gitport call … | head`.
        io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => complain(error),
    }
}

fn complain(what: impl Display) -> ExitCode {
    // Nobody is left to tell that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "gitport: {what}");
    ExitCode::from(NO_REPLY)
}

#[expect(clippy::disallowed_methods, reason = "what starts here serves a person, not a request")]
fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}
