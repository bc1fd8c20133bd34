//! A Git daemon that any supervisor can spawn and trust.
//!
//! A request travels down this list and its reply travels back up:
//!
//! - [`config`]: flags and environment, parsed once.
//! - [`shell`]: a person at a shell, as a client of the daemon.
//! - [`port`]: length-prefixed frames on stdin and stdout.
//! - [`dispatch`]: who runs what when.
//! - [`ops`]: one file per operation.
//! - [`runs`]: runs of processes, kept in Git.
//! - [`process`]: definitions: read, linted, tested, drawn and published.
//! - [`engine`]: what a process does, as pure functions.
//! - [`git`]: the only code that names git2.
//! - [`snapshots`]: databases that are imported.
//! - [`stats`], [`watch`], [`memory`], [`id`], [`error`]: what everyone may use.
//!
//! `README.md` beside this file has the drawing, the map and the invariants; `tidy` checks them.

mod config;
mod shell;
mod port;
mod dispatch;
mod ops;
mod runs;
mod process;
mod engine;
mod git;
mod snapshots;
mod stats;
mod watch;
mod memory;
mod id;
mod error;

#[cfg(test)]
mod tidy;

use std::{
    io::{IsTerminal, stdin},
    process::ExitCode,
};

use clap::Parser;

use crate::config::{Arguments, Command};

fn main() -> ExitCode {
    let mut arguments = Arguments::try_parse().unwrap_or_else(|error| shell::misused(error));
    // A variable that is set to nothing names no folder.
    arguments.settings.data.take_if(|it| it.as_os_str().is_empty());
    git::keep_certificates_for_https();
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("GITPORT_LOG", "warn")).init();
    // A backtrace is for whoever asks for one; the reply says `internal` either way.
    std::panic::set_hook(Box::new(|panic| log::error!("a bug: {panic}")));
    match arguments.command {
        None if stdin().is_terminal() => shell::explain(),
        None | Some(Command::Serve) => match port::guard_stdio() {
            Ok(stdio) => dispatch::serve(arguments.settings, stdio),
            Err(error) => {
                log::error!("stdin and stdout cannot be used: {error}");
                ExitCode::FAILURE
            }
        },
        Some(Command::Network) => match port::guard_stdio() {
            Ok(stdio) => git::remote::run_child(stdio.input, stdio.output),
            Err(_) => ExitCode::FAILURE,
        },
        Some(Command::Program) => match port::guard_stdio() {
            Ok(stdio) => runs::builtin::run_child(stdio.input, stdio.output),
            Err(_) => ExitCode::FAILURE,
        },
        Some(Command::Snapshots) => match port::guard_stdio() {
            Ok(stdio) => snapshots::run_child(stdio.input, stdio.output),
            Err(_) => ExitCode::FAILURE,
        },
        Some(Command::Call { help: false, op: Some(op), arguments: words }) => {
            shell::call(&arguments.settings, &op, &words)
        }
        Some(Command::Call { op, .. }) => shell::help(op.as_deref()),
        Some(Command::Shell) => shell::lines(&arguments.settings),
        Some(Command::Process(command)) => shell::process(&arguments.settings, *command),
        Some(Command::Run(run)) => shell::run(&arguments.settings, *run),
        Some(Command::Task(command)) => shell::task(&arguments.settings, *command),
        Some(Command::Demo { keep }) => shell::demo(keep),
        Some(Command::Completions { shell }) => shell::completions(shell),
    }
}
