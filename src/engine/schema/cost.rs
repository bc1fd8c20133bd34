//! What it may cost to check data: the validator itself has no bounds.
//!
//! The schema is gone through beside the data before it is checked, as the validator would do that
//! finds nothing wrong: references that double at every level, and whatever is nested without
//! end, are found by counting.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Invalid, pattern};

/// The JSON pointers of the parts of a schema that have names.
pub type Anchors = BTreeMap<String, String>;

/// Schemas that are looked at for some part of the data, together.
const COST_MAX: usize = 500_000;
/// How deep that goes.
const DEPTH_MAX: usize = 128;

/// What a part of a schema is about.
enum About<'s> {
    /// The same data.
    Itself,
    Member(&'s str),
    Members,
    /// The names of members.
    Names,
    Item(usize),
    Items,
    /// Data that another schema of this one leads to.
    Reference(&'s str),
}

/// How many values a schema has in it, and what its patterns count.
pub fn size(schema: &Value) -> usize {
    let patterns = |(key, inner): (&String, &Value)| pattern::size(key, inner).unwrap_or(0);
    1 + match schema {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => {
            members.values().map(size).sum::<usize>() + members.iter().map(patterns).sum::<usize>()
        }
        _ => 0,
    }
}

fn values(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        _ => 0,
    }
}

/// Where the anchors of a schema are; all that it refers to has to be in it, and no larger than
/// can be compiled.
pub fn anchors(schema: &Value) -> Result<Anchors, Invalid> {
    let mut anchors = Anchors::new();
    name(schema, String::new(), &mut anchors);
    let mut todo = vec![(schema, Vec::new())];
    while let Some((part, place)) = todo.pop() {
        let Value::Object(keys) = part else { continue };
        let inside = |key: &str| place.iter().cloned().chain([key.to_owned()]).collect::<Vec<_>>();
        if keys.contains_key("$id") && !place.is_empty() {
            let message = "a schema in a schema has no `$id`: refer to it by `#/…`".to_owned();
            return Err(Invalid { place: inside("$id"), message });
        }
        for (key, inner) in keys {
            if pattern::size(key, inner).is_none() {
                let message = "this regular expression is too large".to_owned();
                return Err(Invalid { place: inside(key), message });
            }
            for (about, part) in parts(key, inner) {
                let About::Reference(to) = about else {
                    let mut place = inside(key);
                    if let About::Member(name) = about {
                        place.push(name.to_owned());
                    }
                    todo.push((part, place));
                    continue;
                };
                if target(schema, &anchors, to).is_none() && !is_standard(to) {
                    let message = "refer to what is in the schema, by `#/…`".to_owned();
                    return Err(Invalid { place: inside(key), message });
                }
            }
        }
        for key in ["$defs", "definitions"] {
            let Some(Value::Object(defs)) = keys.get(key) else { continue };
            todo.extend(defs.iter().map(|(name, it)| {
                let mut place = inside(key);
                place.push(name.clone());
                (it, place)
            }));
        }
    }
    Ok(anchors)
}

fn name(part: &Value, pointer: String, anchors: &mut Anchors) {
    for key in ["$anchor", "$dynamicAnchor"] {
        if let Some(name) = part.get(key).and_then(Value::as_str) {
            anchors.insert(name.to_owned(), pointer.clone());
        }
    }
    match part {
        Value::Object(members) => members.iter().for_each(|(key, it)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            name(it, format!("{pointer}/{key}"), anchors);
        }),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(no, it)| name(it, format!("{pointer}/{no}"), anchors));
        }
        _ => (),
    }
}

/// Whether data can be checked in time.
pub fn check(schema: &Value, anchors: &Anchors, data: &Value) -> Result<(), String> {
    Cost { root: schema, anchors, left: COST_MAX }.pay(schema, data, 0)
}

struct Cost<'s> {
    root: &'s Value,
    anchors: &'s Anchors,
    left: usize,
}

