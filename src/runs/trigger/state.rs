//! What is known of triggers, as it is kept in Git: what was seen of branches and tags, up to when
//! schedules were looked at, what is paused, and what waits for another run to end.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::published::Rule;
use crate::{
    error::{Error, Result},
    git::{ObjectId, Remembered, Transaction, Watched},
};

/// 1: as it says here.
const FORMAT: u32 = 1;

#[derive(Debug, Clone, Default)]
pub struct State {
    pub kept: Kept,
    pub seen: Watched,
    /// The commit that it was read from, or written to.
    pub at: Option<ObjectId>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    format: u32,
    /// By process and label.
    pub triggers: BTreeMap<String, BTreeMap<String, Known>>,
    /// What waits for the run before to end, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
}

/// What is known of a trigger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Up to when its schedules were looked at, in milliseconds since 1970.
    pub until_ms: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// The last run that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Fired>,
    /// Why it did not start one since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Trouble>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fired {
    pub run: String,
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    pub run: String,
    pub at_ms: i64,
    pub message: String,
}

/// A run that is to be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub process: String,
    pub trigger: String,
    pub run: String,
    /// What it is started by, and the attribute that says so.
    pub event: Value,
    pub cause: (String, String),
}

impl State {
    /// What is kept of it there; nothing where nobody has looked yet.
    pub fn read(transaction: &mut Transaction) -> Result<Option<State>> {
        let Some(at) = transaction.triggers()? else { return Ok(None) };
        let Remembered { state, seen } = transaction.remembered(at)?;
        let kept: Kept = serde_json::from_slice(&state)
            .map_err(|error| Error::corrupt(format!("what is known of triggers: {error}")))?;
        if kept.format != FORMAT {
            let message = format!("what is known of triggers has format {}", kept.format);
            return Err(Error::unsupported(message).with("feature", "format of triggers"));
        }
        Ok(Some(State { kept, seen, at: Some(at) }))
    }

    /// Keeps it, with refs where they are now.
    pub fn write(&mut self, now: Watched, transaction: &mut Transaction) -> Result<()> {
        let both = self.seen.iter().chain(&now);
        let is_moved = |name: &&String| self.seen.get(*name) != now.get(*name);
        let moved: BTreeSet<String> = both.map(|it| it.0).filter(is_moved).cloned().collect();
        self.kept.format = FORMAT;
        let mut state = serde_json::to_vec_pretty(&self.kept).expect("it is text and numbers");
        state.push(b'\n');
        let remembered = Remembered { state, seen: now };
        self.at = Some(transaction.remember(self.at, &remembered, &moved)?);
        self.seen = remembered.seen;
        Ok(())
    }

    pub fn known(&self, rule: &Rule) -> Option<&Known> {
        self.kept.triggers.get(&rule.process)?.get(&rule.label)
    }

    pub fn known_mut(&mut self, rule: &Rule) -> Option<&mut Known> {
        self.kept.triggers.get_mut(&rule.process)?.get_mut(&rule.label)
    }

    /// Whether it knows these triggers and no others.
    pub fn knows<'r>(&self, rules: impl Iterator<Item = &'r Rule>) -> bool {
        let names: BTreeSet<(&str, &str)> = rules.map(|it| (&*it.process, &*it.label)).collect();
        let known = self.kept.triggers.iter();
        let known = known.flat_map(|(it, all)| all.keys().map(move |label| (&**it, &**label)));
        known.collect::<BTreeSet<_>>() == names
    }

    /// Forgets triggers that are no more, and begins to know those that are new: they start nothing
    /// of what was before. Tells which these are.
    pub fn follow<'r>(
        &mut self,
        rules: impl Iterator<Item = &'r Rule>,
        now_ms: i64,
    ) -> BTreeSet<(&'r str, &'r str)> {
        let mut before = std::mem::take(&mut self.kept.triggers);
        let mut new = BTreeSet::new();
        for rule in rules {
            let (process, label) = (&rule.process, &rule.label);
            let known = before.get_mut(process).and_then(|it| it.remove(label));
            if known.is_none() {
                new.insert((process.as_str(), label.as_str()));
            }
            let known = known.unwrap_or_else(|| Known { until_ms: now_ms, ..Known::default() });
            self.kept.triggers.entry(process.clone()).or_default().insert(label.clone(), known);
        }
        let triggers = &self.kept.triggers;
        let is_there = |it: &Waiting| {
            triggers.get(&it.process).is_some_and(|all| all.contains_key(&it.trigger))
        };
        self.kept.waiting.retain(is_there);
        new
    }
}
