//! What firings note for whoever reads the commits.

use super::{Map, Run, compiled, definitions, json};

/// The notes of all firings, after these lines.
pub fn noted(text: &str, lines: &[&str]) -> Vec<String> {
    let processes = compiled(&definitions(text), 0);
    let mut run = Run::begin(&processes, Map::new()).unwrap();
    for line in lines {
        run.do_line(line, Map::new()).unwrap();
    }
    run.check_replay();
    let notes = run.firings.iter().flat_map(|it| it.notes.iter().map(move |note| (it, note)));
    notes.map(|(it, note)| format!("{} {}: {}", it.path, note.kind, note.message)).collect()
}

#[test]
fn an_expression_that_is_wrong_is_noted_in_the_firing() {
    let check = |step: &str, lines: &[&str], expected: &str| {
        let text = format!("{{process_name: p, steps: [{{step_id: a, {step}}}, {{step_id: b}}]}}");
        let notes = noted(&text, lines).join("; ");
        assert!(notes.starts_with(expected), "{step}: {notes}");
    };
    check("transitions: [{when: x, next_step: b}]", &["a"], "a expression: `x`: ");
    check("emit: {event: e, key: x}", &["a"], "a expression: `x`: ");
    check("emit: {event: e, data: {k: x}}", &["a"], "a expression: `x`: ");
    check("only_while: x", &[], "a expression: `x`: ");
    check("await: {event: e, key: x}", &[], "a expression: `x`: ");
    check("each: {in: x}", &[], "a expression: `x`: ");
    check("each: {count: x}", &[], "a expression: `x`: ");
    check("each: {count: 2, join: x}", &["-a#1"], "a#1 expression: `x`: ");
    check("each: {count: 2}, collect: {into: r, value: x}", &["-a#1"], "a#1 expression: `x`: ");
    check("repeat: {until: x}", &["a"], "a expression: `x`: ");
    check("repeat: {while: x}, step_type: route", &[], "a expression: `x`: ");
    // The step goes on, whatever is said about its deadline.
    let late = "deadline: {after: 1h, escalate: {emit: {event: e, key: x}}}, next: b";
    check(late, &[">1h", "?a", "a", "@b"], "a expression: `x`: ");
    let calls = "
{process_name: p, steps: [{step_id: a, call: q, with: {k: x}}]}
---
{process_name: q, steps: [{step_id: b}]}";
    assert!(noted(calls, &["=failed"])[0].starts_with("a expression: `x`: "));
    let calls = calls.replace("with", "returns");
    assert!(noted(&calls, &["a/b", "=failed"])[0].starts_with("a expression: `x`: "));
}

#[test]
fn what_costs_too_much_is_an_outcome_with_a_note() {
    let text = "{process_name: p, steps: [{step_id: a, transitions: [{on: failed, next_step: b}, \
        {when: 'l.exists(x, l.exists(y, l.exists(z, x + y + z < 0)))'}]}, {step_id: b}]}";
    let processes = compiled(&definitions(text), 0);
    let list: Vec<u32> = (0..500).collect();
    let mut run = Run::begin(&processes, json!({"l": list}).as_object().unwrap().clone()).unwrap();
    run.do_line("a", Map::new()).unwrap();
    run.do_line("@b", Map::new()).unwrap();
    let notes = run.firings.iter().flat_map(|it| &it.notes);
    assert!(notes.into_iter().any(|it| it.message.ends_with("costs too much")));
}
