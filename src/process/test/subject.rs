//! A definition that is tested, with the processes that it calls and its scripts.

use std::cell::Cell;

use super::{
    SCRIPT,
    coverage::{Coverage, Seen},
    mutants::{self, Mutation, Survivor},
    play::{ALL_MAX, Left, ONE_MAX, Play, Unmet},
    random::{self, Interleavings},
    report::{Failure, Outcome},
    script::Script,
};
use crate::{
    engine::{
        definition::{Definition, test::Test},
        net::{Processes, Wrong},
        or_join::Cache,
    },
    error::Result,
    process::{
        called::with_called,
        diagnostic::{Diagnostic, Rule, Spot},
        lint::{
            names::NAME_ITS_FILE,
            place::{join, span_of},
            refused::REFUSED,
        },
        load::{File, Loaded},
        source::Source,
        yaml::Node,
    },
    watch::Watch,
};

/// A test and where it stands.
pub struct Named<'a> {
    pub name: &'a str,
    pub test: &'a Test,
    /// Such as `tests.approved`.
    pub path: String,
    pub source: &'a Source,
    pub tree: &'a Node,
}

pub struct Subject<'a> {
    pub source: &'a Source,
    pub loaded: &'a Loaded,
    tests: Vec<Named<'a>>,
    scripts: Vec<Script>,
    /// The definition, and those that it calls.
    definitions: Vec<&'a Definition>,
    processes: Processes,
}

/// What scripts are played with.
struct Means<'m> {
    cache: Cache,
    left: &'m Left<'m>,
    watch: &'m Watch,
}

/// The tests that are in a definition itself.
pub fn tests_of<'a>(source: &'a Source, loaded: &'a Loaded) -> Vec<Named<'a>> {
    let tests = loaded.definition.tests.iter();
    let named = |(name, test)| {
        let path = join("tests", name);
        Named { name, test, path, source, tree: &loaded.tree }
    };
    tests.map(|(name, test): (&'a String, &'a Test)| named((name.as_str(), test))).collect()
}

impl<'a> Subject<'a> {
    pub fn new(
        files: &'a [File],
        at: usize,
        loaded: &'a Loaded,
        tests: Vec<Named<'a>>,
    ) -> Result<Subject<'a>, Vec<Diagnostic>> {
        let definitions = |file: &'a File| file.loaded.iter().map(|it| &it.definition);
        // Those of the same file before those of others.
        let near: Vec<&Definition> = definitions(&files[at]).collect();
        let all: Vec<&Definition> = files.iter().flat_map(definitions).collect();
        let definitions = with_called(&near, &all, &loaded.definition);
        let processes = compiled(files, &definitions)?;
        let (mut scripts, mut diagnostics) = (Vec::new(), Vec::new());
        for test in &tests {
            match Script::of(test.test, &processes) {
                Ok(script) => scripts.push(script),
                Err(unreadable) => diagnostics.extend(unreadable.iter().map(|it| Diagnostic {
                    process_name: Some(loaded.definition.process_name.clone()),
                    path: format!("{}{}", test.path, it.path),
                    ..said(&SCRIPT, &it.message, test.spot(&it.path))
                })),
            }
        }
        match diagnostics.is_empty() {
            true => {
                let source = &files[at].source;
                Ok(Subject { source, loaded, tests, scripts, definitions, processes })
            }
            false => Err(diagnostics),
        }
    }

    /// Plays every script.
    pub fn play(&self, left: &Left<'_>, watch: &Watch) -> Result<(Vec<Outcome>, Coverage)> {
        let (mut seen, mut outcomes) = (Seen::default(), Vec::new());
        let mut means = Means { cache: Cache::default(), left, watch };
        for (test, script) in self.tests.iter().zip(&self.scripts) {
            let failure = self.play_one(test, script, &mut means, &mut seen)?;
            let spot = test.spot("");
            outcomes.push(Outcome { name: test.name.to_owned(), spot, failure });
        }
        let mut coverage = seen.coverage(&self.loaded.definition);
        for never in &mut coverage.never {
            never.line = self.source.place(span_of(&self.loaded.tree, &never.path)).line;
        }
        Ok((outcomes, coverage))
    }

    fn play_one(
        &self,
        test: &Named<'_>,
        script: &Script,
        means: &mut Means<'_>,
        seen: &mut Seen,
    ) -> Result<Option<Failure>> {
        let failure = |path: &str, line: String, unmet: Unmet, trace: Vec<String>| {
            let Unmet { expected, found } = unmet;
            Some(Failure { spot: test.spot(path), deed: line, expected, found, trace })
        };
        let Means { cache, left, watch } = means;
        let mut play = match Play::begin(&self.processes, cache, left, script.given.clone()) {
            Ok(play) => play,
            Err(unmet) => return Ok(failure("", "begin".to_owned(), unmet, Vec::new())),
        };
        let mut failed = None;
        for line in &script.lines {
            watch.check()?;
            if let Err(unmet) = play.act(&line.deed) {
                failed = Some((line, unmet));
                break;
            }
        }
        seen.note(&self.processes, &play.moments);
        let Some((line, unmet)) = failed else { return Ok(None) };
        Ok(failure(&line.path, line.deed.to_string(), unmet, play.trace()))
    }

    pub fn interleavings(&self, runs: u32, seed: u64, watch: &Watch) -> Result<Interleavings> {
        random::interleavings(&self.processes, &self.scripts, runs, seed, watch)
    }

    /// Plays every script on every mutant.
    pub fn mutation(&self, watch: &Watch) -> Result<Mutation> {
        let mut mutation = Mutation::default();
        for mutant in mutants::mutants(&self.loaded.definition) {
            watch.check()?;
            let others = self.definitions.iter().skip(1).copied();
            let definitions: Vec<&Definition> =
                std::iter::once(&mutant.definition).chain(others).collect();
            // What cannot be compiled is noticed by whoever writes it.
            let Ok(processes) = compile(&definitions) else { continue };
            mutation.mutants += 1;
            if self.tests.iter().any(|it| !passes(it.test, &processes)) {
                mutation.noticed += 1;
                continue;
            }
            let line = self.source.place(span_of(&self.loaded.tree, &mutant.path)).line;
            let (path, change) = (mutant.path, mutant.change);
            mutation.survivors.push(Survivor { path, line, change });
        }
        Ok(mutation)
    }
}

