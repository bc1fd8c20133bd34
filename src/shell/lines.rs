//! `gitport shell`: requests as JSON, one a line; replies and events as JSON, one a line.
//!
//! Lines are read while replies are written, so that requests with ids run side by side here too.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::{ExitCode, ExitStatus},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde_json::{Value as Json, json};

use super::{
    complain, end,
    interrupt::Interrupt,
    supervisor::{self, Replies, Requests, Supervisor},
};
use crate::config::Settings;

/// Carries out requests until stdin ends and the last reply is written.
pub fn lines(settings: &Settings) -> ExitCode {
    match carry_out(settings) {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => complain(format_args!("the daemon ended early: {status}")),
        Err(error) => end(&error),
    }
}

fn carry_out(settings: &Settings) -> io::Result<ExitStatus> {
    let supervisor = Supervisor::start(&supervisor::flags(settings))?;
    let interrupt = Interrupt::watch(&supervisor.process)?;
    let Supervisor { requests, replies, mut process } = supervisor;
    let daemon = Arc::new(Daemon::new(requests));
    let prompt = Prompt::new();
    prompt.greet();
    let reader = thread::Builder::new().name("lines".to_owned());
    let requested = Arc::clone(&daemon);
    // Not joined: it may wait for a line nobody types any more, and ends with the process.
    reader.spawn(move || {
        // What cannot be sent, or told, ends the requests as the end of stdin does.
        let _ = read_lines(&requested, prompt);
        prompt.leave();
        requested.settle();
    })?;
    write_replies(replies, &daemon, prompt)?;
    let status = process.wait()?;
    interrupt.obey();
    Ok(status)
}

/// The way to the daemon. It is closed when nothing more is to come from either side: the end of
/// its input would limit the time that requests still running have.
struct Daemon {
    requests: Mutex<Option<Requests>>,
    /// Requests without a reply, and one more while stdin is open.
    open: AtomicU64,
}

impl Daemon {
    fn new(requests: Requests) -> Daemon {
        Daemon { requests: Mutex::new(Some(requests)), open: AtomicU64::new(1) }
    }

    fn send(&self, request: &Json) -> io::Result<()> {
        self.open.fetch_add(1, Ordering::AcqRel);
        let mut requests = self.requests.lock().expect("nobody panics with the lock");
        match &mut *requests {
            Some(requests) => requests.send(request),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Takes note of a reply, or of the end of stdin.
    fn settle(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.requests.lock().expect("nobody panics with the lock") = None;
        }
    }
}

fn read_lines(daemon: &Daemon, prompt: Prompt) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            prompt.show();
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(request @ Json::Object(_)) => daemon.send(&request)?,
            Ok(_) => {
                let message = format!("line {number} is no map of `op` and arguments");
                print(&json!({"err": message, "code": "bad_request", "line": number}))?;
                prompt.show();
            }
            Err(error) => {
                print(&mistake(number, &error))?;
                prompt.show();
            }
        }
    }
    Ok(())
}

fn write_replies(mut replies: Replies, daemon: &Daemon, prompt: Prompt) -> io::Result<()> {
    while let Some(reply) = replies.next()? {
        print(&reply)?;
        prompt.show();
        if reply.get("event").is_none() {
            daemon.settle();
        }
    }
    Ok(())
}

/// Writes a line whole, beside whoever else writes lines.
fn print(value: &Json) -> io::Result<()> {
    let line = format!("{value}\n");
    io::stdout().lock().write_all(line.as_bytes())
}

/// The reply to a line that never became a request.
fn mistake(number: u64, error: &serde_json::Error) -> Json {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let why = text.strip_suffix(&place).unwrap_or(&text);
    let message = format!("line {number} is no JSON: {why} at column {}", error.column());
    json!({"err": message, "code": "bad_request", "line": number})
}

/// Shows a person that a line is waited for. Says nothing to a program.
#[derive(Clone, Copy)]
struct Prompt {
    is_shown: bool,
}

impl Prompt {
    fn new() -> Prompt {
        Prompt { is_shown: io::stdin().is_terminal() && io::stderr().is_terminal() }
    }

    fn greet(self) {
        self.say("One request a line, as JSON: {\"op\": \"hello\"}. Control-D ends.\n");
        self.show();
    }

    fn show(self) {
        self.say("gitport> ");
    }

    fn leave(self) {
        self.say("\n");
    }

    fn say(self, text: &str) {
        if self.is_shown {
            // A prompt that cannot be seen is no reason to stop.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_names_its_line_and_column() {
        let error = serde_json::from_str::<Json>(r#"{"op" "head"}"#).unwrap_err();
        let expected = "line 7 is no JSON: expected `:` at column 7";
        assert_eq!(mistake(7, &error)["err"], expected);
    }
}
