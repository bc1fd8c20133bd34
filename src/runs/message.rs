//! What the commit of a firing says: in words for people, in trailers for programs.

use serde::{Deserialize, Serialize};

use crate::{
    engine::{
        canonical::canonical,
        event::{Event, Firing, Kind},
    },
    error::{Error, Result},
};

/// A longer cause is a file of the commit.
const CAUSE_BYTES_MAX: usize = 1024;
/// The file that a cause is, if it is no trailer.
pub const CAUSE_FILE: &str = "event.json";
/// The longest subject.
const SUBJECT_CHARS_MAX: usize = 72;

/// Something that happened to a run, and who did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    pub actor: String,
    #[serde(flatten)]
    pub event: Event,
}

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub run: String,
    /// Which of the run's commits it is, from 1.
    pub seq: u64,
    pub cause: Because,
}

/// What a commit came of.
#[derive(Debug, Clone, PartialEq)]
pub enum Because {
    /// It is not the first of its event.
    Before,
    Of(Box<Cause>),
    /// The file says it.
    File,
}

impl Cause {
    /// As one line, or nothing if that is too long for a message.
    pub fn line(&self) -> (String, bool) {
        let value = serde_json::to_value(self).expect("it is made of text and numbers");
        let line = canonical(&value);
        let is_short = line.len() <= CAUSE_BYTES_MAX;
        (line, is_short)
    }

    pub fn read(bytes: &[u8]) -> Result<Cause> {
        let unreadable = |error| Error::corrupt(format!("an event cannot be read: {error}"));
        serde_json::from_slice(bytes).map_err(unreadable)
    }
}

/// The message of a firing's commit; the first of an event has its cause, if it is short.
pub fn message(run: &str, seq: u64, actor: &str, firing: &Firing, cause: Option<&str>) -> String {
    let mut message = subject(firing);
    message.push_str("\n\n");
    let mut trailer = |name: &str, value: &str| {
        message.push_str(name);
        message.push_str(": ");
        message.push_str(value);
        message.push('\n');
    };
    trailer("Run", run);
    trailer("Seq", &seq.to_string());
    trailer("Event", kind(firing.kind));
    if !firing.path.is_empty() {
        trailer("Step", &firing.path);
    }
    if let Some(outcome) = &firing.outcome {
        trailer("Outcome", &one_line(outcome));
    }
    trailer("Actor", actor);
    for note in &firing.notes {
        trailer("Problem", &one_line(&format!("{}: {}", note.kind, note.message)));
    }
    if let Some(cause) = cause {
        trailer("Cause", cause);
    }
    message
}

/// What a message says, if it is one of a run.
pub fn read(message: &[u8]) -> Result<Said> {
    let damaged = |what: &str| Error::corrupt(format!("a commit of a run has no {what}"));
    let text = str::from_utf8(message).map_err(|_| damaged("message that is UTF-8"))?;
    let (_, trailers) = text.split_once("\n\n").ok_or_else(|| damaged("trailers"))?;
    let find = |name: &str| {
        let lines = trailers.lines().filter_map(|it| it.split_once(": "));
        lines.into_iter().find(|it| it.0 == name).map(|it| it.1)
    };
    let run = find("Run").ok_or_else(|| damaged("`Run`"))?.to_owned();
    let seq = find("Seq").and_then(|it| it.parse().ok()).ok_or_else(|| damaged("`Seq`"))?;
    let cause = match find("Cause") {
        None => Because::Before,
        Some(CAUSE_FILE) => Because::File,
        Some(cause) => Because::Of(Box::new(Cause::read(cause.as_bytes())?)),
    };
    Ok(Said { run, seq, cause })
}

fn subject(firing: &Firing) -> String {
    one_line(&firing.to_string()).chars().take(SUBJECT_CHARS_MAX).collect()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Begin => "begin",
        Kind::Start => "start",
        Kind::Complete => "complete",
        Kind::Again => "again",
        Kind::Join => "join",
        Kind::Absorb => "absorb",
        Kind::Cancel => "cancel",
        Kind::Signal => "signal",
        Kind::End => "end",
    }
}

/// Without what would be another line or none.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    plain.trim().to_owned()
}
