//! The conformance set and the corner cases, and what a report says.

use std::cell::Cell;

use expect_test::{Expect, expect};

use super::{
    Options,
    beside::Beside,
    play::Left,
    report::Report,
    run,
    subject::{self, Subject},
};
use crate::{
    process::load::{self, File},
    watch::Watch,
};

const PATTERNS: &str = include_str!("../../../protocol/patterns.yaml");
const CORNERS: &str = include_str!("../../engine/corners.yaml");

fn file(text: &str) -> File {
    load::read("p.yaml", text.as_bytes())
}

fn played(files: &[File], beside: &[Beside], options: &Options) -> Report {
    run(files, beside, options, &Watch::default()).unwrap()
}

fn report(text: &str, options: &Options) -> Report {
    played(&[file(text)], &[], options)
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
    assert!(report.passed());
    assert_eq!(report.tested.len(), 57);
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
#[expect(clippy::print_stdout, reason = "the share is a figure that is asked for")]
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
      - {when: {heartbeat: book}, then: {running: [book]}}
      - {when: {heartbeat: ask, refused: true}}
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
    check(
        &format!("{LEAVE}{tests}"),
        expect![[r#"
        leave: 4 passed, steps 5/5, transitions 5/5
        4 tests passed
    "#]],
    );
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
        expect![[r#"
            p: 4 of 4 failed, steps 2/5, transitions 3/4
              data fails at p.yaml:18:23
                line:      =data {"x":2}
                expected:  `x` is 2
                there was: `x` is 1
                so far:
                  begin  →  the run begins
                  +a  →  a starts
                  a {"x":1}  →  a is ok
              done fails at p.yaml:16:11
                line:      @c,d
                expected:  on offer: c, d
                there was: on offer: c; the run is running
                so far:
                  begin  →  the run begins
                  +a  →  a starts
                  a  →  a is ok
                  +b  →  b starts
                  b  →  b is ok
              joined fails at p.yaml:10:18
                line:      ?d
                expected:  `d` is on offer, under way or waited for
                there was: on offer: c; the run is running
                so far:
                  begin  →  the run begins
                  +a  →  a starts
                  a  →  a is ok
                  +b  →  b starts
                  b  →  b is ok
              misdone fails at p.yaml:17:13
                line:      b
                expected:  `b` is on offer
                there was: on offer: a; the run is running
                so far:
                  begin  →  the run begins
              never ran: c (p.yaml:6)
              never ran: c -> d (p.yaml:6)
              never ran: d (p.yaml:7)
              never ran: e (p.yaml:8)
            4 of 4 tests failed
        "#]],
    );
}

#[test]
fn what_cannot_be_played_is_said_with_its_place() {
    let tests = "
tests:
  misspelt: [ask:yes, ~bok, \"!bak\", =finished, \">soon\", \"#?ask\", {+ask: {x: 1}}, b&0]
  twice: {scenario: [{when: {step: ask, event: back}}, {after: 1h, when: {start: ask}}, {}]}
";
    check(
        &format!("{LEAVE}{tests}"),
        expect![[r##"
        error[script]: no step is called `bok`: `book` is meant?
          --> p.yaml:12:23
           |
        12 |   misspelt: [ask:yes, ~bok, "!bak", =finished, ">soon", "#?ask", {+ask: {x: 1}}, b&0]
           |                       ^^^^

        error[script]: no step waits for the event `bak`: `back` is meant?
          --> p.yaml:12:29
           |
        12 |   misspelt: [ask:yes, ~bok, "!bak", =finished, ">soon", "#?ask", {+ask: {x: 1}}, b&0]
           |                             ^^^^^^

        error[script]: no run is ever `finished`
          --> p.yaml:12:37
           |
        12 |   misspelt: [ask:yes, ~bok, "!bak", =finished, ">soon", "#?ask", {+ask: {x: 1}}, b&0]
           |                                     ^^^^^^^^^

        error[script]: write a duration such as >2h or >7d instead of `>soon`
          --> p.yaml:12:48
           |
        12 |   misspelt: [ask:yes, ~bok, "!bak", =finished, ">soon", "#?ask", {+ask: {x: 1}}, b&0]
           |                                                ^^^^^^^

        error[script]: write what is refused behind `#`: something that is done
          --> p.yaml:12:57
           |
        12 |   misspelt: [ask:yes, ~bok, "!bak", =finished, ">soon", "#?ask", {+ask: {x: 1}}, b&0]
           |                                                         ^^^^^^^

        error[script]: take the data away: nothing in `+ask` takes it
          --> p.yaml:12:66
           |
        12 |   misspelt: [ask:yes, ~bok, "!bak", =finished, ">soon", "#?ask", {+ask: {x: 1}}, b&0]
           |                                                                  ^^^^^^^^^^^^^^

        error[script]: name a step, such as a, blk/p, m#2 or b&2, instead of `b&0`
          --> p.yaml:12:82
           |
        12 |   misspelt: [ask:yes, ~bok, "!bak", =finished, ">soon", "#?ask", {+ask: {x: 1}}, b&0]
           |                                                                                  ^^^

        error[script]: say one of `step`, `start`, `heartbeat` and `event`
          --> p.yaml:13:23
           |
        13 |   twice: {scenario: [{when: {step: ask, event: back}}, {after: 1h, when: {start: ask}}, {}]}
           |                       ^^^^

        error[script]: say `after` and `when` one after the other, in acts of their own
          --> p.yaml:13:56
           |
        13 |   twice: {scenario: [{when: {step: ask, event: back}}, {after: 1h, when: {start: ask}}, {}]}
           |                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        error[script]: say `when`, `after` or `then` here
          --> p.yaml:13:89
           |
        13 |   twice: {scenario: [{when: {step: ask, event: back}}, {after: 1h, when: {start: ask}}, {}]}
           |                                                                                         ^^

        10 errors, 0 warnings

        0 tests passed
    "##]],
    );
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
    let report = report(
        &format!("{{process_name: p, steps: {steps}, tests: {tests}}}"),
        &Options::default(),
    );
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
    expect![[r#"
        p: 1 passed, steps 5/5, transitions 5/6
          never ran: b -no-> the end of the thread (p.yaml:5)
          run 1 by chance (seed 7): the run is stuck: threads are left, and nothing can move them
            script: ["+a", "-a", "+d", "+c", "+b", "-b:no", "-c", {"-d":{"n":4}}]
            so far:
              begin  →  the run begins
              +a  →  a starts
              -a  →  a is ok
              +d  →  d starts
              +c  →  c starts
              +b  →  b starts
              -b:no  →  b is no
              -c  →  c is ok
              -d {"n":4}  →  d is ok
        1 test passed; runs by chance went wrong in 1 definition
    "#]]
    .assert_eq(&found.text());
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
steps: [{step_id: c, call: {process_name: q, process_version: '2'}, returns: {x: x}, next: d}, {step_id: d, call: {process_name: q, process_version: ^1.0}}]
tests: {it: [c/new, {=data: {x: 2}}, d/old, =done]}
";
    let called = "
{process_name: q, process_version: '1', steps: [{step_id: old}]}
---
{process_name: q, process_version: '2', data: {x: 2}, steps: [{step_id: new}]}
";
    let files = [file(caller), load::read("q.yaml", called.as_bytes())];
    let report = played(&files, &[], &Options::default());
    assert!(report.passed(), "{}", report.text());
    let alone = played(&files[..1], &[], &Options::default());
    expect![[r#"
        error[refused]: no process is `q` in version 2
         --> p.yaml:3:22
          |
        3 | steps: [{step_id: c, call: {process_name: q, process_version: '2'}, returns: {x: x}, next: d}, {step_id: d, call: {process_name: q, p...
          |                      ^^^^
          |
          = help: name its file too

        error[refused]: no process is `q` in version ^1.0
         --> p.yaml:3:109
          |
        3 | steps: [{step_id: c, call: {process_name: q, process_version: '2'}, returns: {x: x}, next: d}, {step_id: d, call: {process_name: q, p...
          |                                                                                                             ^^^^
          |
          = help: name its file too

        2 errors, 0 warnings

        0 tests passed
    "#]]
    .assert_eq(&alone.text());
}

#[test]
fn what_happens_in_tests_has_a_bound() {
    let files = [file(
        "{process_name: p, steps: [{step_id: a, await: {after: 1s}, next: a}], tests: {t: ['>9s']}}",
    )];
    let loaded = &files[0].loaded[0];
    let tests = || subject::tests_of(&files[0].source, loaded);
    let subject = Subject::new(&files, 0, loaded, tests()).unwrap_or_else(|it| panic!("{it:?}"));
    let failure = |left: usize| {
        let all = Cell::new(1_000_000);
        let left = Left { one: Cell::new(left), all: &all };
        let (tests, _) = subject.play(&left, &Watch::default()).unwrap();
        tests[0].failure.as_ref().map(|it| it.found.clone())
    };
    assert_eq!(failure(1000), None);
    let found = failure(10).unwrap();
    assert!(found.starts_with("refused: 200000 things happened in the tests"), "{found}");
}

#[test]
fn who_names_a_step_of_which_there_are_instances_is_told_how_they_are_named() {
    let check = |line: &str, hint: &str| {
        let text = format!(
            "
process_name: p
steps:
  - {{step_id: m, each: {{count: 2}}, next: b}}
  - {{step_id: b, each: {{count: 2}}, steps: [{{step_id: q}}]}}
tests: {{it: [\"-m#1\", {line}]}}
"
        );
        let report = report(&text, &Options::default());
        let found = &report.tested[0].tests[0].failure.as_ref().unwrap().found;
        assert!(found.ends_with(hint), "{line}: {found}");
    };
    for line in ["m", "-m", "+m", "?m", "^m:x"] {
        check(line, "; name an instance, such as `m#2`");
    }
    check("m#2, b/q", "; name an instance, such as `b#1/q`");
    check("?m#1", "under way: m#2; the run is running");
    check("\"@m\"", "under way: m#2; the run is running");
}

#[test]
fn a_name_of_the_data_itself_is_asked_for_as_lint_proposes() {
    let text = "
process_name: p
data: {total: null}
steps:
  - {step_id: a, transitions: [{when: total != null, next_step: b}, {else: true, next_step: c}]}
  - {step_id: b}
  - {step_id: c}
tests: {some: [{a: {total: 3}}, b, =done], none: [a, c, =done]}
";
    let report = report(text, &Options::default());
    assert!(report.passed(), "{}", report.text());
}

#[test]
fn tests_may_be_in_a_file_beside() {
    let definition = file("{process_name: p, steps: [{step_id: a}]}");
    let text = "process_name: p\ntests:\n  it: [a, =done]\n  wrong:\n    - =done\n---\nprocess_name: q\ntests: {}\n---\nprocess_name: p\ntets: {}\n";
    let beside = Beside::read("p.test.yaml", text.as_bytes());
    let report = played(&[definition], &[beside], &Options::default());
    expect![[r#"
        error[script]: unknown field `tets`, expected one of `process_name`, `process_version`, `tests`
          --> p.test.yaml:11:1
           |
        11 | tets: {}
           | ^^^^

        error[script]: give the file of the process `q` too: these are its tests
         --> p.test.yaml:7:15
          |
        7 | process_name: q
          |               ^

        2 errors, 0 warnings

        p: 1 of 2 failed, steps 1/1, transitions 0/0
          wrong fails at p.test.yaml:5:7
            line:      =done
            expected:  the run is done
            there was: on offer: a; the run is running
            so far:
              begin  →  the run begins
        1 of 2 tests failed
    "#]].assert_eq(&report.text());
}

#[test]
fn a_line_beside_that_is_nothing_is_told_of_quotes() {
    let beside = Beside::read("p.test.yaml", b"process_name: p\ntests:\n  it:\n    - #a\n");
    let helps: Vec<_> = beside.diagnostics.iter().map(|it| it.help.as_deref()).collect();
    assert_eq!(helps, [Some(crate::process::yaml::NO_LINE)]);
}

#[test]
fn tests_of_another_version_or_name_say_what_there_is() {
    let files = [file("{process_name: loan, process_version: 1.0.0, steps: [{step_id: a}]}")];
    let said = |text: &str| {
        let beside = Beside::read("p.test.yaml", text.as_bytes());
        let report = played(&files, &[beside], &Options::default());
        let it = &report.diagnostics[0];
        (it.message.clone(), it.help.clone().unwrap_or_default())
    };
    let (message, _) = said("{process_name: loan, process_version: 2.0.0, tests: {}}");
    assert_eq!(message, "these are tests of `loan` 2.0.0, and here is 1.0.0");
    assert_eq!(said("{process_name: laon, tests: {}}").1, "`loan` is meant?");
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
    assert!(!report.passed());
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="3" failures="1" errors="0">
          <testsuite name="p" file="p.yaml" tests="3" failures="1" errors="0">
            <properties>
              <property name="steps" value="2"/>
              <property name="steps run" value="2"/>
              <property name="transitions" value="1"/>
              <property name="transitions run" value="1"/>
            </properties>
            <testcase name="fine" classname="p" file="p.yaml" line="5"/>
            <testcase name="wrong" classname="p" file="p.yaml" line="6">
              <failure message="line 6: expected `a` is on offer, under way or waited for; there was on offer: b; the run is running">p.yaml:6: ?a&#10;expected:  `a` is on offer, under way or waited for&#10;there was: on offer: b; the run is running&#10;so far:&#10;begin  →  the run begins&#10;+a  →  a starts&#10;a:&lt;&amp;&quot;&gt;  →  a is &lt;&amp;&quot;&gt;</failure>
            </testcase>
            <testcase name="runs by chance" classname="p" file="p.yaml"/>
          </testsuite>
        </testsuites>
    "#]].assert_eq(&report.junit());
    expect![[r#"
        {
          "seed": 0,
          "diagnostics": [],
          "tested": [
            {
              "file": "p.yaml",
              "process_name": "p",
              "tests": [
                {
                  "name": "fine",
                  "file": "p.yaml",
                  "line": 5,
                  "column": 3,
                  "end_column": 7
                },
                {
                  "name": "wrong",
                  "file": "p.yaml",
                  "line": 6,
                  "column": 3,
                  "end_column": 8,
                  "failure": {
                    "file": "p.yaml",
                    "line": 6,
                    "column": 21,
                    "end_column": 23,
                    "deed": "?a",
                    "expected": "`a` is on offer, under way or waited for",
                    "found": "on offer: b; the run is running",
                    "trace": [
                      "begin  →  the run begins",
                      "+a  →  a starts",
                      "a:<&\">  →  a is <&\">"
                    ]
                  }
                }
              ],
              "coverage": {
                "steps": 2,
                "steps_run": 2,
                "transitions": 1,
                "transitions_run": 1,
                "never": []
              },
              "interleavings": {
                "runs": 5,
                "seed": 0,
                "deeds": 20
              }
            }
          ]
        }
    "#]]
    .assert_eq(&format!("{}\n", serde_json::to_string_pretty(&report).unwrap()));
}

#[test]
fn only_some_tests_are_played_on_request() {
    let options = Options { only: Some("wcp01".to_owned()), ..Options::default() };
    assert_eq!(report(PATTERNS, &options).count(), (1, 0));
}
