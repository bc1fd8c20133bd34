//! `gitport process`: definitions in files, for a person or a pipeline.

pub mod check;
mod ci;
pub mod files;
pub mod stores;

use std::process::ExitCode;

use super::{
    NO_REPLY,
    session::{Failure, Outcome, Session, refused},
};
use crate::config::{Settings, process::Process};

/// Something is wrong with what was asked about, for a script to branch on.
const WRONG: u8 = 1;

/// Codes that say something of definitions; others say why nothing can be said.
const ANSWERS: [&str; 6] =
    ["invalid", "too_large", "already_exists", "conflict", "not_found", "corrupt"];

/// The exit status is 0 where all is well, 1 where something is wrong with definitions or the
/// daemon refuses, and 2 where there is no outcome.
pub fn process(settings: &Settings, command: Process) -> ExitCode {
    let outcome = Session::start(settings).map_err(Failure::from).and_then(|mut session| {
        let outcome = carry_out(&mut session, command);
        session.finish()?;
        outcome
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(WRONG),
        Err(Failure::Refused(reply)) => {
            refused(&reply);
            let is_answer = ANSWERS.iter().any(|it| reply["code"] == *it);
            ExitCode::from(if is_answer { WRONG } else { NO_REPLY })
        }
        Err(failure) => failure.told(),
    }
}

fn carry_out(session: &mut Session, command: Process) -> Outcome<bool> {
    match command {
        Process::Lint { paths, format, deny_warnings } => {
            check::lint(session, &paths.paths, format, deny_warnings)
        }
        Process::Test { paths, only, interleavings, seed, mutants, format } => {
            let asked = check::Tests { only, interleavings, seed, mutants };
            check::test(session, &paths.paths, &asked, format)
        }
        Process::Graph { paths, process, format, marking, output } => {
            let picture = check::Picture { process, format, marking };
            check::graph(session, &paths.paths, &picture, output.as_deref())
        }
        Process::Publish { file, beside, store, sign_with } => {
            stores::publish(session, &file, &beside, &store, sign_with.as_deref())
        }
        Process::Get { process, store, output } => {
            stores::get(session, &process, &store, output.as_deref())
        }
        Process::List { name, store } => stores::list(session, name.as_deref(), &store),
        Process::Ci { folder, store, dry_run, interleavings, format, junit, sarif, sign_with } => {
            let reports = ci::Reports { format, junit, sarif };
            let pipeline = ci::Pipeline { store, dry_run, interleavings, reports, sign_with };
            pipeline.run(session, &folder)
        }
    }
}
