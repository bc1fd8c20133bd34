//! What surrounds a step: waits before another attempt, and who is asked when it is late.

use super::{Map, Problem, Run, What, compiled, definitions, json};

/// When the second attempt, the third and so on may start, if chance says the same each time.
fn waits(retry: &str, chance: u32) -> Vec<i64> {
    let text = format!("{{process_name: p, steps: [{{step_id: a, retry: {retry}}}]}}");
    let processes = compiled(&definitions(&text), 0);
    let mut run = Run::begin(&processes, Map::new()).unwrap();
    let mut waits = Vec::new();
    loop {
        let item = run.start("a").unwrap();
        let problem = Problem { kind: "any".to_owned(), message: String::new() };
        run.happen(What::Fail { item, problem, chance, last: false }).unwrap();
        let Some(due) = run.state.due_ms() else { break };
        waits.push(due - run.now_ms);
        run.now_ms = due;
        run.happen(What::Tick).unwrap();
    }
    run.check_replay();
    waits
}

#[test]
fn a_wait_grows_up_to_its_most_and_chance_makes_it_shorter_by_its_share() {
    let rule = |more: &str| format!("{{attempts: 5, wait: 10s{more}}}");
    assert_eq!(waits(&rule(""), 0), [10_000, 20_000, 40_000, 80_000]);
    assert_eq!(waits(&rule(""), u32::MAX), [10_000, 20_000, 40_000, 80_000]);
    assert_eq!(waits(&rule(", factor: 3, wait_max: 1m"), 0), [10_000, 30_000, 60_000, 60_000]);
    let jitter = rule(", factor: 1, jitter_percent: 40");
    assert_eq!(waits(&jitter, 0), [10_000; 4]);
    assert_eq!(waits(&jitter, u32::MAX / 2), [8_001; 4]);
    assert_eq!(waits(&jitter, u32::MAX), [6_000; 4]);
    assert_eq!(waits(&rule(", factor: 1, jitter_percent: 100"), u32::MAX), [0_i64; 0]);
}

#[test]
fn who_is_asked_changes_with_the_escalation_and_only_in_what_it_says() {
    let text = "
process_name: p
steps:
  - {step_id: s, step_type: route, split: all, next: [a, b]}
  - step_id: a
    queue: desk
    assignee: ann
    roles: [clerk]
    priority: 1
    deadline: {after: 1h, escalate: {queue: urgent, roles: [head, deputy], priority: 9}}
  - {step_id: b, queue: desk, roles: clerk, deadline: {after: 2h, escalate: {assignee: bob}}}";
    let processes = compiled(&definitions(text), 0);
    let mut run = Run::begin(&processes, Map::new()).unwrap();
    let asked = |run: &Run<'_>| {
        let offers = run.offers().into_iter();
        let told =
            offers.map(|it| (it.path, it.overdue, it.queue, it.assignee, it.roles, it.priority));
        json!(told.collect::<Vec<_>>())
    };
    let b = json!(["b", false, "desk", null, ["clerk"], 0]);
    assert_eq!(asked(&run), json!([["a", false, "desk", "ann", ["clerk"], 1], b]));
    run.do_line(">1h", Map::new()).unwrap();
    let a = json!(["a", true, "urgent", "ann", ["head", "deputy"], 9]);
    assert_eq!(asked(&run), json!([a, b]));
    // It is asked for in the same way after it was begun.
    run.do_line("+a", Map::new()).unwrap();
    run.do_line(">1h", Map::new()).unwrap();
    assert_eq!(asked(&run), json!([a, ["b", true, "desk", "bob", ["clerk"], 0]]));
    run.check_replay();
}