impl<'s> Cost<'s> {
    fn pay(&mut self, schema: &'s Value, data: &Value, depth: usize) -> Result<(), String> {
        self.charge(1)?;
        if depth > DEPTH_MAX {
            return Err(format!("it is nested too deep to be checked: at most {DEPTH_MAX}"));
        }
        let Value::Object(keys) = schema else { return Ok(()) };
        for (key, inner) in keys {
            self.charge(weight(key, inner, data))?;
            for (about, part) in parts(key, inner) {
                self.pay_part(about, part, data, depth + 1)?;
            }
        }
        Ok(())
    }

    fn pay_part(
        &mut self,
        about: About<'s>,
        part: &'s Value,
        data: &Value,
        depth: usize,
    ) -> Result<(), String> {
        let none = Map::new();
        let members = data.as_object().unwrap_or(&none);
        let items = data.as_array().map(Vec::as_slice).unwrap_or_default();
        match about {
            About::Itself => self.pay(part, data, depth),
            About::Member(name) => members.get(name).map_or(Ok(()), |it| self.pay(part, it, depth)),
            About::Members => members.values().try_for_each(|it| self.pay(part, it, depth)),
            About::Names => members.iter().try_for_each(|_| self.pay(part, &Value::Null, depth)),
            About::Item(no) => items.get(no).map_or(Ok(()), |it| self.pay(part, it, depth)),
            About::Items => items.iter().try_for_each(|it| self.pay(part, it, depth)),
            About::Reference(to) => match target(self.root, self.anchors, to) {
                Some(part) => self.pay(part, data, depth),
                // A standard one: about so much for each value.
                None => self.charge(values(data).saturating_mul(50)),
            },
        }
    }

    fn charge(&mut self, cost: usize) -> Result<(), String> {
        let left = self.left.checked_sub(cost);
        self.left = left.ok_or_else(|| "it takes too long to check".to_owned())?;
        Ok(())
    }
}

/// What a key costs by itself.
fn weight(key: &str, inner: &Value, data: &Value) -> usize {
    match (key, data) {
        ("enum" | "required" | "dependentRequired", _) => values(inner),
        ("uniqueItems", Value::Array(_)) => values(data),
        ("pattern" | "minLength" | "maxLength", Value::String(text)) => text.len() / 16,
        ("patternProperties", Value::Object(members)) => values(inner) * members.len(),
        _ => 0,
    }
}

/// The parts of a schema behind one of its keys.
fn parts<'s>(key: &str, inner: &'s Value) -> Vec<(About<'s>, &'s Value)> {
    let list = || inner.as_array().into_iter().flatten();
    let map = || inner.as_object().into_iter().flatten();
    match key {
        "$ref" | "$dynamicRef" | "$recursiveRef" => {
            inner.as_str().map(|it| (About::Reference(it), inner)).into_iter().collect()
        }
        "allOf" | "anyOf" | "oneOf" => list().map(|it| (About::Itself, it)).collect(),
        "not" | "if" | "then" | "else" => vec![(About::Itself, inner)],
        "dependentSchemas" | "dependencies" => map().map(|it| (About::Itself, it.1)).collect(),
        "properties" => map().map(|(name, it)| (About::Member(name), it)).collect(),
        "patternProperties" => map().map(|it| (About::Members, it.1)).collect(),
        "additionalProperties" | "unevaluatedProperties" => vec![(About::Members, inner)],
        "propertyNames" => vec![(About::Names, inner)],
        "prefixItems" | "items" if inner.is_array() => {
            list().enumerate().map(|(no, it)| (About::Item(no), it)).collect()
        }
        "items" | "additionalItems" | "unevaluatedItems" | "contains" => {
            vec![(About::Items, inner)]
        }
        _ => Vec::new(),
    }
}

/// What a reference leads to in the schema.
fn target<'s>(root: &'s Value, anchors: &Anchors, to: &str) -> Option<&'s Value> {
    let fragment = to.strip_prefix('#')?;
    match fragment.is_empty() || fragment.starts_with('/') {
        true => root.pointer(fragment),
        false => root.pointer(anchors.get(fragment)?),
    }
}

fn is_standard(reference: &str) -> bool {
    let rest = reference.strip_prefix("http").map(|it| it.trim_start_matches('s'));
    rest.is_some_and(|it| it.starts_with("://json-schema.org/"))
}
