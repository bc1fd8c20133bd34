//! What the commit of a firing says: in words for people, in trailers for programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::giver::Given;
use crate::{
    engine::{
        canonical::canonical,
        event::{Event, Firing, Kind},
        state::Status,
    },
    error::{Error, Result},
};

/// A longer cause is a file of the commit.
const CAUSE_BYTES_MAX: usize = 1024;
/// The file that a cause is, if it is no trailer.
pub const CAUSE_FILE: &str = "event.json";
/// The event of a commit from which a run goes on by another process.
pub const MIGRATES: &str = "migrate";
/// The trailers there are.
const RUN: &str = "Run";
const SEQ: &str = "Seq";
const EVENT: &str = "Event";
const STEP: &str = "Step";
const OUTCOME: &str = "Outcome";
const ACTOR: &str = "Actor";
const STATUS: &str = "Status";
const BEGAN: &str = "Began";
const PROCESS: &str = "Process";
const VERSION: &str = "Version";
const DIGEST: &str = "Digest";
const INPUT: &str = "Input";
const REVISION: &str = "Revision";
const ATTRIBUTE: &str = "Attribute";
const FIRST: &str = "First";
const FORKED: &str = "Forked";
const MILESTONE: &str = "Milestone";
const PROBLEM: &str = "Problem";
const CAUSE: &str = "Cause";
const OVERRIDE: &str = "Override";
/// The longest subject.
const SUBJECT_CHARS_MAX: usize = 72;

/// Something that happened to a run, and who did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    pub actor: String,
    /// Of somebody who takes something up: who gave it, and for how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
    /// Of what policies forbid: why it was done all the same.
    #[serde(rename = "override", default, skip_serializing_if = "Option::is_none")]
    pub overrode: Option<Overrode>,
    #[serde(flatten)]
    pub event: Event,
}

/// Rules that somebody had a reason not to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overrode {
    pub rules: Vec<String>,
    pub reason: String,
}

/// What the first commit of a run says of it, and the last: what it is a run of, and what it is
/// found by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Birth {
    /// Who began it, and when.
    pub actor: String,
    pub began_ms: i64,
    pub process: String,
    pub version: Option<String>,
    /// Of the definition: `sha256:` and 64 digits.
    pub digest: String,
    /// Of what the run was started with, in the same form.
    pub input: String,
    pub attributes: BTreeMap<String, String>,
    /// The run that it was first, and the number of the commit it was that with: `r@7`.
    pub forked: Option<String>,
    /// Of one that migrated: the version and digest that it began with.
    pub first: Option<(Option<String>, String)>,
    /// The commit of the repository that it is about; none where there was none.
    pub revision: Option<String>,
}

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub run: String,
    /// Which of the run's commits it is, from 1.
    pub seq: u64,
    pub event: String,
    pub step: Option<String>,
    pub outcome: Option<String>,
    pub actor: String,
    pub cause: Because,
    pub birth: Option<Birth>,
    /// How the run ended.
    pub end: Option<Status>,
}

impl Said {
    /// Whether it may be the end of a task, or of an attempt, however that came.
    pub fn may_finish(&self) -> bool {
        [Kind::Complete, Kind::Again].into_iter().any(|it| self.event == kind(it))
    }
}

/// What is to be said of a firing.
pub struct Words<'a> {
    pub run: &'a str,
    pub seq: u64,
    pub actor: &'a str,
    pub firing: &'a Firing,
    /// Of the first commit of an event: what happened, or the file that says it.
    pub cause: Option<&'a str>,
    pub overrode: Option<&'a Overrode>,
    /// Of the first commit of a run, and of the last.
    pub birth: Option<&'a Birth>,
    /// Of the last: how it ended.
    pub end: Option<Status>,
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
        // As it is derived, but without a look at each part for where it is flattened to.
        let fits = "it is made of text and numbers";
        let mut value = serde_json::to_value(&self.event.what).expect(fits);
        value["actor"] = self.actor.as_str().into();
        value["at_ms"] = self.event.at_ms.into();
        if let Some(overrode) = &self.overrode {
            value["override"] = serde_json::to_value(overrode).expect(fits);
        }
        if let Some(given) = &self.given {
            value["given"] = serde_json::to_value(given).expect(fits);
        }
        let line = canonical(&value);
        let is_short = line.len() <= CAUSE_BYTES_MAX;
        (line, is_short)
    }

    pub fn read(bytes: &[u8]) -> Result<Cause> {
        let unreadable = |error| Error::corrupt(format!("an event cannot be read: {error}"));
        serde_json::from_slice(bytes).map_err(unreadable)
    }
}

