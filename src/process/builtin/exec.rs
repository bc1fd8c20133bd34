//! `exec`: a program with its arguments, in a checkout of what the run is about.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use serde_json::Value;

use super::{
    RESULT, Wrong,
    reader::{Reader, is_plain},
};
use crate::{
    engine::{definition::Data, net::RESERVED},
    process::lint::place,
};

pub const TYPE: &str = "exec";
pub const PROGRAM: &str = "program";
const KEYS: [&str; 11] = [
    PROGRAM,
    "arguments",
    "env",
    "folder",
    "stdin",
    "outcomes",
    "output",
    RESULT,
    "timeout_ms",
    "output_bytes_max",
    // Of any step.
    "timeout",
];
/// Ten minutes, unless it is said.
const TIMEOUT_MS: u64 = 600_000;
/// A day.
const TIMEOUT_MS_MAX: u64 = 86_400_000;
const OUTPUT_BYTES: u64 = 64 << 10;
const OUTPUT_BYTES_MAX: u64 = 8 << 20;
/// More than any person writes, and what every system takes.
const ARGUMENTS_MAX: usize = 1000;
const OUTCOME: &str = "ok";

#[derive(Debug, PartialEq)]
pub struct Exec {
    /// A name, or an absolute path.
    pub program: String,
    /// Each is text, or an expression that gives it; so are the values of `env` and `folder`.
    pub arguments: Vec<Value>,
    pub env: BTreeMap<String, Value>,
    /// Where in the checkout it begins.
    pub folder: Option<Value>,
    pub input: Input,
    /// Which exit codes are no failure.
    pub outcomes: BTreeMap<i32, String>,
    pub output: Output,
    /// The name in the data that takes what it brings.
    pub result: Option<String>,
    pub timeout_ms: u64,
    pub output_bytes_max: usize,
}

/// What the program reads.
#[derive(Debug, PartialEq)]
pub enum Input {
    /// The data of the process, as JSON.
    Data,
    Nothing,
    /// Text as it is, all else as JSON.
    Value(Value),
}

/// What is made of what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Text,
    /// It is a JSON object, and the data that the step brings.
    Json,
}

impl Exec {
    pub fn read(configuration: &Data) -> Result<Exec, Vec<Wrong>> {
        let mut reader = Reader::of(configuration);
        reader.expect_keys(&KEYS);
        let program = program(&mut reader);
        let exec = program.map(|program| Exec {
            program,
            arguments: arguments(&mut reader),
            env: env(&mut reader),
            folder: folder(&mut reader),
            input: input(&mut reader),
            outcomes: outcomes(&mut reader),
            output: output(&mut reader),
            result: reader.text(RESULT).map(str::to_owned),
            timeout_ms: reader.number("timeout_ms", 1..=TIMEOUT_MS_MAX).unwrap_or(TIMEOUT_MS),
            output_bytes_max: reader
                .number("output_bytes_max", 0..=OUTPUT_BYTES_MAX)
                .unwrap_or(OUTPUT_BYTES) as usize,
        });
        reader.done(exec)
    }
}

/// Whether a program is meant by its name, which is looked for in `PATH`.
pub fn is_name(program: &str) -> bool {
    !program.contains('/') && !matches!(program, "" | "." | "..")
}

/// Whether a path leads nowhere but into the folder that it is relative to.
pub fn is_below(folder: &str) -> bool {
    let is_plain_part = |it: Component| matches!(it, Component::Normal(_) | Component::CurDir);
    is_plain(folder) && Path::new(folder).components().all(is_plain_part)
}

fn program(reader: &mut Reader) -> Option<String> {
    if reader.get(PROGRAM).is_none() {
        reader.say(PROGRAM, "say which program it is: `program`");
    }
    let program = reader.text(PROGRAM)?;
    if !is_name(program) && !program.starts_with('/') {
        reader.say(PROGRAM, "write a name that is looked for in PATH, or an absolute path");
    }
    Some(program.to_owned())
}

fn arguments(reader: &mut Reader) -> Vec<Value> {
    let Some(value) = reader.get("arguments") else { return Vec::new() };
    let Some(items) = value.as_array().filter(|it| it.len() <= ARGUMENTS_MAX) else {
        reader.say("arguments", format!("write a list of at most {ARGUMENTS_MAX} arguments"));
        return Vec::new();
    };
    for (at, item) in items.iter().enumerate() {
        reader.value(&format!("arguments[{at}]"), item);
    }
    items.clone()
}

fn env(reader: &mut Reader) -> BTreeMap<String, Value> {
    let Some(value) = reader.get("env") else { return BTreeMap::new() };
    let Some(map) = value.as_object() else {
        reader.say("env", "write a map of variables");
        return BTreeMap::new();
    };
    for (name, value) in map {
        let path = place::join("env", name);
        let is_name = name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
            && name.starts_with(|it: char| !it.is_ascii_digit());
        if !is_name {
            reader.say(&*path, "name a variable by letters, digits and `_`");
        } else if is_kept_back(name) {
            reader.say(&*path, format!("take `{name}` away: it is the operator's, or gitport's"));
        }
        reader.value(&path, value);
    }
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What decides which code runs under a name that is allowed, and what gitport tells a program.
fn is_kept_back(name: &str) -> bool {
    name == "PATH"
        || name == "GLIBC_TUNABLES"
        || name.starts_with("LD_")
        || name.starts_with("GITPORT_")
}

fn folder(reader: &mut Reader) -> Option<Value> {
    let value = reader.get("folder")?;
    reader.value("folder", value);
    if value.as_str().is_some_and(|it| !is_below(it)) {
        reader.say("folder", "name a folder of the checkout: neither absolute nor with `..`");
    }
    Some(value.clone())
}

fn input(reader: &mut Reader) -> Input {
    match reader.get("stdin") {
        None => Input::Data,
        Some(value) if value == "data" => Input::Data,
        Some(value) if value == "none" => Input::Nothing,
        Some(value) => {
            match super::values::expression(value) {
                Some(_) => reader.expressions("stdin", value),
                None => reader.say("stdin", "write `data`, `none`, or `{value: …}`"),
            }
            Input::Value(value.clone())
        }
    }
}

fn output(reader: &mut Reader) -> Output {
    match reader.get("output") {
        None => Output::Text,
        Some(value) if value == "text" => Output::Text,
        Some(value) if value == "json" => Output::Json,
        Some(_) => {
            reader.say("output", "write `text` or `json`");
            Output::Text
        }
    }
}

fn outcomes(reader: &mut Reader) -> BTreeMap<i32, String> {
    let Some(value) = reader.get("outcomes") else {
        return BTreeMap::from([(0, OUTCOME.to_owned())]);
    };
    let mut outcomes = BTreeMap::new();
    let Some(map) = value.as_object() else {
        reader.say("outcomes", "write a map of exit codes to outcomes");
        return outcomes;
    };
    for (code, outcome) in map {
        let path = place::join("outcomes", code);
        let number = code.parse().ok().filter(|it: &u8| it.to_string() == *code);
        match (number, outcome.as_str().filter(|it| !it.is_empty())) {
            (None, _) => reader.say(path, "write an exit code, from 0 to 255"),
            (_, None) => reader.say(path, "write the outcome that this exit code is"),
            (_, Some(outcome)) if RESERVED.contains(&outcome) => {
                reader
                    .say(path, format!("`{outcome}` is what the engine says: leave the code out"));
            }
            (Some(number), Some(outcome)) => {
                outcomes.insert(i32::from(number), outcome.to_owned());
            }
        }
    }
    outcomes
}
