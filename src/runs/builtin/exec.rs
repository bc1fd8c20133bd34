//! From an `exec` step to what is run, and from how that ended to what becomes of the step.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::de::Error as _;
use serde_bytes::ByteBuf;
use serde_json::{Value, json};

use super::{Ended, Order, Why};
use crate::{
    engine::{
        definition::{DEPTH_MAX, Data, are_too_deep},
        expression::{Count, Variables},
    },
    process::builtin::{
        exec::{Exec, Input, Output, is_below, is_name},
        values,
    },
    runs::{listing::Task, own::End},
};

/// What a program gets of the daemon's environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];
/// So much of the end of what a program complains is told.
const COMPLAINT_CHARS_MAX: usize = 2000;

/// The data that expressions see.
struct Seen<'a>(&'a Task);

impl Variables for Seen<'_> {
    fn variable(&self, name: &str) -> Option<Value> {
        let Seen(task) = self;
        match (name, task.index) {
            ("item", Some(_)) => Some(task.item.clone().unwrap_or_default()),
            ("index", Some(index)) => Some(index.into()),
            _ => task.data.get(name).cloned(),
        }
    }

    fn count(&self, _: &Count) -> i64 {
        0
    }
}

/// What an expression in the configuration of a task gives.
pub fn evaluated(value: &Value, task: &Task) -> Result<Value, End> {
    values::evaluated(value, &Seen(task)).map_err(|message| End::fail("expression", message, true))
}

/// What is to be run in a checkout; or why it is not, where nothing was run.
pub fn order(task: &Task, exec: &Exec, checkout: &Path) -> Result<Order, End> {
    let program = place_of(&exec.program)?;
    let arguments = exec.arguments.iter().map(|it| text(it, task)).collect::<Result<_, _>>()?;
    let mut env = environment(task);
    for (name, value) in &exec.env {
        env.insert(name.clone(), text(value, task)?.into());
    }
    let input = match &exec.input {
        Input::Nothing => None,
        Input::Data => Some(line(&Value::Object(task.data.clone()))),
        Input::Value(value) => Some(match evaluated(value, task)? {
            Value::String(text) => text,
            other => line(&other),
        }),
    };
    Ok(Order {
        name: exec.program.clone(),
        program: program.into(),
        arguments,
        env,
        folder: folder(exec, task, checkout)?.into(),
        input: input.map(ByteBuf::from),
        timeout_ms: exec.timeout_ms,
        output_bytes_max: exec.output_bytes_max,
    })
}

/// What becomes of a step whose program ended; `step` is what it is called.
pub fn outcome(ended: Ended, exec: &Exec, step: &str) -> End {
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    match ended.why {
        Why::Stopped => return End::Release,
        Why::Timeout => {
            let message = format!("not done after {} ms{}", exec.timeout_ms, complaint(&stderr));
            return End::fail("timeout", message, false);
        }
        Why::Itself => (),
    }
    let Some(outcome) = ended.code.and_then(|it| exec.outcomes.get(&it)) else {
        let how = match (ended.code, ended.signal) {
            (Some(code), _) => format!("`{}` ended with the exit code {code}", exec.program),
            (None, Some(signal)) => format!("`{}` was ended by the signal {signal}", exec.program),
            (None, None) => format!("nobody knows how `{}` ended", exec.program),
        };
        return End::fail("exit", how + &complaint(&stderr), false);
    };
    let name = exec.result.as_deref().unwrap_or(step);
    let named = |value: Value| Data::from_iter([(name.to_owned(), value)]);
    let data = match exec.output {
        Output::Text => {
            let stdout = String::from_utf8_lossy(&ended.stdout);
            named(json!({
                "exit": ended.code,
                "stdout": stdout,
                "stderr": stderr,
                "truncated": ended.truncated,
            }))
        }
        Output::Json => match (json_of(&ended.stdout), &exec.result) {
            (Ok(Value::Object(data)), None) => data,
            (Ok(Value::Object(data)), Some(_)) => named(Value::Object(data)),
            _ => {
                let message = format!(
                    "`{}` is to write a JSON object of at most {} bytes that is nested less \
                     than {DEPTH_MAX} deep, and wrote something else",
                    exec.program, exec.output_bytes_max
                );
                return End::fail("output", message, false);
            }
        },
    };
    End::Complete { outcome: Some(outcome.clone()), data }
}

/// JSON that is nested no deeper than data may be, under a name of its own.
fn json_of(text: &[u8]) -> serde_json::Result<Value> {
    let value: Value = serde_json::from_slice(text)?;
    match are_too_deep(std::iter::once(&value)) {
        true => Err(serde_json::Error::custom("too deep")),
        false => Ok(value),
    }
}

/// The end of what was complained, behind something that is told.
fn complaint(stderr: &str) -> String {
    let stderr = stderr.trim();
    let from = stderr.char_indices().rev().take(COMPLAINT_CHARS_MAX).last().map_or(0, |it| it.0);
    match (stderr.is_empty(), from) {
        (true, _) => String::new(),
        (false, 0) => format!(": {stderr}"),
        (false, from) => format!(": …{}", &stderr[from..]),
    }
}

/// A program of the operator's `PATH`, of which only what no checkout can be is looked through.
fn place_of(program: &str) -> Result<PathBuf, End> {
    if !is_name(program) {
        return Ok(PathBuf::from(program));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter(|it| it.is_absolute());
    let can_run = |it: &PathBuf| {
        fs::metadata(it).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    let found = folders.map(|it| it.join(program)).find(can_run);
    found.ok_or_else(|| {
        End::fail("not_found", format!("no program `{program}` is in the daemon's PATH"), false)
    })
}

fn environment(task: &Task) -> BTreeMap<String, OsString> {
    let inherited = INHERITED.iter().filter_map(|it| Some(((*it).to_owned(), env::var_os(it)?)));
    let mut env: BTreeMap<String, OsString> = inherited.collect();
    let of_task = [
        ("TZ", "UTC".to_owned()),
        ("GITPORT_RUN", task.run.clone()),
        ("GITPORT_STEP", task.step.clone()),
        ("GITPORT_TASK", task.task.clone()),
        ("GITPORT_ATTEMPT", task.attempt.to_string()),
    ];
    env.extend(of_task.map(|(name, value)| (name.to_owned(), value.into())));
    env
}

fn folder(exec: &Exec, task: &Task, checkout: &Path) -> Result<PathBuf, End> {
    let Some(folder) = &exec.folder else { return Ok(checkout.to_owned()) };
    let name = text(folder, task)?;
    let refused = |why: &str| {
        End::fail("invalid", format!("the folder `{name}` {why} in the run's revision"), true)
    };
    if !is_below(&name) {
        return Err(refused("is none that can be"));
    }
    // No link of the revision leads out of it.
    match (checkout.canonicalize(), checkout.join(&name).canonicalize()) {
        (Ok(top), Ok(place)) if place.starts_with(&top) && place.is_dir() => Ok(place),
        _ => Err(refused("is not")),
    }
}

/// Text that a program takes: numbers and truths as JSON has them.
fn text(value: &Value, task: &Task) -> Result<String, End> {
    let text = match evaluated(value, task)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(it) => it.to_string(),
        other => {
            let message = format!("{value} gives {other}, which is no text");
            return Err(End::fail("expression", message, true));
        }
    };
    match text.contains('\0') {
        true => Err(End::fail("expression", format!("{value} gives a NUL byte"), true)),
        false => Ok(text),
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
