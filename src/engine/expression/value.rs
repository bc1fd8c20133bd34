//! JSON to the values of expressions and back.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicI64, Ordering},
};

use cel::objects::{Key, Map};
use serde_json::{Number, Value};

use super::BYTES_PER_COST;
use crate::engine::definition::DEPTH_MAX;

/// What is looked at is paid for, although it is only copied.
pub fn of_json(value: &Value, budget: &AtomicI64) -> Result<cel::Value, String> {
    deeper(value, 0, budget)
}

fn deeper(value: &Value, depth: usize, budget: &AtomicI64) -> Result<cel::Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("data is nested at most {DEPTH_MAX} deep"));
    }
    let cost = 1 + value.as_str().map_or(0, |it| it.len() / BYTES_PER_COST) as i64;
    if budget.fetch_sub(cost, Ordering::Relaxed) < cost {
        return Err("it costs too much".to_owned());
    }
    Ok(match value {
        Value::Null => cel::Value::Null,
        Value::Bool(it) => cel::Value::Bool(*it),
        Value::Number(it) => match (it.as_i64(), it.as_u64()) {
            (Some(it), _) => cel::Value::Int(it),
            (None, Some(it)) => cel::Value::UInt(it),
            (None, None) => cel::Value::Float(it.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(it) => cel::Value::String(it.clone().into()),
        Value::Array(items) => {
            let items: Result<Vec<_>, _> =
                items.iter().map(|it| deeper(it, depth + 1, budget)).collect();
            cel::Value::List(items?.into())
        }
        Value::Object(members) => {
            let mut map = HashMap::with_capacity(members.len());
            for (name, member) in members {
                map.insert(Key::String(name.clone().into()), deeper(member, depth + 1, budget)?);
            }
            cel::Value::Map(Map { map: map.into() })
        }
    })
}

/// What an expression came to; members are in the order of their names.
pub fn to_json(value: &cel::Value, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("a result is nested at most {DEPTH_MAX} deep"));
    }
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(it) => Value::Bool(*it),
        cel::Value::Int(it) => Value::from(*it),
        cel::Value::UInt(it) => Value::from(*it),
        cel::Value::Float(it) => match Number::from_f64(*it) {
            Some(it) => Value::Number(it),
            None => return Err("a result is no number".to_owned()),
        },
        cel::Value::String(it) => Value::String(it.to_string()),
        cel::Value::List(items) => {
            Value::Array(items.iter().map(|it| to_json(it, depth + 1)).collect::<Result<_, _>>()?)
        }
        cel::Value::Map(map) => {
            let mut members = BTreeMap::new();
            for (key, member) in map.map.iter() {
                members.insert(key.to_string(), to_json(member, depth + 1)?);
            }
            Value::Object(members.into_iter().collect())
        }
        _ => return Err("a result is JSON".to_owned()),
    })
}
