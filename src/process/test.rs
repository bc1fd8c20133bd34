//! Definitions are tested: their scripts are played in a time that passes only when they say so.
//!
//! Scripts are in definitions, or in files beside them. On request, any order of what can be done
//! is played too, and mistakes are made in definitions to see whether a script notices.

pub mod beside;
mod coverage;
pub mod mutants;
mod paths;
mod play;
pub mod random;
pub mod report;
mod script;
pub mod subject;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use self::{
    beside::Beside,
    play::{ALL_MAX, Left, ONE_MAX},
    report::{Report, Tested},
    subject::{Named, Subject},
};
use super::{
    diagnostic::{Diagnostic, Rule, Severity},
    load::File,
};
use crate::{error::Result, watch::Watch};

pub const SCRIPT: Rule = Rule::error("script", "A script says what can be done and looked at.");

pub const FAILED: Rule = Rule::error("failed", "What a test says is so.");

/// Every rule that is about tests.
pub const RULES: &[Rule] = &[SCRIPT, FAILED];

/// What is done besides playing the scripts.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only tests with this in `process.test`.
    pub only: Option<String>,
    /// Only definitions of so many files, which are the first; the others are there to be called.
    pub files: Option<usize>,
    /// Runs by chance of each definition.
    pub interleavings: u32,
    /// What chance comes from; the same seed gives the same runs.
    pub seed: u64,
    /// Whether mistakes are made in definitions, to see whether a script notices.
    pub mutants: bool,
}

/// Tests every definition of these files; a called process is found in the same file, or in any.
/// Fails only when nobody waits for it any more.
pub fn run(files: &[File], beside: &[Beside], options: &Options, watch: &Watch) -> Result<Report> {
    let mut report = Report { seed: options.seed, ..Report::default() };
    report.diagnostics.extend(unreadable(files, beside));
    let left = Cell::new(ALL_MAX);
    let played = files.iter().take(options.files.unwrap_or(usize::MAX));
    for (at, file) in played.enumerate() {
        for loaded in &file.loaded {
            watch.check()?;
            let name = &loaded.definition.process_name;
            let mut tests = subject::tests_of(&file.source, loaded);
            for of in beside {
                tests.extend(of.tests_of(&loaded.definition));
            }
            let is_asked_for = |it: &Named<'_>| match &options.only {
                Some(only) => format!("{name}.{}", it.name).contains(only.as_str()),
                None => true,
            };
            tests.retain(is_asked_for);
            if tests.is_empty() && options.only.is_some() {
                continue;
            }
            match Subject::new(files, at, loaded, tests) {
                Ok(subject) => report.tested.push(tested(&subject, options, &left, watch)?),
                Err(diagnostics) => report.diagnostics.extend(diagnostics),
            }
        }
    }
    let known: Vec<_> = files.iter().flat_map(|it| &it.loaded).map(|it| &it.definition).collect();
    report.diagnostics.extend(unused(files, beside).map(|it| it.without_process(&known)));
    Ok(report)
}

/// Tests of what is in none of these files.
fn unused<'a>(
    files: &'a [File],
    beside: &'a [Beside],
) -> impl Iterator<Item = &'a beside::Scripts> {
    let scripts = beside.iter().flat_map(|it| &it.scripts);
    scripts.filter(|scripts| {
        let mut loaded = files.iter().flat_map(|it| &it.loaded);
        !loaded.any(|it| scripts.is_of(&it.definition))
    })
}

/// The errors of files that could not be read.
fn unreadable(files: &[File], beside: &[Beside]) -> Vec<Diagnostic> {
    let all = files.iter().flat_map(|it| &it.diagnostics);
    let all = all.chain(beside.iter().flat_map(|it| &it.diagnostics));
    all.filter(|it| it.severity == Severity::Error).cloned().collect()
}

fn tested(
    subject: &Subject<'_>,
    options: &Options,
    left: &Cell<usize>,
    watch: &Watch,
) -> Result<Tested> {
    let left = Left { one: Cell::new(ONE_MAX), all: left };
    let (tests, coverage) = subject.play(&left, watch)?;
    let passed = tests.iter().all(|it| it.failure.is_none());
    let runs = options.interleavings;
    let interleavings = match runs {
        0 => None,
        _ => Some(subject.interleavings(runs, options.seed, watch)?),
    };
    // What fails without a mistake tells nothing about mistakes.
    let mutation = match options.mutants && passed {
        true => Some(subject.mutation(watch)?),
        false => None,
    };
    Ok(Tested {
        file: subject.source.name.clone(),
        process_name: subject.loaded.definition.process_name.clone(),
        process_version: subject.loaded.definition.process_version.clone(),
        tests,
        coverage,
        interleavings,
        mutation,
    })
}
