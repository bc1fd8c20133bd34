//! What a value could be by mistake.

use serde_json::{Value, json};

use crate::engine::definition::around::Duration;

/// What is for people, workers and hosts: no script sees it.
const UNSEEN: [&str; 17] = [
    "step_id",
    "title",
    "description",
    "configuration",
    "priority",
    "queue",
    "assignee",
    "roles",
    "input",
    "output",
    "jitter_percent",
    "process_name",
    "process_version",
    "process",
    "triggers",
    "schema",
    "tests",
];

pub fn is_seen(key: &str) -> bool {
    !UNSEEN.contains(&key)
}

/// Other values that a key could have; `steps` are those beside the step it is in.
pub fn changes(key: &str, value: &Value, around: &Value, steps: &[String]) -> Vec<Value> {
    match value {
        Value::Bool(it) => vec![json!(!it)],
        Value::Number(it) => number(key, it.as_i64()),
        Value::String(text) => text_changes(key, text, around, steps),
        _ => Vec::new(),
    }
}

/// One less and one more, where that is allowed.
fn number(key: &str, number: Option<i64>) -> Vec<Value> {
    let least = match key {
        "datum" => i64::MIN,
        "count" => 0,
        _ => 1,
    };
    let near = number.map(|it| [it.saturating_sub(1), it.saturating_add(1)]);
    near.into_iter().flatten().filter(|it| *it >= least).map(|it| json!(it)).collect()
}

fn text_changes(key: &str, text: &str, around: &Value, steps: &[String]) -> Vec<Value> {
    let words: &[&str] = match key {
        // `each` joins with other words than a step.
        "join" if around.get("step_id").is_none() => &["all", "none", "one"],
        "join" => &["one", "all", "any"],
        "split" => &["one", "all", "any", "race"],
        "end" => &["done", "cancelled", "failed"],
        "rest" => &["wait", "cancel"],
        _ => &[],
    };
    if words.contains(&text) {
        return words.iter().filter(|it| **it != text).map(|it| json!(it)).collect();
    }
    match key {
        "when" | "only_while" | "while" | "until" | "join" | "n" => {
            vec![json!(format!("!({text})"))]
        }
        "next_step" | "next" | "cancel" | "from" | "initial_step" => other(steps, text),
        "on" | "event" | "await" | "emit" | "add" | "finish" | "mutex" | "call"
        | "final_status" | "errors" => vec![json!(format!("{text}_not"))],
        "after" | "timeout" | "deadline" | "wait" | "wait_max" | "keep_for" | "heartbeat" => {
            time(text)
        }
        "key" | "in" | "count" | "value" => vec![json!("null")],
        // Names in `with`, `returns` and `data`.
        _ => vec![json!("null")],
    }
}

/// The next of the steps, and the first of them.
fn other(steps: &[String], text: &str) -> Vec<Value> {
    let others = steps.iter().filter(|it| *it != text);
    others.take(1).map(|it| json!(it)).collect()
}

/// A little more, and a little less.
fn time(text: &str) -> Vec<Value> {
    let Some(ms) = Duration::parse(text).map(|it| it.ms()) else { return Vec::new() };
    let near = [ms.saturating_sub((ms / 10).max(1)), ms + (ms / 10).max(1)];
    near.iter().map(|it| json!(written(*it))).collect()
}

/// A time in the units that people write.
fn written(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let (mut left, mut text) = (ms, String::new());
    for (unit, length) in units {
        let count = left / length;
        left %= length;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
