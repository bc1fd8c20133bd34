//! The short notation: `x`, `+x`, `*x`, `-x:o`, `^x:e`, `!e=k`, `>2h`, `#x`, `?x`, `~x`, `@a,b` and
//! `=s`.

use serde_json::{Value, json};

use super::{Deed, Named};
use crate::engine::definition::{Data, around::Duration, test::Line};

/// Each line with its place.
pub fn lines(lines: &[Line], path: &str) -> Vec<(String, Result<Deed, String>)> {
    let read = |(index, line)| (format!("{path}[{index}]"), line_of(line));
    lines.iter().enumerate().map(read).collect()
}

fn line_of(line: &Line) -> Result<Deed, String> {
    match line {
        Line::Do(text) => deed(text, None),
        Line::With(map) => match map.iter().next() {
            Some((text, Value::Object(data))) if map.len() == 1 => deed(text, Some(data.clone())),
            _ => Err("write one line with a map of data behind it: {a: {amount: 5}}".to_owned()),
        },
    }
}

fn deed(text: &str, data: Option<Data>) -> Result<Deed, String> {
    let Some(first) = text.chars().next() else { return Err("write a line here".to_owned()) };
    let rest = &text[first.len_utf8()..];
    let may_have_data = match first {
        '+' | '*' | '^' | '>' | '?' | '~' | '@' => false,
        '=' => rest == "data",
        _ => true,
    };
    if data.is_some() && !may_have_data {
        return Err(format!("take the data away: nothing in `{text}` takes it"));
    }
    match first {
        '+' => Ok(Deed::Start(named(rest)?)),
        '*' => Ok(Deed::Heartbeat(named(rest)?)),
        '-' => complete(rest, false, data),
        '^' => match rest.split_once(':') {
            Some((step, kind)) => Ok(Deed::Fail { step: named(step)?, kind: kind.to_owned() }),
            None => Err("name the error: ^step:error".to_owned()),
        },
        '!' => {
            let (name, key) = rest.split_once('=').unwrap_or((rest, ""));
            let key = (!key.is_empty()).then(|| json!(key));
            Ok(Deed::Signal { name: name.to_owned(), key, data: data.unwrap_or_default() })
        }
        '>' => match Duration::parse(rest) {
            Some(time) => Ok(Deed::After(time)),
            None => Err(format!("write a duration such as >2h or >7d instead of `{text}`")),
        },
        '#' => match deed(rest, data)? {
            deed if deed.is_done() => Ok(Deed::Refused(Box::new(deed))),
            _ => Err("write what is refused behind `#`: something that is done".to_owned()),
        },
        '?' => Ok(Deed::There(named(rest)?)),
        '~' => Ok(Deed::NotThere(named(rest)?)),
        '@' => {
            let steps = rest.split(',').filter(|it| !it.is_empty());
            Ok(Deed::Offers(steps.map(named).collect::<Result<_, _>>()?))
        }
        '=' => match (rest, data) {
            ("data", Some(data)) => Ok(Deed::Data(data)),
            ("data", None) => Err("say which data: {=data: {amount: 5}}".to_owned()),
            (status, _) => Ok(Deed::Status(status.to_owned())),
        },
        _ => complete(text, true, data),
    }
}

fn complete(text: &str, starts: bool, data: Option<Data>) -> Result<Deed, String> {
    let (step, outcome) = match text.split_once(':') {
        Some((step, outcome)) => (step, Some(outcome.to_owned())),
        None => (text, None),
    };
    Ok(Deed::Complete { step: named(step)?, starts, outcome, data: data.unwrap_or_default() })
}

/// A path, perhaps with `&2` behind it.
pub fn named(text: &str) -> Result<Named, String> {
    let (path, nth) = match text.split_once('&') {
        None => (text, Some(1)),
        Some((path, nth)) => (path, nth.parse().ok().filter(|it| *it > 0)),
    };
    match nth {
        Some(nth) if !path.is_empty() => Ok(Named { path: path.to_owned(), nth: nth - 1 }),
        _ => Err(format!("name a step, such as a, blk/p, m#2 or b&2, instead of `{text}`")),
    }
}

impl Deed {
    /// Whether something is done, not looked at.
    fn is_done(&self) -> bool {
        match self {
            Deed::Start(_) | Deed::Heartbeat(_) | Deed::Complete { .. } => true,
            _ => matches!(self, Deed::Fail { .. } | Deed::Signal { .. }),
        }
    }
}
