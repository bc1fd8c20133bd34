//! Requests and replies in columns, coloured on a terminal.

use std::{
    env,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::Value as Json;

use super::stage::Stage;
use crate::shell::json::spaced;

/// Where the JSON of a line starts.
const MARGIN: usize = 22;
const WIDTH: usize = 100;
const BYTES_SHOWN: usize = 16;

pub struct Screen {
    is_coloured: bool,
    steps: usize,
}

#[derive(Clone, Copy)]
enum Colour {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
}

impl Screen {
    pub fn new() -> Screen {
        let is_coloured = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
        Screen { is_coloured, steps: 0 }
    }

    pub fn open(&self, stage: &Stage) -> io::Result<()> {
        let (folder, url, remark) = (stage.folder().path().display(), stage.url(), stage.remark());
        let title = self.paint(Colour::Bold, "gitport plays its own supervisor");
        self.say(&format!(
            "{title}\n\n\
             It starts a daemon, writes requests to its stdin and reads replies from its stdout.\n\
             Each is a length of four bytes and that many bytes of msgpack, shown here as JSON.\n\
             \n  \
             daemon      gitport serve --root={folder} --data={folder}/data\n  \
             repository  {url}\n              {remark}\n"
        ))
    }

    pub fn step(&mut self, name: &str, what: &str) -> io::Result<()> {
        self.steps += 1;
        let name = self.paint(Colour::Bold, name);
        self.say(&format!("\n{}. {name} {what}\n", self.steps))
    }

    pub fn request(&self, request: &Json) -> io::Result<()> {
        self.say(&row("request", "", &wrapped(&spaced(request))))
    }

    pub fn bytes(&self, frame: &[u8]) -> io::Result<()> {
        let shown = &frame[..frame.len().min(BYTES_SHOWN)];
        let bytes: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
        self.remark(&format!("{} bytes: {} …", frame.len(), bytes.join(" ")))
    }

    pub fn reply(&self, reply: &Json, time: Duration) -> io::Result<()> {
        let colour = if reply.get("ok").is_some() { Colour::Green } else { Colour::Red };
        let time = format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let text = self.paint(colour, &wrapped(&spaced(reply)));
        self.say(&row("reply", &time, &text))
    }

    pub fn remark(&self, text: &str) -> io::Result<()> {
        self.say(&row("", "", &self.paint(Colour::Dim, text)))
    }

    /// What somebody does, at which time since something began.
    pub fn doing(&self, who: &str, since: Duration, what: &str) -> io::Result<()> {
        self.say(&row(who, &format!("{} ms", since.as_millis()), what))
    }

    pub fn close(&self) -> io::Result<()> {
        let program = env::args().next().unwrap_or_else(|| "gitport".to_owned());
        let title = self.paint(Colour::Bold, "What to try next");
        self.say(&format!(
            "\n{title}\n\n  \
             {program} call head path=$PWD    one request, for any repository of yours\n  \
             {program} shell                  requests as JSON, one a line\n  \
             {program} run FILE               a process of your own, to its end\n  \
             {program} --help                 commands and flags\n\n\
             protocol/README.md tells all a client needs to know; integration/elixir and\n\
             integration/python are clients that are ready to use.\n"
        ))
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        match self.is_coloured {
            true => format!("\x1b[{}m{text}\x1b[0m", colour as u8),
            false => text.to_owned(),
        }
    }

    fn say(&self, text: &str) -> io::Result<()> {
        io::stdout().lock().write_all(text.as_bytes())
    }
}

fn row(label: &str, time: &str, text: &str) -> String {
    format!("   {label:<8}{time:>9}  {text}\n")
}

/// Breaks a line between the members of lists and maps.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut room = WIDTH - MARGIN;
    for part in text.split_inclusive(", ") {
        let length = part.trim_end().chars().count();
        if room < length && !lines.is_empty() {
            lines.truncate(lines.trim_end().len());
            lines += &format!("\n{:MARGIN$}", "");
            room = WIDTH - MARGIN;
        }
        lines += part;
        room = room.saturating_sub(part.chars().count());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_between_members_and_none_is_lost() {
        let part = "x".repeat(30);
        let text = [part.as_str(); 5].join(", ");
        let lines = wrapped(&text);
        assert!(lines.lines().all(|line| line.len() <= WIDTH), "{lines}");
        assert_eq!(lines.lines().count(), 3);
        assert_eq!(lines.replace(&format!("\n{:MARGIN$}", ""), " "), text);
    }

    #[test]
    fn a_member_longer_than_a_line_stays_whole() {
        let text = "x".repeat(300);
        assert_eq!(wrapped(&text), text);
    }
}
