//! Joins of which nobody can tell in time whether more threads come.

use std::fmt::Write;

use super::{Map, Run, What, compiled, definitions, note_tests::noted};

/// Many branches run towards a join that never fires, since one thread cannot go both of the ways
/// to it; behind it another one waits for it.
fn crowd(branches: usize) -> String {
    let names: Vec<String> = (0..branches).map(|it| format!("b{it}")).collect();
    let mut steps = format!("[{{step_id: a, split: all, next: [x, o1, {}]}}", names.join(", "));
    for name in &names {
        write!(steps, ", {{step_id: {name}, next: j}}").unwrap();
    }
    steps += ", {step_id: x, transitions: [{on: ok, next_step: j}, {on: other, next_step: y}]}";
    steps += ", {step_id: y, next: j}";
    steps += ", {step_id: j, join: all, next: o}, {step_id: o1, next: o}";
    format!("{{process_name: p, steps: {steps}, {{step_id: o, join: any}}]}}")
}

#[test]
fn a_join_that_cannot_tell_what_comes_waits_and_says_so() {
    let lines = ["a", "o1"];
    // Few enough to be gone through: nothing comes any more.
    assert_eq!(noted(&crowd(3), &["a", "o1", "?o"]), [""; 0]);
    let notes = noted(&crowd(16), &[&lines[..], &["~o"]].concat());
    let expected = "o1 undecided: `o` waits: too much can happen to tell what comes";
    assert_eq!(notes, [expected]);
}

#[test]
fn who_asked_before_makes_no_difference_to_what_is_noted() {
    let processes = compiled(&definitions(&crowd(16)), 0);
    let mut run = Run::begin(&processes, Map::new()).unwrap();
    ["a", "o1"].iter().for_each(|it| run.do_line(it, Map::new()).unwrap());
    // Again from the beginning, with the answers of the first time.
    let cache = std::mem::take(&mut run.cache);
    let mut again = Run::begin(&processes, Map::new()).unwrap();
    again.cache = cache;
    for event in &run.events[1..] {
        again.now_ms = event.at_ms;
        again.happen(event.what.clone()).unwrap();
    }
    assert_eq!(again.firings, run.firings);
    assert!(matches!(run.events[0].what, What::Begin { .. }));
}
