//! `gitport shell`: requests as JSON, one a line; replies and events as JSON, one a line.
//!
//! Lines are read while replies are written, so that requests with ids run side by side here too.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::{Child, ExitCode},
    thread,
};

use serde_json::{Value as Json, json};

use super::{
    complain, end,
    supervisor::{self, Replies, Requests, Supervisor},
};
use crate::config::Settings;

/// The id of the request that follows the last line. Nobody types this one.
const LAST_ID: &str = "gitport shell: after the last line";

/// Carries out requests until stdin ends and the last reply is written.
pub fn lines(settings: &Settings) -> ExitCode {
    let daemon = match Supervisor::start(&supervisor::flags(settings)) {
        Ok(daemon) => daemon,
        Err(error) => return complain(error),
    };
    let Supervisor { requests, replies, process } = daemon;
    let prompt = Prompt::new();
    prompt.greet();
    let reader = thread::Builder::new().name("lines".to_owned());
    // The thread may still wait for a line when the daemon has ended, and ends with the process.
    // Its handle keeps what it returns, the open pipe: a closed one would limit the time that
    // requests still running have.
    let _reader = match reader.spawn(move || read_lines(requests, prompt)) {
        Ok(handle) => handle,
        Err(error) => return complain(error),
    };
    match write_replies(replies, prompt) {
        Ok(()) => wait(process),
        Err(error) => end(&error),
    }
}

fn read_lines(mut requests: Requests, prompt: Prompt) -> io::Result<Requests> {
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
            Ok(request) => requests.send(&request)?,
            Err(error) => {
                print(&mistake(number, &error))?;
                prompt.show();
            }
        }
    }
    prompt.leave();
    // Ends when every request before it has its reply, however long that takes.
    requests.send(&json!({"op": "shutdown", "id": LAST_ID}))?;
    Ok(requests)
}

fn write_replies(mut replies: Replies, prompt: Prompt) -> io::Result<()> {
    while let Some(reply) = replies.next()? {
        if reply["id"] == LAST_ID {
            continue;
        }
        print(&reply)?;
        prompt.show();
    }
    Ok(())
}

fn wait(mut process: Child) -> ExitCode {
    match process.wait() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => complain(format_args!("the daemon ended early: {status}")),
        Err(error) => complain(error),
    }
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
