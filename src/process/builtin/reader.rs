//! Reads a configuration key by key, and notes all that is wrong.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Wrong, values};
use crate::{engine::definition::Data, process::diagnostic::nearest};

pub struct Reader<'a> {
    data: &'a Data,
    wrong: Vec<Wrong>,
}

impl<'a> Reader<'a> {
    pub fn of(data: &'a Data) -> Reader<'a> {
        Reader { data, wrong: Vec::new() }
    }

    pub fn say(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.wrong.push(Wrong { path: path.into(), message: message.into() });
    }

    /// Notes the keys that are none of these.
    pub fn expect_keys(&mut self, known: &[&'static str]) {
        for key in self.data.keys().filter(|it| !known.contains(&it.as_str())) {
            let message = match nearest(key, known.iter().copied()) {
                Some(near) => format!("`{key}` is no key here: `{near}` is meant?"),
                None => format!("`{key}` is no key here: there are `{}`", known.join("`, `")),
            };
            self.wrong.push(Wrong { path: key.clone(), message });
        }
    }

    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.data.get(key).filter(|it| !it.is_null())
    }

    /// Text that has no NUL byte in it, and is not empty.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.get(key)? {
            Value::String(text) if is_plain(text) && !text.is_empty() => Some(text),
            _ => {
                self.say(key, format!("write text for `{key}`"));
                None
            }
        }
    }

    pub fn number(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let number = self.get(key)?.as_u64().filter(|it| range.contains(it));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.say(key, format!("write a whole number from {least} to {most} for `{key}`"));
        }
        number
    }

    /// Text, or `{value: expression}` that gives it.
    pub fn value(&mut self, path: &str, value: &Value) {
        match value {
            Value::String(text) if is_plain(text) => (),
            _ if values::expression(value).is_some() => self.expressions(path, value),
            _ => self.say(path, "write text, or `{value: …}` with an expression"),
        }
    }

    /// Notes the expressions in a value that cannot be one.
    pub fn expressions(&mut self, path: &str, value: &Value) {
        values::check(path, value, &mut self.wrong);
    }

    pub fn done<T>(self, read: Option<T>) -> Result<T, Vec<Wrong>> {
        match read {
            Some(read) if self.wrong.is_empty() => Ok(read),
            _ => Err(self.wrong),
        }
    }
}

/// Whether programs and Git take a text whole.
pub fn is_plain(text: &str) -> bool {
    !text.contains('\0')
}