impl Words<'_> {
    pub fn message(&self) -> String {
        let Words { run, seq, actor, firing, cause, overrode, birth, end } = self;
        let mut message = subject(firing);
        message.push_str("\n\n");
        let mut trailer = |name: &str, value: &str| {
            message.push_str(name);
            message.push_str(": ");
            message.push_str(value);
            message.push('\n');
        };
        trailer(RUN, run);
        trailer(SEQ, &seq.to_string());
        trailer(EVENT, kind(firing.kind));
        if !firing.path.is_empty() {
            trailer(STEP, &firing.path);
        }
        if let Some(outcome) = &firing.outcome {
            trailer(OUTCOME, &one_line(outcome));
        }
        trailer(ACTOR, actor);
        if let Some(Overrode { rules, reason }) = overrode {
            trailer(OVERRIDE, &one_line(&format!("{}: {reason}", rules.join(", "))));
        }
        if let Some(end) = end {
            trailer(STATUS, end.word());
        }
        firing.milestone.iter().for_each(|it| trailer(MILESTONE, it));
        if let Some(it) = birth {
            trailer(BEGAN, &format!("{} {}", it.began_ms, it.actor));
            trailer(PROCESS, &one_line(&it.process));
            it.version.iter().for_each(|it| trailer(VERSION, &one_line(it)));
            trailer(DIGEST, &it.digest);
            trailer(INPUT, &it.input);
            it.revision.iter().for_each(|it| trailer(REVISION, it));
            it.forked.iter().for_each(|it| trailer(FORKED, it));
            if let Some((version, digest)) = &it.first {
                let version = version.as_deref().map(one_line).unwrap_or_default();
                trailer(FIRST, format!("{digest} {version}").trim_end());
            }
            for (name, value) in &it.attributes {
                trailer(ATTRIBUTE, &format!("{name}={value}"));
            }
        }
        for note in &firing.notes {
            trailer(PROBLEM, &one_line(&format!("{}: {}", note.kind, note.message)));
        }
        if let Some(cause) = cause {
            trailer(CAUSE, cause);
        }
        message
    }
}

/// What a message says, if it is one of a run.
pub fn read(message: &[u8]) -> Result<Said> {
    let damaged = |what: &str| Error::corrupt(format!("a commit of a run has no {what}"));
    let text = str::from_utf8(message).map_err(|_| damaged("message that is UTF-8"))?;
    let (_, trailers) = text.split_once("\n\n").ok_or_else(|| damaged("trailers"))?;
    // The first of each name counts; there are some twenty names, and many commits.
    let all: Vec<(&str, &str)> = trailers.lines().filter_map(|it| it.split_once(": ")).collect();
    let find = |name: &str| all.iter().find(|it| it.0 == name).map(|it| it.1);
    let text = |name: &str| find(name).map(str::to_owned);
    let needed = |name: &str| text(name).ok_or_else(|| damaged(&format!("`{name}`")));
    let seq = find(SEQ).and_then(|it| it.parse().ok()).ok_or_else(|| damaged("`Seq`"))?;
    let cause = match find(CAUSE) {
        None => Because::Before,
        Some(CAUSE_FILE) => Because::File,
        Some(cause) => Because::Of(Box::new(Cause::read(cause.as_bytes())?)),
    };
    let attributes = all.iter().filter(|it| it.0 == ATTRIBUTE);
    let attributes = attributes.filter_map(|it| it.1.split_once('='));
    let began = find(BEGAN).and_then(|it| it.split_once(' '));
    let birth = began.and_then(|(began_ms, actor)| {
        Some(Birth {
            actor: actor.to_owned(),
            began_ms: began_ms.parse().ok()?,
            process: text(PROCESS)?,
            version: text(VERSION),
            digest: text(DIGEST)?,
            input: text(INPUT)?,
            attributes: attributes.map(|(it, value)| (it.to_owned(), value.to_owned())).collect(),
            forked: text(FORKED),
            first: find(FIRST).map(|it| match it.split_once(' ') {
                Some((digest, version)) => (Some(version.to_owned()), digest.to_owned()),
                None => (None, it.to_owned()),
            }),
            revision: text(REVISION),
        })
    });
    let end = find(STATUS).and_then(|it| ENDS.into_iter().find(|end| end.word() == it));
    let (event, actor) = (needed(EVENT)?, needed(ACTOR)?);
    let (step, outcome) = (text(STEP), text(OUTCOME));
    Ok(Said { run: needed(RUN)?, seq, event, step, outcome, actor, cause, birth, end })
}

/// What a run can end as.
const ENDS: [Status; 3] = [Status::Done, Status::Failed, Status::Cancelled];

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
        Kind::Suspend => "suspend",
        Kind::Resume => "resume",
        Kind::Retry => "retry",
        Kind::Fork => "fork",
        Kind::Migrate => MIGRATES,
    }
}

/// Without what would be another line or none.
pub fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    plain.trim().to_owned()
}
