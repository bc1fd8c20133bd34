//! What surrounds a step: how long it may take, and what is tried again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{flow::Names, work::Emit};

/// A length of time as it was written, and in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent)]
pub struct Duration {
    #[schemars(regex(pattern = r"^(P[0-9DTHMS.]+|([0-9]+(ms|s|m|h|d|w))+)$"))]
    text: String,
    #[schemars(skip)]
    ms: u64,
}

impl Duration {
    /// A hundred years; what is longer is a mistake.
    const MS_MAX: u64 = 100 * 366 * 86_400_000;

    pub fn parse(text: &str) -> Option<Duration> {
        let ms = match text.strip_prefix('P') {
            Some(rest) => iso(rest),
            None => units(text, &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]),
        }?;
        (ms <= Duration::MS_MAX).then(|| Duration { text: text.to_owned(), ms })
    }

    pub fn ms(&self) -> u64 {
        self.ms
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// `DT` of ISO 8601, without years and months, whose length nobody knows.
fn iso(text: &str) -> Option<u64> {
    let (days, time) = text.split_once('T').unwrap_or((text, ""));
    if days.is_empty() && time.is_empty() || text.ends_with('T') {
        return None;
    }
    let days = if days.is_empty() { 0 } else { units(days, &[("D", DAY_MS), ("W", 7 * DAY_MS)])? };
    let time = match time {
        "" => 0,
        _ => units(time, &[("H", 3_600_000), ("M", 60_000), ("S", 1000)])?,
    };
    days.checked_add(time)
}

const DAY_MS: u64 = 86_400_000;

/// Numbers with units, one after the other.
fn units(text: &str, known: &[(&str, u64)]) -> Option<u64> {
    let (mut rest, mut ms) = (text, 0_u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|it: char| it.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "d" => DAY_MS,
            "w" => 7 * DAY_MS,
            unit => known.iter().find(|it| it.0 == unit)?.1,
        };
        ms = ms.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[end..];
    }
    Some(ms)
}

/// What is tried again; of several rules, the first that names the error.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Retry {
    Rule(RetryRule),
    Rules(Vec<RetryRule>),
}

impl Retry {
    pub fn rules(&self) -> &[RetryRule] {
        match self {
            Retry::Rule(rule) => std::slice::from_ref(rule),
            Retry::Rules(rules) => rules,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// The types of errors; without them, every error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Names>,
    /// All together, the first one too.
    #[schemars(range(min = 1, max = 10000))]
    pub attempts: u32,
    /// Before the second attempt; at once if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Duration>,
    /// What the wait is multiplied with each time; 2 if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub factor: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_max: Option<Duration>,
    /// By how many percent a wait may be shorter, as chance wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub jitter_percent: Option<u32>,
}

/// When a step should be done.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Deadline {
    After(Duration),
    Rule(Box<DeadlineRule>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadlineRule {
    pub after: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
}

/// What changes when a deadline has passed; the step goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<Emit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
}

impl Deadline {
    pub fn rule(&self) -> DeadlineRule {
        match self {
            Deadline::After(after) => DeadlineRule { after: after.clone(), escalate: None },
            Deadline::Rule(rule) => (**rule).clone(),
        }
    }
}
