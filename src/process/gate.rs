//! What a file must be to be published: one definition that lint finds no error in, and whose
//! tests pass.

use super::{
    called::{Lookup, add_called},
    diagnostic::{Diagnostic, Severity},
    lint::{
        self,
        names::{NAME_ITS_FILE, UNKNOWN_PROCESS},
    },
    load::{self, File},
    test::{
        self, Options,
        beside::{Beside, is_beside},
    },
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// What a file is called where something is said of it, and its bytes.
pub type Named = (String, Vec<u8>);

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
        add_called(&mut files, self.lookup)?;
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
