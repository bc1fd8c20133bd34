//! `gitport call`: one request from the command line, its reply as JSON.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use serde_json::{Map, Value as Json, json};

use super::{
    REFUSED, complain, end,
    given::{insert, pair},
    interrupt::Interrupt,
    progress::Bar,
    supervisor::{self, Supervisor},
};
use crate::config::Settings;

/// Carries out one request. The exit status is that of the reply: 0 for `ok`, 1 for `err`.
pub fn call(settings: &Settings, op: &str, arguments: &[String]) -> ExitCode {
    let request = match request(op, arguments) {
        Ok(request) => request,
        Err(mistake) => return complain(mistake),
    };
    let reply = match carry_out(settings, &request) {
        Ok(reply) => reply,
        Err(error) => return complain(error),
    };
    let (value, status) = match reply.get("ok") {
        Some(value) => (value, ExitCode::SUCCESS),
        None => (&reply, ExitCode::from(REFUSED)),
    };
    for hint in arguments.iter().filter_map(|it| hint(it, &request, &reply)) {
        complain(hint);
    }
    match print(value) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => end(&error),
        _ => status,
    }
}

fn carry_out(settings: &Settings, request: &Json) -> io::Result<Json> {
    let mut daemon = Supervisor::start(&supervisor::flags(settings))?;
    let interrupt = Interrupt::watch(&daemon.process)?;
    let mut bar = Bar::new();
    if ["sync", "push"].iter().any(|it| request["op"] == *it) && io::stderr().is_terminal() {
        daemon.ask(&json!({"op": "subscribe", "events": ["progress"]}), |_| ())?;
        bar.show();
    }
    let reply = daemon.ask(request, |event| bar.update(event));
    bar.clear();
    let outcome = reply.and_then(|reply| daemon.finish().map(|_| reply));
    interrupt.obey();
    outcome
}

/// Prints JSON in which nothing is a command to a terminal; such characters are only in texts.
pub fn print(value: &Json) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    if text.contains(is_command) {
        let escaped = |it: char| match is_command(it) {
            true => format!("\\u{:04x}", u32::from(it)),
            false => it.to_string(),
        };
        text = text.chars().map(escaped).collect();
    }
    let mut output = io::stdout().lock();
    writeln!(output, "{text}")?;
    output.flush()
}

/// Whether a terminal may do something else with it than show it, though JSON leaves it as it is.
fn is_command(it: char) -> bool {
    ('\u{7f}'..='\u{9f}').contains(&it)
}

fn request(op: &str, arguments: &[String]) -> Result<Json, String> {
    let mut request = Map::new();
    request.insert("op".to_owned(), op.into());
    for argument in arguments {
        let (key, value) = pair(argument)?;
        insert(&mut request, key, value).map_err(|why| format!("`{key}` {why}"))?;
    }
    Ok(request.into())
}

/// What an argument that the reply calls wrong was taken for, where that may not be meant.
fn hint(argument: &str, request: &Json, reply: &Json) -> Option<String> {
    let at = argument.find(['=', '@'])?;
    let (key, text) = (&argument[..at], &argument[at + 1..]);
    let rest = reply["field"].as_str()?.strip_prefix(key)?;
    if !rest.is_empty() && !rest.starts_with(['.', '[']) {
        return None;
    }
    match request.pointer(&format!("/{}", key.replace('.', "/")))? {
        Json::String(it) if !it.trim_start().starts_with(['[', '{']) => None,
        Json::String(_) if argument[at..].starts_with('@') => {
            Some(format!("`{key}@` is text; for JSON write {key}=\"$(cat {text})\""))
        }
        Json::String(it) => {
            let error = serde_json::from_str::<Json>(it).err()?;
            Some(format!("`{key}` was taken as text, for it is no JSON: {error}"))
        }
        Json::Number(_) | Json::Bool(_) if reply["err"].as_str()?.ends_with("is a text") => {
            Some(format!("`{key}` was taken as JSON; as text it is {key}='\"{text}\"'"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
