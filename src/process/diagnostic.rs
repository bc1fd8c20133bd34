//! What is wrong with a definition: the rule, the place, and what to do about it.

use std::fmt;

use serde::Serialize;

use super::source::{Excerpt, Place, Source, Span};

/// Something that definitions are checked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: &'static str,
    pub severity: Severity,
    /// What it is about, as a sentence.
    pub about: &'static str,
}

/// An error is what cannot work as it is written; a warning is what is hardly meant so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl Rule {
    pub const fn error(name: &'static str, about: &'static str) -> Rule {
        Rule { name, severity: Severity::Error, about }
    }

    pub const fn warning(name: &'static str, about: &'static str) -> Rule {
        Rule { name, severity: Severity::Warning, about }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnostic {
    #[serde(rename = "rule", serialize_with = "name_of")]
    pub rule: &'static Rule,
    pub severity: Severity,
    pub message: String,
    /// What would be right, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_name: Option<String>,
    /// Where it is in the definition: `steps[3].transitions[0].when`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    #[serde(flatten)]
    pub spot: Spot,
    /// Other places that have to do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Related {
    pub message: String,
    #[serde(flatten)]
    pub spot: Spot,
}

/// A place in a file, with the line that is shown for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spot {
    pub file: String,
    #[serde(flatten)]
    pub place: Place,
    #[serde(skip)]
    pub excerpt: Excerpt,
}

impl Spot {
    pub fn new(source: &Source, span: Span) -> Spot {
        let (place, excerpt) = (source.place(span), source.excerpt(span));
        Spot { file: source.name.clone(), place, excerpt }
    }
}

fn name_of<S: serde::Serializer>(rule: &&'static Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.name)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spot { file, place, .. } = &self.spot;
        let (severity, rule) = (self.severity.as_str(), self.rule.name);
        write!(f, "{file}:{}:{}: {severity}[{rule}]: ", place.line, place.column)?;
        f.write_str(&self.message)
    }
}

/// Of more names than these only so many are looked at.
const KNOWN_MAX: usize = 100;

/// The nearest of `known`, if it is near enough to be what was meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: String = wrong.chars().take(64).collect::<String>().to_lowercase();
    let far = |it: &str| strsim::damerau_levenshtein(&wrong, &it.to_lowercase());
    let limit = (wrong.chars().count() + 1) / 3;
    let known = known.into_iter().take(KNOWN_MAX);
    let near = known.filter(|it| it.len() <= 128).map(|it| (far(it), it));
    near.filter(|it| it.0 <= limit).min().map(|it| it.1)
}

/// Text for a message, no longer than a person wants to read.
pub fn brief(text: &str) -> String {
    let clean: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    match clean.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}
