//! `gitport call`: one request from the command line, its reply as JSON.

use std::{
    fs,
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
};

use serde_json::{Map, Value as Json, json};

use super::{
    complain, end,
    interrupt::Interrupt,
    progress::Bar,
    supervisor::{self, Supervisor},
};
use crate::config::Settings;

/// What the reply is an `err`, for a script to branch on.
const REFUSED: u8 = 1;

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

pub fn print(value: &Json) -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut output, value)?;
    writeln!(output)?;
    output.flush()
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

/// `key=value` or `key@file`: names of arguments have neither sign, so the first one decides.
fn pair(argument: &str) -> Result<(&str, Json), String> {
    let Some(at) = argument.find(['=', '@']) else {
        return Err(format!("`{argument}` is no argument: write key=value, or key@file"));
    };
    let (key, value) = (&argument[..at], &argument[at + 1..]);
    match argument.as_bytes()[at] {
        b'@' => Ok((key, content(value)?.into())),
        _ => Ok((key, serde_json::from_str(value).unwrap_or_else(|_| value.into()))),
    }
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

/// The text in a file, without the line end that editors put behind a token or a password.
fn content(file: &str) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Puts a value where its key leads: `auth.token` is `token` in the map `auth`.
fn insert(map: &mut Map<String, Json>, key: &str, value: Json) -> Result<(), &'static str> {
    let (name, rest) = match key.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (key, None),
    };
    if name.is_empty() {
        return Err("has no name");
    }
    match (rest, map.get_mut(name)) {
        (None, None) => {
            map.insert(name.to_owned(), value);
            Ok(())
        }
        (Some(rest), None) => {
            let mut inner = Map::new();
            insert(&mut inner, rest, value)?;
            map.insert(name.to_owned(), inner.into());
            Ok(())
        }
        (Some(rest), Some(Json::Object(inner))) => insert(inner, rest, value),
        _ => Err("is given twice"),
    }
}

#[cfg(test)]
mod tests;
