//! Each rule, by definitions that say in comments what is found in which line.

use std::{collections::BTreeSet, fs};

use super::{RULES, lint};
use crate::{
    process::{diagnostic::Severity, load, test::Options},
    watch::Watch,
};

const PAIRS: &str = include_str!("pairs.txt");
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

/// A rule, a file that breaks it, and one that is nearly the same and right.
fn pairs() -> Vec<(&'static str, &'static str, &'static str)> {
    let sections = PAIRS.split("\n### ").skip(1).collect::<Vec<_>>();
    let pair = |it: &[&'static str]| {
        let (rule, broken) = it[0].split_once('\n').unwrap();
        let right = it[1].strip_prefix("but not\n").unwrap();
        (rule, broken, right)
    };
    sections.chunks(2).map(pair).collect()
}

/// The names of the rules that a file breaks, its tests with it.
fn broken(text: &str) -> BTreeSet<&'static str> {
    let (watch, files) = (Watch::default(), [load::read("p.yaml", text.as_bytes())]);
    let diagnostics = super::check(&files, &watch).unwrap();
    let mut broken: BTreeSet<_> = diagnostics.iter().map(|it| it.rule.name).collect();
    let tested = crate::process::test::run(&files, &[], &Options::default(), &watch).unwrap();
    let failures = tested.failures();
    broken.extend(tested.diagnostics.iter().chain(&failures).map(|it| it.rule.name));
    broken
}

#[test]
fn each_rule_has_a_file_that_breaks_it_and_a_neighbour_that_does_not() {
    for (rule, wrong, right) in pairs() {
        assert!(broken(wrong).contains(rule), "{rule}: {:?}", broken(wrong));
        assert_eq!(broken(right), BTreeSet::new(), "{rule}");
        let lines: BTreeSet<&str> = wrong.lines().collect();
        let others = right.lines().filter(|it| !lines.contains(it)).count();
        assert!(others <= 2, "{rule}: the two files have to be nearly the same");
    }
    let shown: BTreeSet<&str> = pairs().iter().map(|it| it.0).collect();
    let names: Vec<&str> = RULES.iter().copied().flatten().map(|it| it.name).collect();
    let missing: Vec<_> = names.iter().filter(|it| !shown.contains(**it)).collect();
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

#[test]
fn what_is_too_much_to_look_at_is_too_large_and_nothing_else() {
    let check = |steps: &str, expected: &str| {
        let text = format!("{{process_name: p, steps: [{{step_id: s}}{steps}]}}");
        let told = lint(&[("p.yaml", text.as_bytes())]);
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, [format!("p.yaml:1:19: error[too-large]: {expected}")]);
    };
    let many = |count: usize, step: &dyn Fn(usize) -> String| -> String {
        (0..count).map(|it| format!(", {{step_id: a{it}, {}}}", step(it))).collect()
    };
    let collecting = many(251, &|_| "join: {from: s}".to_owned());
    check(&collecting, "make blocks of this: 250 joins with `from` at most beside each other");
    let ways = many(5, &|_| format!("next: [{}]", vec!["s"; 4001].join(", ")));
    check(&ways, "make several processes of this one: 20000 transitions at most, not 20005");
    let outcomes = format!(", {{step_id: a, transitions: [{}]}}", vec!["{on: x}"; 501].join(", "));
    check(&outcomes, "let a step have fewer transitions: 500 at most");
    let schemas = many(11, &|_| "input: {pattern: '(a{1000}){10}'}".to_owned());
    check(&schemas, "shorten the schemas: 20000 values at most, about, not 22132");
}

/// The message and the help for the first thing that is wrong.
fn told(text: &str) -> (String, String) {
    let told = lint(&[("p.yaml", text.as_bytes())]).into_iter().next();
    let told = told.unwrap_or_else(|| panic!("nothing is wrong in {text}"));
    (told.message, told.help.unwrap_or_default())
}