fn passes(test: &Test, processes: &Processes) -> bool {
    let Ok(script) = Script::of(test, processes) else { return false };
    let (mut cache, all) = (Cache::default(), Cell::new(ALL_MAX));
    let left = Left { one: Cell::new(ONE_MAX), all: &all };
    let begun = Play::begin(processes, &mut cache, &left, script.given);
    let Ok(mut play) = begun else { return false };
    script.lines.iter().all(|it| play.act(&it.deed).is_ok())
}

impl Named<'_> {
    /// A place in the test.
    fn spot(&self, path: &str) -> Spot {
        Spot::new(self.source, span_of(self.tree, &format!("{}{path}", self.path)))
    }
}

/// The first of these, which are in the files, with the others that it calls.
pub fn compiled(files: &[File], definitions: &[&Definition]) -> Result<Processes, Vec<Diagnostic>> {
    compile(definitions).map_err(|wrong| {
        let told = |it: &Wrong| refused(files, definitions[it.definition], it);
        wrong.iter().filter_map(told).collect()
    })
}

fn compile(definitions: &[&Definition]) -> Result<Processes, Vec<Wrong>> {
    let definitions: Vec<Definition> = definitions.iter().map(|it| (*it).clone()).collect();
    Processes::compile(&definitions)
}

/// What the engine says of a definition, with its place.
fn refused(files: &[File], definition: &Definition, wrong: &Wrong) -> Option<Diagnostic> {
    let mut all =
        files.iter().flat_map(|file| file.loaded.iter().map(move |it| (&file.source, it)));
    let (source, loaded) = all.find(|it| std::ptr::eq(&it.1.definition, definition))?;
    // The parser of expressions draws a picture over several lines.
    let (message, help) = match wrong.message.starts_with("ERROR: ") {
        true => ("this expression cannot be read", Some("lint says why")),
        false => (&*wrong.message, None),
    };
    let is_missing = message.starts_with("no process is");
    let help = help.or(is_missing.then_some(NAME_ITS_FILE));
    Some(Diagnostic {
        process_name: Some(wrong.process_name.clone()),
        path: wrong.path.clone(),
        help: help.map(str::to_owned),
        ..said(&REFUSED, message, Spot::new(source, span_of(&loaded.tree, &wrong.path)))
    })
}

fn said(rule: &'static Rule, message: &str, spot: Spot) -> Diagnostic {
    Diagnostic {
        rule,
        severity: rule.severity,
        message: message.to_owned(),
        help: None,
        process_name: None,
        path: String::new(),
        spot,
        related: Vec::new(),
    }
}
