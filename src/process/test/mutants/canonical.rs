//! What means the same, written the same: a change that is none by the language is no mistake.

use serde_json::Value;

/// A definition without what the language takes for said anyway.
pub fn canonical(definition: &Value) -> Value {
    let mut definition = definition.clone();
    without_defaults(&mut definition);
    definition
}

fn without_defaults(around: &mut Value) {
    let first = around.pointer("/steps/0/step_id").cloned();
    if let Some(map) = around.as_object_mut() {
        if first.is_some() && map.get("initial_step") == first.as_ref() {
            map.shift_remove("initial_step");
        }
        if let Some(Value::Array(steps)) = map.get_mut("steps") {
            steps.iter_mut().for_each(step);
        }
    }
}

fn step(step: &mut Value) {
    let has_condition = |it: &Value| it.get("when").is_some() || it.get("else").is_some();
    let transitions = step.get("transitions").and_then(Value::as_array);
    let is_conditional = transitions.is_some_and(|it| it.iter().any(has_condition));
    if let Some(map) = step.as_object_mut() {
        map.retain(|key, value| !is_default(key, value));
        // Without conditions, every one that holds is every one.
        if !is_conditional && map.get("split").is_some_and(|it| it == "any") {
            map.insert("split".to_owned(), "all".into());
        }
        for key in ["join", "each"] {
            if let Some(Value::Object(rule)) = map.get_mut(key) {
                rule.retain(|key, value| !(key == "rest" && value == "wait"));
            }
        }
        if let Some(Value::Array(transitions)) = map.get_mut("transitions") {
            let maps = transitions.iter_mut().filter_map(Value::as_object_mut);
            maps.for_each(|it| it.retain(|key, value| !is_default(key, value)));
        }
    }
    without_defaults(step);
}

/// Whether it is as if it were not said.
fn is_default(key: &str, value: &Value) -> bool {
    match key {
        "join" | "split" => value == "one",
        "tokens" => value == 1,
        "next" | "transitions" | "cancel" => value.as_array().is_some_and(Vec::is_empty),
        // Who does a step is for workers, but for those that the engine does.
        "step_type" => value != "route" && value != "timer",
        _ => false,
    }
}