#[test]
fn a_key_of_another_language_is_met_with_the_one_that_is_meant() {
    let check = |place: &str, key: &str, meant: &str| {
        let text = place.replace("KEY", key);
        assert_eq!(told(&text).0, format!("`{key}` is no key here: `{meant}` is meant?"), "{text}");
    };
    let process = "{process_name: p, KEY: 1, steps: [{step_id: a}]}";
    for (key, meant) in [
        ("name", "process_name"),
        ("version", "process_version"),
        ("start", "initial_step"),
        ("schedule", "triggers"),
        ("cron", "triggers"),
        ("stepz", "steps"),
    ] {
        check(process, key, meant);
    }
    let step = "{process_name: p, steps: [{step_id: a, KEY: 1}]}";
    for (key, meant) in [
        ("id", "step_id"),
        ("name", "step_id"),
        ("type", "step_type"),
        ("then", "next"),
        ("goto", "next"),
        ("To", "next"),
        ("foreach", "each"),
        ("for_each", "each"),
        ("subprocess", "call"),
        ("invoke", "call"),
        ("wait", "await"),
        ("retries", "retry"),
        ("splt", "split"),
        ("next_step", "next"),
        ("when", "transitions"),
    ] {
        check(step, key, meant);
    }
    let transition = "{process_name: p, steps: [{step_id: a, transitions: [{KEY: b}]}]}";
    for (key, meant) in [("if", "when"), ("condition", "when"), ("to", "next_step")] {
        check(transition, key, meant);
    }
    check("{process_name: p, steps: [{step_id: a, call: {KEY: q}}]}", "name", "process_name");
    check("{process_name: p, steps: [{step_id: a}], triggers: [{KEY: q}]}", "schedule", "cron");
    let none = told("{process_name: p, steps: [{step_id: a, await: {event: e, if: x}}]}");
    assert_eq!(none.0, "`if` is no key here: take it away");
}

#[test]
fn what_an_expression_should_be_is_said() {
    let check = |source: &str, message: &str, help: &str| {
        let text =
            format!("{{process_name: p, steps: [{{step_id: a, only_while: \"{source}\"}}]}}");
        assert_eq!(told(&text), (message.to_owned(), help.to_owned()), "{source}");
    };
    check("sizee(x) > 1", "no function is `sizee`: call one that there is", "`size` is meant?");
    check(
        "s.startswith('a')",
        "no function is `startswith`: call one that there is",
        "`startsWith` is meant?",
    );
    check("len(x) > 1", "no function is `len`: call one that there is", "`size` is meant?");
    let foo = told("{process_name: p, steps: [{step_id: a, only_while: foo(x)}]}");
    assert!(foo.1.starts_with("the functions: `all`, `bool`"), "{}", foo.1);
    for (source, help) in [("a and b", "write `&&` for and"), ("a = b", "write `==` for equal")] {
        let text = format!("{{process_name: p, steps: [{{step_id: a, only_while: {source}}}]}}");
        assert_eq!(told(&text).1, help, "{source}");
    }
    let shape = "`contains` is not called so: write it as in `text.contains(…)`";
    check("contains(s, 'a')", shape, "");
    let names =
        "of a name of the data itself: begin with `data: {total: null}`, and ask `total != null`";
    check("has(total)", "let `has` take a member, such as `has(order.total)`", names);
}

#[test]
fn what_gets_stuck_is_told_with_the_ways_that_lead_there() {
    let check = |more: &str, expected: &str| {
        let text = format!(
            "
process_name: p
steps:
  - {{step_id: a, split: all, next: [b, c]}}
{more}
  - {{step_id: c, next: d}}
  - {{step_id: d, join: all}}
"
        );
        let (message, help) = told(&text);
        assert!(message.starts_with("a run can get stuck"), "{message}");
        assert_eq!(help, format!("it is stuck after {expected}"));
    };
    check(
        "  - {step_id: b, transitions: [{on: good, next_step: d}, {on: bad}]}",
        "`a`, `b:bad`, `c`",
    );
    let when =
        "[{on: good, when: n > 5, next_step: d}, {on: good, else: true}, {on: bad, next_step: d}]";
    check(&format!("  - {{step_id: b, transitions: {when}}}"), "`a`, `b:good`, `c`");
    let when = "[{when: n > 5}, {else: true, next_step: d}]";
    check(&format!("  - {{step_id: b, transitions: {when}}}"), "`a`, `b [n > 5]`, `c`");
    let ends = "transitions: [{on: failed}, {next_step: d}]";
    check(
        &format!("  - {{step_id: b, steps: [{{step_id: p}}], {ends}}}"),
        "`a`, `c`, `b/p`, `b:failed`",
    );
    check(
        &format!("  - {{step_id: b, each: {{count: 3}}, {ends}}}"),
        "`a`, `c`, `b#1`, `b:failed`",
    );
}

#[test]
fn a_process_that_is_in_no_file_has_its_file_named() {
    let calls = "{process_name: a, steps: [{step_id: s, call: CALLED}]}";
    let lint = told(&calls.replace("CALLED", "b")).0;
    assert!(lint.contains("name its file too"), "{lint}");
    for called in ["b", "{process_name: b, process_version: ^1}"] {
        let text = calls.replace("CALLED", called);
        let files = [load::read("a.yaml", text.as_bytes())];
        let options = Options::default();
        let tested = crate::process::test::run(&files, &[], &options, &Watch::default()).unwrap();
        let helps: Vec<_> = tested.diagnostics.iter().map(|it| it.help.as_deref()).collect();
        assert_eq!(helps, [Some("name its file too")], "{called}");
    }
}
