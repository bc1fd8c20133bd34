//! The conformance set and the corner cases, and what a report says.

use expect_test::{Expect, expect};

use super::{Options, beside::Beside, report::Report, run};
use crate::process::load::{self, File};

const PATTERNS: &str = include_str!("../../../protocol/patterns.yaml");
const CORNERS: &str = include_str!("../../engine/corners.yaml");

fn file(text: &str) -> File {
    load::read("p.yaml", text.as_bytes())
}

fn report(text: &str, options: &Options) -> Report {
    run(&[file(text)], &[], options)
}

/// What people read of tests of a definition.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&report(text, &Options::default()).text());
}

/// Whether all is done that takes long.
fn is_all() -> bool {
    std::env::var("GITPORT_PROCESSES").is_ok_and(|it| it == "all")
}

#[test]
fn the_conformance_set_passes() {
    let report = report(PATTERNS, &Options::default());
    assert_eq!(report.count(), (89, 0), "{}", report.text());
    assert_eq!((report.tested.len(), report.exit_code()), (57, 0));
}

#[test]
fn corner_cases_pass() {
    let report = report(CORNERS, &Options::default());
    assert!(report.passed(), "{}", report.text());
}

/// 300 runs of each definition with `GITPORT_PROCESSES=all`.
#[test]
fn any_order_of_what_can_be_done_is_fine() {
    let interleavings = if is_all() { 300 } else { 25 };
    for text in [PATTERNS, CORNERS] {
        let report = report(text, &Options { interleavings, seed: 1, ..Options::default() });
        assert!(report.passed(), "{}", report.text());
    }
}

#[test]
fn scripts_of_the_conformance_set_notice_mistakes() {
    let report = report(PATTERNS, &Options { mutants: true, ..Options::default() });
    let all = report.tested.iter().flat_map(|it| &it.mutation);
    let (mutants, noticed) = all.fold((0, 0), |sum, it| (sum.0 + it.mutants, sum.1 + it.noticed));
    println!("{noticed} of {mutants} mistakes are noticed");
    assert!(mutants > 900 && noticed * 100 >= mutants * 90, "{}", report.text());
}

