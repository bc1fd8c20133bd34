//! What a file must be to be published: one definition that lint finds no error in, and whose
//! tests pass.

use std::collections::BTreeSet;

use super::{
    diagnostic::{Diagnostic, Severity},
    lint::{
        self,
        names::{NAME_ITS_FILE, UNKNOWN_PROCESS},
    },
    load::{self, File, Loaded},
    test::{
        self, Options,
        beside::{Beside, is_beside},
        subject::called,
    },
};
use crate::{
    engine::{
        definition::{Definition, work::Call},
        net::versions,
    },
    error::{Error, Result},
    watch::Watch,
};

/// What a file is called where something is said of it, and its bytes.
pub type Named = (String, Vec<u8>);

/// The file of a process that is called by this name and perhaps version, if it was published.
type Lookup<'a> = dyn Fn(&str, Option<&str>) -> Result<Option<Named>> + 'a;

/// A file that is to be published, and what it is looked at with.
pub struct Candidate<'a> {
    pub file: &'a Named,
    /// Processes that it calls, and its tests.
    pub beside: &'a [Named],
    pub lookup: &'a Lookup<'a>,
}

impl Candidate<'_> {
    /// Fails for a file that must not be published.
    pub fn pass(&self, watch: &Watch) -> Result<()> {
        let (name, bytes) = self.file;
        let file = load::read(name, bytes);
        expect_none(file.diagnostics.clone())?;
        if file.loaded.len() != 1 {
            let message = format!(
                "{name}: one definition is published at a time, and here are {}: make a file of \
                 each",
                file.loaded.len()
            );
            return Err(Error::invalid(message));
        }
        let (tests, others): (Vec<&Named>, Vec<&Named>) =
            self.beside.iter().filter(|it| it.0 != *name).partition(|it| is_beside(&it.0));
        let others = others.into_iter().map(|(name, bytes)| load::read(name, bytes));
        let mut files: Vec<File> = std::iter::once(file).chain(others).collect();
        self.add_called(&mut files)?;
        let mut wrong = lint::check(&files, watch)?;
        wrong.retain(|it| it.spot.file == *name);
        expect_none(wrong.into_iter().map(of_publishing).collect())?;
        let tests: Vec<Beside> =
            tests.into_iter().map(|(name, bytes)| Beside::read(name, bytes)).collect();
        let options = Options { files: Some(1), ..Options::default() };
        let report = test::run(&files, &tests, &options, watch)?;
        let failures = report.failures();
        let diagnostics = report.diagnostics.into_iter().map(of_publishing);
        expect_none(diagnostics.chain(failures).collect())
    }

    /// Adds what is called and not there, as it was published.
    fn add_called(&self, files: &mut Vec<File>) -> Result<()> {
        let (mut at, mut asked) = (0, BTreeSet::new());
        while at < files.len() {
            let mut fetched = Vec::new();
            let known: Vec<&Definition> =
                files.iter().flat_map(|it| &it.loaded).map(|it| &it.definition).collect();
            for (caller, call) in files[at].loaded.iter().flat_map(calls) {
                if versions::called(call, caller, &known).is_some() {
                    continue;
                }
                let (name, version) = (call.process_name(), call.process_version());
                // What is not to be had is asked for once.
                if asked.insert((name.to_owned(), version.map(str::to_owned))) {
                    fetched.extend((self.lookup)(name, version)?);
                }
            }
            files.extend(fetched.iter().map(|(name, bytes)| load::read(name, bytes)));
            at += 1;
        }
        Ok(())
    }
}

fn calls(loaded: &Loaded) -> impl Iterator<Item = (&Definition, &Call)> {
    let (caller, mut calls) = (&loaded.definition, Vec::new());
    called(&caller.steps, &mut calls);
    calls.into_iter().map(move |it| (caller, it))
}

/// What is called was looked for where it would be published, too.
fn of_publishing(mut it: Diagnostic) -> Diagnostic {
    let (what, advice) = it.message.split_once(':').unwrap_or((&it.message, NAME_ITS_FILE));
    if *it.rule == UNKNOWN_PROCESS || it.help.as_deref() == Some(advice) {
        it.message = format!("{what}: it is neither published in this store nor in a file beside");
    }
    it
}

fn expect_none(mut diagnostics: Vec<Diagnostic>) -> Result<()> {
    diagnostics.retain(|it| it.severity == Severity::Error);
    match diagnostics.is_empty() {
        true => Ok(()),
        false => Err(load::refused(&diagnostics)),
    }
}
