//! Each rule, by definitions that say in comments what is found in which line.

use std::{collections::BTreeSet, fs};

use super::{RULES, lint};
use crate::process::diagnostic::Severity;

const PATTERNS: &str = include_str!("../../../protocol/patterns.yaml");

/// What is expected: `# error rule` or `# warning rule`, at the end of the line it is said of.
fn expected(text: &str) -> Vec<String> {
    let mut expected = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((_, comment)) = line.rsplit_once("  # ") else { continue };
        for told in comment.split(", ") {
            expected.push(format!("{} {told}", index + 1));
        }
    }
    expected.sort();
    expected
}

fn found(name: &str, text: &str) -> Vec<String> {
    let diagnostics = lint(&[(name, text.as_bytes())]);
    let told = diagnostics
        .iter()
        .map(|it| format!("{} {} {}", it.spot.place.line, it.severity.as_str(), it.rule.name));
    let mut found: Vec<String> = told.collect();
    found.sort();
    found
}

fn cases() -> Vec<(String, String)> {
    let files = fs::read_dir("src/process/lint/cases").unwrap().map(|it| it.unwrap().path());
    let read = files.map(|it| (it.display().to_string(), fs::read_to_string(&it).unwrap()));
    read.collect()
}

#[test]
fn each_rule_is_said_where_it_is_broken_and_nowhere_else() {
    for (name, text) in cases() {
        assert_eq!(found(&name, &text), expected(&text), "{name}");
    }
}

#[test]
fn every_rule_has_a_case_that_breaks_it() {
    let mut broken = BTreeSet::new();
    for (name, text) in cases() {
        for told in found(&name, &text) {
            broken.insert(told.rsplit(' ').next().unwrap().to_owned());
        }
    }
    // What is no YAML has files of its own, as bytes.
    broken.extend(["yaml", "too-large", "no-process", "wrong-value"].map(str::to_owned));
    let names: Vec<&str> = RULES.iter().copied().flatten().map(|it| it.name).collect();
    let missing: Vec<_> = names.iter().filter(|it| !broken.contains(**it)).collect();
    assert_eq!(missing, [&""; 0]);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "two rules of one name");
}

#[test]
fn nothing_is_an_error_in_the_conformance_set() {
    let diagnostics = lint(&[("patterns.yaml", PATTERNS.as_bytes())]);
    let errors: Vec<String> = diagnostics
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors, [""; 0]);
}

#[test]
fn processes_of_other_files_are_known() {
    let calls = b"{process_name: a, steps: [{step_id: s, call: b, emit: go}]}";
    let called = b"{process_name: b, steps: [{step_id: s, await: go}]}";
    let told = lint(&[("a.yaml", calls), ("b.yaml", called)]);
    assert_eq!(told, []);
    let alone: Vec<_> = lint(&[("a.yaml", calls)]).iter().map(|it| it.rule.name).collect();
    assert_eq!(alone, ["unknown-process", "unawaited-emit"]);
}
