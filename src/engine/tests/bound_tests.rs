//! What one event, and one definition, may come to.

use serde_json::Value;

use super::{Map, Run, compiled, definitions, json, refused};
use crate::engine::{event::Why, net::Processes};

#[test]
fn expressions_that_cost_too_much_together_are_refused() {
    // Each of them is cheap enough; a loop that nobody waits in has thousands.
    let list: Vec<u32> = (0..900).collect();
    let text = format!(
        "{{process_name: p, data: {{l: {list:?}}}, steps: [{{step_id: a, step_type: route, \
            repeat: {{until: 'l.exists(x, x < 0)'}}}}]}}"
    );
    let refused = refused(&text);
    assert_eq!(refused.why, Why::TooLarge);
    assert!(refused.message.starts_with("what would be done"), "{}", refused.message);
}

#[test]
fn what_is_too_much_for_one_event_is_still_due_after_it() {
    let text = "{process_name: p, steps: [{step_id: m, each: {count: 1500}, await: {after: 1h}}]}";
    let processes = compiled(&definitions(text), 0);
    let mut run = Run::begin(&processes, Map::new()).unwrap();
    run.do_line(">1h", Map::new()).unwrap();
    assert!(run.state.due_ms().is_some_and(|it| it <= run.now_ms));
    run.do_line("=waiting", Map::new()).unwrap();
    run.do_line(">0s", Map::new()).unwrap();
    run.do_line("=done", Map::new()).unwrap();
}

#[test]
fn a_definition_has_so_many_schemas_transitions_and_joins_that_collect() {
    let wrong = |text: &str| {
        let wrong = Processes::compile(&definitions(text)).map(drop).unwrap_err();
        wrong.into_iter().map(|it| it.message).collect::<Vec<_>>().join("; ")
    };
    let joins = |count: usize| {
        let join = |it: usize| format!(", {{step_id: j{it}, join: {{from: s}}}}");
        let joins: String = (0..count).map(join).collect();
        format!("{{process_name: p, steps: [{{step_id: s}}{joins}]}}")
    };
    assert_eq!(wrong(&joins(251)), "at most 250 joins beside each other have `from`");
    assert!(Processes::compile(&definitions(&joins(250))).is_ok());
    let ways = vec!["{on: x}"; 501].join(", ");
    let text = format!("{{process_name: p, steps: [{{step_id: a, transitions: [{ways}]}}]}}");
    assert_eq!(wrong(&text), "at most 20000 transitions, and 500 of one step");
    let names: Vec<String> = (0..30_000).map(|it| format!("n{it}")).collect();
    let schema: Value = json!({"enum": names});
    let text = format!("{{process_name: p, input: {schema}, steps: [{{step_id: a}}]}}");
    assert_eq!(wrong(&text), "schemas have at most 20000 values, all together");
}
