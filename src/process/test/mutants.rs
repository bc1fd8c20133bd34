//! Definitions with one thing taken away or changed: whether the scripts notice.
//!
//! What scripts cannot see is left as it is: words for people, who does a step, schemas, triggers.

mod canonical;
mod change;

use serde::Serialize;
use serde_json::Value;

use self::{
    canonical::canonical,
    change::{changes, is_seen},
};
use crate::{engine::definition::Definition, process::lint::place::join};

/// A definition with a mistake in it.
#[derive(Debug)]
pub struct Mutant {
    /// Where it is: `steps[3].join`.
    pub path: String,
    /// Such as `all` to `one`, or taken away.
    pub change: String,
    pub definition: Definition,
}

/// How many mistakes the scripts noticed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Mutation {
    pub mutants: usize,
    pub noticed: usize,
    pub survivors: Vec<Survivor>,
}

/// A mistake that no script noticed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survivor {
    pub path: String,
    pub line: usize,
    pub change: String,
}

/// Every mutant of a definition that can still be read and means something else, each once.
pub fn mutants(definition: &Definition) -> Vec<Mutant> {
    let whole = serde_json::to_value(definition).unwrap_or_default();
    let mut made = Vec::new();
    let mut change = Changing { whole: &whole, made: &mut made };
    for key in ["initial_step", "data", "steps"] {
        if let Some(value) = whole.get(key) {
            change.at(&format!("/{key}"), key, key, value, &whole);
        }
    }
    let mut seen = vec![canonical(&whole)];
    let mut mutants = Vec::new();
    for Made { path, change, value } in made {
        let meaning = canonical(&value);
        if seen.contains(&meaning) {
            continue;
        }
        if let Ok(definition) = serde_json::from_value(value) {
            mutants.push(Mutant { path, change, definition });
        }
        seen.push(meaning);
    }
    mutants
}

struct Made {
    path: String,
    change: String,
    value: Value,
}

struct Changing<'a> {
    whole: &'a Value,
    made: &'a mut Vec<Made>,
}

impl Changing<'_> {
    /// Changes what is at a pointer, and all that is in it; `around` is the nearest map.
    fn at(&mut self, pointer: &str, path: &str, key: &str, value: &Value, around: &Value) {
        if key != "steps" {
            self.taken_away(pointer, path);
        }
        match value {
            Value::Object(map) => {
                for (name, inside) in map.iter().filter(|it| key == "data" || is_seen(it.0)) {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    let pointer = format!("{pointer}/{escaped}");
                    let key = if key == "data" { "datum" } else { name };
                    self.at(&pointer, &join(path, name), key, inside, value);
                }
            }
            Value::Array(items) => {
                for (index, inside) in items.iter().enumerate() {
                    let (pointer, path) =
                        (format!("{pointer}/{index}"), format!("{path}[{index}]"));
                    self.at(&pointer, &path, key, inside, around);
                }
            }
            _ => {
                let steps = self.siblings(pointer);
                for changed in changes(key, value, around, &steps) {
                    self.changed(pointer, path, value, changed);
                }
            }
        }
    }

    /// The names of the steps beside the one that a pointer is in.
    fn siblings(&self, pointer: &str) -> Vec<String> {
        let Some((list, _)) = pointer.rsplit_once("/steps/") else { return Vec::new() };
        let steps = self.whole.pointer(&format!("{list}/steps")).and_then(Value::as_array);
        let ids = steps.into_iter().flatten().filter_map(|it| it.get("step_id")?.as_str());
        ids.map(str::to_owned).collect()
    }

    fn taken_away(&mut self, pointer: &str, path: &str) {
        let mut value = self.whole.clone();
        let Some((above, last)) = pointer.rsplit_once('/') else { return };
        let last = last.replace("~1", "/").replace("~0", "~");
        match value.pointer_mut(above) {
            Some(Value::Object(map)) => drop(map.shift_remove(&last)),
            Some(Value::Array(items)) => match last.parse::<usize>() {
                Ok(index) if index < items.len() => drop(items.remove(index)),
                _ => return,
            },
            _ => return,
        }
        self.made.push(Made { path: path.to_owned(), change: "taken away".to_owned(), value });
    }

    fn changed(&mut self, pointer: &str, path: &str, from: &Value, to: Value) {
        let mut value = self.whole.clone();
        let change = format!("{from} → {to}");
        if let Some(place) = value.pointer_mut(pointer) {
            *place = to;
            self.made.push(Made { path: path.to_owned(), change, value });
        }
    }
}
