//! Scripts and scenarios as deeds: what is done in a run, or looked at, one after the other.
//!
//! A script is in a short notation, a scenario in words; both come to the same. A deed is written
//! in the short notation again, so that what chance did can be pasted into a definition.

mod line;
mod names;
mod scenario;

use std::fmt;

use serde_json::{Value, json};

use crate::engine::{
    definition::{Data, around::Duration, test::Test},
    net::Processes,
};

pub use self::names::{events, step_at};

/// A script that can be run.
#[derive(Debug, Clone)]
pub struct Script {
    pub given: Data,
    pub lines: Vec<ScriptLine>,
}

#[derive(Debug, Clone)]
pub struct ScriptLine {
    pub deed: Deed,
    /// Where it is in the test: `[3]`, `.script[3]`, `.scenario[3].then.offers`.
    pub path: String,
}

/// Something that is done, or has to hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    Start(Named),
    Complete {
        step: Named,
        /// Whether it is started first, if it is not.
        starts: bool,
        outcome: Option<String>,
        data: Data,
    },
    Fail {
        step: Named,
        kind: String,
    },
    Heartbeat(Named),
    Signal {
        name: String,
        key: Option<Value>,
        data: Data,
    },
    After(Duration),
    Refused(Box<Deed>),
    There(Named),
    NotThere(Named),
    Offers(Vec<Named>),
    Status(String),
    Data(Data),
}

/// A step by its path, and which of several threads in it: `blk/p`, `m#2`, `b&2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub path: String,
    /// From 0, the oldest.
    pub nth: usize,
}

/// What is wrong in a test, and where.
#[derive(Debug)]
pub struct Unreadable {
    pub path: String,
    pub message: String,
}

impl Script {
    /// Reads a test, and checks its names against the processes that it runs.
    pub fn of(test: &Test, processes: &Processes) -> Result<Script, Vec<Unreadable>> {
        let (given, read) = match test {
            Test::Script(lines) => (&Data::new(), line::lines(lines, "")),
            Test::Case(case) => (&case.data, line::lines(&case.script, ".script")),
            Test::Scenario(scenario) => (&scenario.given, scenario::acts(&scenario.scenario)),
        };
        let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
        for (path, deed) in read {
            match deed.and_then(|it| names::check(it, processes)) {
                Ok(deed) => lines.push(ScriptLine { deed, path }),
                Err(message) => unreadable.push(Unreadable { path, message }),
            }
        }
        match unreadable.is_empty() {
            true => Ok(Script { given: given.clone(), lines }),
            false => Err(unreadable),
        }
    }
}

impl Deed {
    /// What comes with it, if it is more than text.
    fn data(&self) -> Option<&Data> {
        match self {
            Deed::Complete { data, .. } | Deed::Signal { data, .. } if data.is_empty() => None,
            Deed::Complete { data, .. } | Deed::Signal { data, .. } | Deed::Data(data) => {
                Some(data)
            }
            Deed::Refused(deed) => deed.data(),
            _ => None,
        }
    }

    fn head(&self) -> String {
        match self {
            Deed::Start(step) => format!("+{step}"),
            Deed::Complete { step, starts, outcome, .. } => {
                let sign = if *starts { "" } else { "-" };
                let outcome = outcome.as_ref().map(|it| format!(":{it}")).unwrap_or_default();
                format!("{sign}{step}{outcome}")
            }
            Deed::Fail { step, kind } => format!("^{step}:{kind}"),
            Deed::Heartbeat(step) => format!("*{step}"),
            Deed::Signal { name, key, .. } => match key {
                None => format!("!{name}"),
                Some(Value::String(key)) => format!("!{name}={key}"),
                Some(key) => format!("!{name}={key}"),
            },
            Deed::After(time) => format!(">{}", time.text()),
            Deed::Refused(deed) => format!("#{}", deed.head()),
            Deed::There(step) => format!("?{step}"),
            Deed::NotThere(step) => format!("~{step}"),
            Deed::Offers(steps) => {
                let steps: Vec<String> = steps.iter().map(Named::to_string).collect();
                format!("@{}", steps.join(","))
            }
            Deed::Status(status) => format!("={status}"),
            Deed::Data(_) => "=data".to_owned(),
        }
    }

    /// As it is written in a list of lines: in quotes, or as a map with its data.
    pub fn quoted(&self) -> String {
        match self.data() {
            None => json!(self.head()).to_string(),
            Some(data) => json!({ self.head(): data }).to_string(),
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head())?;
        match self.data() {
            None => Ok(()),
            Some(data) => write!(f, " {}", Value::Object(data.clone())),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match self.nth {
            0 => Ok(()),
            nth => write!(f, "&{}", nth + 1),
        }
    }
}
