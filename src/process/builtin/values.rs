//! Values in a configuration: a map `{value: expression}` stands for what the expression gives when
//! the step begins, all else for itself.

use serde_json::Value;

use super::Wrong;
use crate::{
    engine::expression::{Program, Variables},
    process::lint::place,
};

const KEY: &str = "value";

/// The expression that a value stands for.
pub fn expression(value: &Value) -> Option<&str> {
    let map = value.as_object().filter(|it| it.len() == 1)?;
    map.get(KEY)?.as_str()
}

/// All expressions in a value.
pub fn expressions(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        Value::Object(map) => match expression(value) {
            Some(source) => vec![source],
            None => map.values().flat_map(expressions).collect(),
        },
        _ => Vec::new(),
    }
}

/// Notes which of its expressions are none.
pub fn check(path: &str, value: &Value, wrong: &mut Vec<Wrong>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                check(&format!("{path}[{at}]"), item, wrong);
            }
        }
        Value::Object(map) => match expression(value) {
            Some(source) => {
                if let Err(message) = compiled(source) {
                    let path = format!("{path}.{KEY}");
                    wrong.push(Wrong { path, message });
                }
            }
            None => {
                for (key, value) in map {
                    check(&place::join(path, key), value, wrong);
                }
            }
        },
        _ => (),
    }
}

/// What a value is, with what its expressions give.
pub fn evaluated(value: &Value, variables: &dyn Variables) -> Result<Value, String> {
    match value {
        Value::Array(items) => items.iter().map(|it| evaluated(it, variables)).collect(),
        Value::Object(map) => match expression(value) {
            Some(source) => compiled(source)?.evaluate(variables),
            None => {
                let pairs = map.iter().map(|(key, value)| {
                    evaluated(value, variables).map(|value| (key.clone(), value))
                });
                pairs.collect::<Result<_, _>>().map(Value::Object)
            }
        },
        plain => Ok(plain.clone()),
    }
}

fn compiled(source: &str) -> Result<Program, String> {
    let program = Program::compile(source)?;
    if let Some(unknown) = program.unknown_functions().first() {
        return Err(format!("no function is `{}`: call one that there is", unknown.name));
    }
    match program.counts().first() {
        Some(_) => {
            Err("`waiting`, `running` and `done` are for conditions: ask the data".to_owned())
        }
        None => Ok(program),
    }
}
