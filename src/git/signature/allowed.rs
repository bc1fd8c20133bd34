//! Who may sign: lists in the format of ssh-keygen(1), ALLOWED SIGNERS.

use jiff::{civil::DateTime, tz::TimeZone};
use ssh_key::{PublicKey, public::KeyData};

use super::pattern::matches_list;
use crate::error::{Error, Result};

#[derive(Debug)]
pub struct AllowedSigners {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    principals: Vec<String>,
    options: Options,
    key: KeyData,
}

#[derive(Debug, Default)]
struct Options {
    namespaces: Option<String>,
    /// Seconds since 1970.
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

/// What the list says of a key.
pub enum Standing {
    Allowed(Vec<String>),
    /// At another time.
    Expired(Vec<String>),
    Unknown,
}

impl AllowedSigners {
    pub fn parse(text: &str) -> Result<AllowedSigners> {
        let mut lines = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            lines.push(line(text).map_err(|flaw| flaw.at(index + 1))?);
        }
        Ok(AllowedSigners { lines })
    }

    pub fn standing(&self, key: &KeyData, namespace: &str, at: i64) -> Standing {
        let of_key = self.lines.iter().filter(|it| it.key == *key);
        let found: Vec<&Line> = of_key.filter(|it| it.options.is_for(namespace)).collect();
        let now: Vec<&Line> = found.iter().filter(|it| it.options.is_at(at)).copied().collect();
        match (found.is_empty(), now.is_empty()) {
            (true, _) => Standing::Unknown,
            (false, true) => Standing::Expired(principals(&found)),
            (false, false) => Standing::Allowed(principals(&now)),
        }
    }
}

fn principals(lines: &[&Line]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for principal in lines.iter().flat_map(|it| &it.principals) {
        if !all.contains(principal) {
            all.push(principal.clone());
        }
    }
    all
}

impl Options {
    fn is_for(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|it| matches_list(it, namespace))
    }

    fn is_at(&self, at: i64) -> bool {
        self.valid_after.is_none_or(|it| it <= at) && self.valid_before.is_none_or(|it| at <= it)
    }
}

enum Flaw {
    Invalid(&'static str),
    Unsupported(&'static str),
}

impl Flaw {
    fn at(self, line: usize) -> Error {
        let place = format!("line {line} of the allowed signers");
        let error = match self {
            Flaw::Invalid(why) => Error::invalid(format!("{place}: {why}")),
            Flaw::Unsupported(what) => {
                Error::unsupported(format!("{place}: {what}")).with("feature", what)
            }
        };
        error.with("line", line as u64)
    }
}

fn line(text: &str) -> Result<Line, Flaw> {
    let (names, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(Flaw::Invalid("a quote has no end"))?,
        None => text.split_once(char::is_whitespace).ok_or(Flaw::Invalid("there is no key"))?,
    };
    let principals: Vec<String> = names.split(',').map(str::to_owned).collect();
    if principals.iter().any(String::is_empty) {
        return Err(Flaw::Invalid("a principal is empty"));
    }
    let rest = rest.trim_start();
    if let Some(key) = key(rest) {
        return Ok(Line { principals, options: Options::default(), key });
    }
    let (written, rest) = rest.split_at(options_end(rest));
    let options = options(written)?;
    let key = key(rest.trim_start()).ok_or(Flaw::Invalid("there is no key"))?;
    Ok(Line { principals, options, key })
}

/// The key at the beginning of a text; a comment may follow.
fn key(text: &str) -> Option<KeyData> {
    let mut words = text.split_ascii_whitespace();
    let line = format!("{} {}", words.next()?, words.next()?);
    PublicKey::from_openssh(&line).ok().map(KeyData::from)
}

/// Where the first space that is in no quotes is.
fn options_end(text: &str) -> usize {
    end(text, |it| it.is_whitespace())
}

fn end(text: &str, is_end: impl Fn(char) -> bool) -> usize {
    let (mut is_quoted, mut before) = (false, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '"' if before != '\\' => is_quoted = !is_quoted,
            c if !is_quoted && is_end(c) => return at,
            _ => (),
        }
        before = c;
    }
    text.len()
}

fn options(mut text: &str) -> Result<Options, Flaw> {
    let mut options = Options::default();
    while !text.is_empty() {
        let (option, rest) = text.split_at(end(text, |it| it == ','));
        text = rest.strip_prefix(',').unwrap_or(rest);
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match &*name.to_ascii_lowercase() {
            "cert-authority" => return Err(Flaw::Unsupported("cert-authority")),
            "namespaces" if options.namespaces.is_none() => {
                options.namespaces = Some(unquoted(value)?);
            }
            "valid-after" if options.valid_after.is_none() => {
                options.valid_after = Some(moment(&unquoted(value)?)?);
            }
            "valid-before" if options.valid_before.is_none() => {
                options.valid_before = Some(moment(&unquoted(value)?)?);
            }
            "namespaces" | "valid-after" | "valid-before" => {
                return Err(Flaw::Invalid("an option is there twice"));
            }
            _ => return Err(Flaw::Invalid("there is no key, or an option that nobody knows")),
        }
    }
    match (options.valid_after, options.valid_before) {
        (Some(after), Some(before)) if before <= after => {
            Err(Flaw::Invalid("it is valid before it is valid"))
        }
        _ => Ok(options),
    }
}

fn unquoted(value: &str) -> Result<String, Flaw> {
    let inside = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let inside = inside.filter(|it| !it.is_empty() && !it.ends_with('\\'));
    Ok(inside
        .ok_or(Flaw::Invalid("the value of an option is not in quotes"))?
        .replace("\\\"", "\""))
}

/// YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in the system's time zone unless a `Z` follows.
fn moment(text: &str) -> Result<i64, Flaw> {
    let (digits, zone) = match text.strip_suffix('Z').or_else(|| text.strip_suffix("UTC")) {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    let seconds = civil(digits).and_then(|it| zone.to_timestamp(it).ok()).map(|it| it.as_second());
    seconds.filter(|it| *it > 0).ok_or(Flaw::Invalid("a time is none"))
}

fn civil(digits: &str) -> Option<DateTime> {
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let year = digits[..4].parse().ok()?;
    let pair = |at: usize| digits.get(at..at + 2).map_or(Some(0), |it| it.parse().ok());
    DateTime::new(year, pair(4)?, pair(6)?, pair(8)?, pair(10)?, pair(12)?, 0).ok()
}
