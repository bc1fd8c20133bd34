//! What came of tests, for people, programs and the pages of a pipeline.

mod junit;
mod text;

use serde::Serialize;

use super::{FAILED, coverage::Coverage, mutants::Mutation, random::Interleavings};
use crate::process::{
    diagnostic::{Diagnostic, Spot},
    lint::place::join,
};

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// What chance came from.
    pub seed: u64,
    /// What cannot be read or played.
    pub diagnostics: Vec<Diagnostic>,
    pub tested: Vec<Tested>,
}

/// A definition and what came of its tests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    pub file: String,
    pub process_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_version: Option<String>,
    pub tests: Vec<Outcome>,
    pub coverage: Coverage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interleavings: Option<Interleavings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutation: Option<Mutation>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    pub name: String,
    #[serde(flatten)]
    pub spot: Spot,
    /// None: it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// The line that a test failed at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    #[serde(flatten)]
    pub spot: Spot,
    /// The line, in the short notation.
    pub deed: String,
    pub expected: String,
    pub found: String,
    pub trace: Vec<String>,
}

impl Report {
    /// Whether all could be played and nothing failed; what no test comes to is no failure.
    pub fn passed(&self) -> bool {
        self.diagnostics.is_empty() && self.tested.iter().all(Tested::passed)
    }

    /// The tests that failed, each as something that is wrong where it stands.
    pub fn failures(&self) -> Vec<Diagnostic> {
        self.tested.iter().flat_map(Tested::failures).collect()
    }

    pub fn junit(&self) -> String {
        junit::render(self)
    }

    pub fn text(&self) -> String {
        text::render(self)
    }

    /// How many tests there are, and how many failed.
    pub fn count(&self) -> (usize, usize) {
        let tests = self.tested.iter().flat_map(|it| &it.tests);
        (tests.clone().count(), tests.filter(|it| it.failure.is_some()).count())
    }
}

impl Tested {
    pub fn passed(&self) -> bool {
        let found = self.interleavings.as_ref().and_then(|it| it.found.as_ref());
        found.is_none() && self.tests.iter().all(|it| it.failure.is_none())
    }

    fn failures(&self) -> impl Iterator<Item = Diagnostic> {
        self.tests.iter().filter_map(|test| {
            let Failure { spot, deed, expected, found, .. } = test.failure.as_ref()?;
            let name = &test.name;
            Some(Diagnostic {
                rule: &FAILED,
                severity: FAILED.severity,
                message: format!(
                    "the test `{name}` fails at `{deed}`: expected {expected}, found {found}"
                ),
                help: None,
                process_name: Some(self.process_name.clone()),
                path: join("tests", name),
                spot: spot.clone(),
                related: Vec::new(),
            })
        })
    }
}
