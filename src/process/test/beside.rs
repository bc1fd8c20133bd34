//! Tests in a file of their own: `expense.test.yaml` beside `expense.yaml`.
//!
//! Each document names its process and has `tests` as the process itself could have them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{SCRIPT, subject::Named};
use crate::{
    engine::definition::{Definition, test::Test},
    process::{
        diagnostic::{Diagnostic, Spot, nearest},
        lint::place::{join, span_of},
        source::Source,
        yaml::{self, Fault, Node},
    },
};

/// A file of tests: what could be read, and what could not.
#[derive(Debug)]
pub struct Beside {
    pub scripts: Vec<Scripts>,
    pub diagnostics: Vec<Diagnostic>,
    source: Source,
}

/// The tests of one process.
#[derive(Debug)]
pub struct Scripts {
    tests: TestsOf,
    tree: Node,
    spot: Spot,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestsOf {
    process_name: String,
    /// Without it, of every version.
    process_version: Option<String>,
    tests: BTreeMap<String, Test>,
}

/// Whether a file has tests and no definitions, as its name says.
pub fn is_beside(name: &str) -> bool {
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

impl Beside {
    pub fn read(name: &str, bytes: &[u8]) -> Beside {
        let (source, documents, faults) = yaml::read(name, bytes);
        let mut diagnostics: Vec<Diagnostic> =
            faults.iter().map(|it| it.told(&source, None)).collect();
        let mut scripts = Vec::new();
        for tree in documents.into_iter().filter(|_| faults.is_empty()) {
            match serde_path_to_error::deserialize(tree.value()) {
                Ok(tests) => {
                    let spot = Spot::new(&source, span_of(&tree, "process_name"));
                    scripts.push(Scripts { tests, tree, spot });
                }
                Err(error) => {
                    let path = error.path().to_string();
                    let span = span_of(&tree, &path);
                    let message = error.into_inner().to_string();
                    let is_no_line = message.starts_with("invalid type: null, expected a line");
                    let help = is_no_line.then(|| yaml::NO_LINE.to_owned());
                    let fault = Fault { help, path, ..Fault::new(&SCRIPT, span, message) };
                    diagnostics.push(fault.told(&source, None));
                }
            }
        }
        Beside { scripts, diagnostics, source }
    }

    /// The tests of a definition.
    pub fn tests_of<'a>(&'a self, definition: &Definition) -> Vec<Named<'a>> {
        let mut tests = Vec::new();
        for scripts in self.scripts.iter().filter(|it| it.is_of(definition)) {
            for (name, test) in &scripts.tests.tests {
                let path = join("tests", name);
                tests.push(Named { name, test, path, source: &self.source, tree: &scripts.tree });
            }
        }
        tests
    }
}

impl Scripts {
    pub fn is_of(&self, definition: &Definition) -> bool {
        let version = &self.tests.process_version;
        self.tests.process_name == definition.process_name
            && (version.is_none() || *version == definition.process_version)
    }

    /// What is said of tests that none of these definitions is there for.
    pub fn without_process(&self, known: &[&Definition]) -> Diagnostic {
        let name = &self.tests.process_name;
        let named = known.iter().filter(|it| it.process_name == *name);
        let versions: Vec<&str> =
            named.map(|it| it.process_version.as_deref().unwrap_or("none")).collect();
        let (message, help) = match (&self.tests.process_version, &*versions) {
            (Some(wanted), [_, ..]) => {
                let there = versions.join(", ");
                let message = format!("these are tests of `{name}` {wanted}, and here is {there}");
                (message, None)
            }
            _ => {
                let near = nearest(name, known.iter().map(|it| &*it.process_name));
                let message =
                    format!("give the file of the process `{name}` too: these are its tests");
                (message, near.map(|it| format!("`{it}` is meant?")))
            }
        };
        Diagnostic {
            rule: &SCRIPT,
            severity: SCRIPT.severity,
            message,
            help,
            process_name: Some(name.clone()),
            path: "process_name".to_owned(),
            spot: self.spot.clone(),
            related: Vec::new(),
        }
    }
}