const LEAVE: &str = "
process_name: leave
steps:
  - step_id: ask
    transitions: [{on: yes, next_step: book}, {on: no}]
  - {step_id: book, retry: {attempts: 2, wait: 1m}, next: wait}
  - {step_id: wait, await: {event: back, key: \"'k'\", after: 7d}, transitions: [{on: ok, next_step: close}, {on: timeout, next_step: remind}]}
  - {step_id: remind}
  - {step_id: close, step_type: final_commit, final_status: closed}
";

#[test]
fn a_scenario_says_the_same_in_words() {
    let tests = "
tests:
  in_words:
    given: {days: 3}
    scenario:
      - {when: {start: ask}, then: {running: [ask], offers: [], not: [book], status: running}}
      - {when: {step: ask, outcome: maybe, refused: true}}
      - {when: {step: ask, outcome: yes, data: {by: ann}}, then: {offers: [book], data: {by: ann, days: 3}}}
      - when: {start: book}
      - {when: {step: book, error: network}, then: {status: waiting, running: [book]}}
      - after: 1m
      - {when: {step: book}, then: {running: [wait]}}
      - {when: {event: back, key: other}, then: {not: [close]}}
      - {when: {event: back, key: k, data: {days: 4}}, then: {offers: [close], data: {days: 4}}}
      - {when: {step: close}, then: {status: closed}}
  in_short: [+ask, \"#-ask:maybe\", {\"-ask:yes\": {by: ann}}, +book, ^book:network, =waiting, \">1m\", book, \"!back=other\", ~close, \"!back=k\", close, =closed, =done]
  late: [ask:yes, book, \">6d23h59m\", ~remind, \">1m\", \"@remind\", remind, =done]
  no: [ask:no, =done]
";
    check(&format!("{LEAVE}{tests}"), expect![[""]]);
}

#[test]
fn a_failing_line_says_where_it_is_and_how_it_came_to_that() {
    check(
        "
process_name: p
steps:
  - {step_id: a, split: all, next: [b, c]}
  - {step_id: b, next: d}
  - {step_id: c, next: d}
  - {step_id: d, join: all}
  - {step_id: e}
tests:
  joined: [a, b, \"?d\"]
  done:
    scenario:
      - when: {step: a}
      - when: {step: b}
        then:
          offers: [c, d]
  misdone: [b]
  data: [{a: {x: 1}}, {=data: {x: 2}}]
",
        expect![[""]],
    );
}

#[test]
fn what_cannot_be_played_is_said_with_its_place() {
    let tests = "
tests:
  misspelt: [ask:yes, ~bok, \"!bak\", =finished, \">soon\", \"#?ask\", {+ask: {x: 1}}, b&0]
  twice: {scenario: [{when: {step: ask, event: back}}, {after: 1h, when: {start: ask}}, {}]}
";
    check(&format!("{LEAVE}{tests}"), expect![[""]]);
}

#[test]
fn what_is_due_meanwhile_happens_at_its_own_time() {
    let report = report(
        "
process_name: p
steps:
  - {step_id: a, await: {after: 1h}, next: b}
  - {step_id: b, await: {after: 1h}, next: c}
  - {step_id: c}
tests:
  both: [\">1h59m\", \"~c\", \">1m\", \"@c\", c, =done]
  at_once: [\">2h\", c]
",
        &Options::default(),
    );
    assert!(report.passed(), "{}", report.text());
}

#[test]
fn the_second_of_several_threads_has_a_name() {
    let steps = "[{step_id: a, transitions: [{next_step: b, tokens: 2}]}, {step_id: b}]";
    let tests = "{it: [a, +b&2, \"?b&2\", \"~b&3\", -b, b, =done]}";
    let report =
        report(&format!("{{process_name: p, steps: {steps}, tests: {tests}}}"), &Options::default());
    assert!(report.passed(), "{}", report.text());
}

/// A branch that one of two outcomes does not come to is waited for in vain.
const DEADLOCK: &str = "
process_name: p
steps:
  - {step_id: a, split: all, next: [b, c, d]}
  - {step_id: b, transitions: [{on: ok, next_step: e}, {on: no}]}
  - {step_id: c, next: e}
  - {step_id: d, repeat: {until: 'n > 3'}}
  - {step_id: e, join: all}
data: {n: 0}
tests:
  well: [a, b:ok, c, e, +d, {-d: {n: 4}}, =done]
";

#[test]
fn a_run_by_chance_that_sticks_is_found_and_made_short() {
    let options = Options { interleavings: 50, seed: 7, ..Options::default() };
    let found = report(DEADLOCK, &options);
    assert_eq!(found, report(DEADLOCK, &options));
    expect![[""]].assert_eq(&found.text());
    let interleavings = found.tested[0].interleavings.clone().unwrap();
    let script = interleavings.found.unwrap().script.join(", ");
    let again = format!("{DEADLOCK}  found: [{script}, =stuck]\n");
    assert!(report(&again, &Options::default()).passed());
    // Who says that it may stick is not told again.
    assert!(report(&again, &options).passed());
}

#[test]
fn called_processes_are_found_in_other_files_and_by_version() {
    let caller = "
process_name: p
steps: [{step_id: c, call: {process_name: q, process_version: '2'}, returns: {x: x}}]
tests: {it: [c/new, {=data: {x: 2}}, =done]}
";
    let called = "
{process_name: q, process_version: '1', steps: [{step_id: old}]}
---
{process_name: q, process_version: '2', data: {x: 2}, steps: [{step_id: new}]}
";
    let files = [file(caller), load::read("q.yaml", called.as_bytes())];
    let report = run(&files, &[], &Options::default());
    assert!(report.passed(), "{}", report.text());
    let alone = run(&files[..1], &[], &Options::default());
    expect![[""]].assert_eq(&alone.text());
}

#[test]
fn tests_may_be_in_a_file_beside() {
    let definition = file("{process_name: p, steps: [{step_id: a}]}");
    let text = "process_name: p\ntests:\n  it: [a, =done]\n  wrong:\n    - =done\n---\nprocess_name: q\ntests: {}\n---\nprocess_name: p\ntets: {}\n";
    let beside = Beside::read("p.test.yaml", text.as_bytes());
    let report = run(&[definition], &[beside], &Options::default());
    expect![[""]].assert_eq(&report.text());
}

#[test]
fn pipelines_read_junit_and_json() {
    let text = "
process_name: p
steps: [{step_id: a, transitions: [{on: '<&\">', next_step: b}]}, {step_id: b}]
tests:
  fine: ['a:<&\">', b]
  wrong: ['a:<&\">', ?a]
";
    let report = report(text, &Options { interleavings: 5, mutants: true, ..Options::default() });
    assert_eq!(report.exit_code(), 1);
    expect![[""]].assert_eq(&report.junit());
    expect![[""]].assert_eq(&report.json());
}

#[test]
fn only_some_tests_are_played_on_request() {
    let options = Options { only: Some("wcp01".to_owned()), ..Options::default() };
    assert_eq!(report(PATTERNS, &options).count(), (1, 0));
}
