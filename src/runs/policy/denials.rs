//! What policies refused: each in a commit below one ref, and what is repeated counted.
//!
//! A commit says what was refused as trailers. Whoever asks again within a minute for the same is
//! counted here, and the count is recorded when the minute is over: asking costs no disk.

use std::collections::HashMap;

use serde::Serialize;

use super::super::message::one_line;
use crate::{
    error::{Error, Result},
    git::{Execution, ObjectId, Transaction, boottime_ms, now_ms},
};

/// For how long the same is counted instead of recorded.
const COUNTED_MS: u64 = 60_000;
/// So many different ones are known at a time; what is more is counted without who and where.
const KNOWN_MAX: usize = 1000;
/// So many that were not written yet.
const WAITING_MAX: usize = 2 * KNOWN_MAX;

/// Who was refused what, and by which rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Refusal {
    pub actor: String,
    pub action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    pub rule: String,
}

/// A refusal as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    pub commit: String,
    #[serde(flatten)]
    pub refusal: Refusal,
    pub at_ms: u64,
    /// How often, since the one before of the same kind.
    pub count: u64,
}

/// What is not the same for the count.
type Key = (String, String, String, Option<String>, Option<String>);

#[derive(Debug, Default)]
pub struct Denials {
    /// The newest commit, as it is for as long as nobody else wrote.
    newest: Option<(u64, Option<ObjectId>)>,
    waiting: Vec<(Refusal, u64, u64)>,
    known: HashMap<Key, Known>,
}

#[derive(Debug)]
struct Known {
    refusal: Refusal,
    since_ms: u64,
    /// How often it came again, and when last.
    again: u64,
    last_ms: u64,
}

impl Denials {
    pub fn note(&mut self, refusal: Refusal) {
        let mut key = key(&refusal);
        let mut refusal = refusal;
        if KNOWN_MAX <= self.known.len() && !self.known.contains_key(&key) {
            let Refusal { action, rule, .. } = refusal;
            refusal = Refusal { actor: OTHERS.to_owned(), action, rule, ..Refusal::default() };
            key = self::key(&refusal);
        }
        let now = now_ms();
        if let Some(known) = self.known.get_mut(&key) {
            (known.again, known.last_ms) = (known.again + 1, now);
            return;
        }
        if WAITING_MAX <= self.waiting.len() {
            return;
        }
        let since_ms = boottime_ms();
        let known = Known { refusal: refusal.clone(), since_ms, again: 0, last_ms: now };
        self.known.insert(key, known);
        self.waiting.push((refusal, now, 1));
    }

    /// The next who comes looks where the newest is.
    pub fn doubt(&mut self) {
        self.newest = None;
    }

    /// Whether something is not recorded that is no repetition.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When a count is to be recorded next, in milliseconds since the boot.
    pub fn next_ms(&self) -> Option<u64> {
        let waiting = self.is_waiting().then(boottime_ms);
        let counted = self.known.values().filter(|it| 0 < it.again);
        waiting.into_iter().chain(counted.map(|it| it.since_ms + COUNTED_MS)).min()
    }

    /// What is to be recorded at this time since the boot: what is new, and counts that are over.
    fn take(&mut self, now: u64) -> Vec<(Refusal, u64, u64)> {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.known.retain(|_, it| {
            let is_over = it.since_ms + COUNTED_MS <= now;
            if is_over && 0 < it.again {
                waiting.push((it.refusal.clone(), it.last_ms, it.again));
                (it.since_ms, it.again) = (now, 0);
                return true;
            }
            !is_over
        });
        waiting
    }

    /// Records what is not recorded yet.
    pub fn write(&mut self, transaction: &mut Transaction) -> Result<()> {
        let waiting = self.take(boottime_ms());
        if waiting.is_empty() {
            return Ok(());
        }
        let epoch = transaction.epoch();
        let mut newest = match self.newest {
            Some((then, newest)) if then == epoch => newest,
            _ => transaction.newest_denial()?,
        };
        for (refusal, at_ms, count) in waiting {
            let message = message(&refusal, at_ms, count);
            newest = Some(transaction.append_denial(newest, at_ms, message));
        }
        // Looking for it may have shown that others wrote.
        self.newest = Some((transaction.epoch(), newest));
        transaction.be_durable();
        Ok(())
    }
}

/// Who is named where too many were refused at once.
const OTHERS: &str = "others";

fn key(it: &Refusal) -> Key {
    // A run that was not to begin has no id that counts.
    let (run, reference) = (it.run.clone(), it.reference.clone());
    (it.actor.clone(), it.action.clone(), it.rule.clone(), run, reference)
}

/// The trailers there are.
const ACTOR: &str = "Actor";
const ACTION: &str = "Action";
const RUN: &str = "Run";
const PROCESS: &str = "Process";
const STEP: &str = "Step";
const REF: &str = "Ref";
const POLICY: &str = "Policy";
const RULE: &str = "Rule";
const AT: &str = "At";
const COUNT: &str = "Count";

fn message(it: &Refusal, at_ms: u64, count: u64) -> String {
    let mut message = format!("{} is denied by {}\n\n", it.action, one_line(&it.rule));
    let (at_ms, count) = (at_ms.to_string(), count.to_string());
    let trailers = [
        (ACTOR, Some(&it.actor)),
        (ACTION, Some(&it.action)),
        (RUN, it.run.as_ref()),
        (PROCESS, it.process.as_ref()),
        (STEP, it.step.as_ref()),
        (REF, it.reference.as_ref()),
        (POLICY, it.policy.as_ref()),
        (RULE, Some(&it.rule)),
        (AT, Some(&at_ms)),
        (COUNT, Some(&count)),
    ];
    for (name, value) in trailers {
        let Some(value) = value else { continue };
        message.push_str(&format!("{name}: {}\n", one_line(value)));
    }
    message
}

/// What a commit says; fails where it is none of them.
pub fn read(commit: &Execution) -> Result<Denial> {
    let damaged =
        |what: &str| Error::corrupt(format!("the commit {} of a refusal has no {what}", commit.id));
    let text = str::from_utf8(&commit.message).map_err(|_| damaged("message that is UTF-8"))?;
    let (_, trailers) = text.split_once("\n\n").ok_or_else(|| damaged("trailers"))?;
    let find = |name: &str| {
        let mut all = trailers.lines().filter_map(|it| it.split_once(": "));
        all.find(|it| it.0 == name).map(|it| it.1.to_owned())
    };
    let needed = |name: &str| find(name).ok_or_else(|| damaged(&format!("`{name}`")));
    let number = |name: &str| needed(name)?.parse().map_err(|_| damaged(&format!("`{name}`")));
    let refusal = Refusal {
        actor: needed(ACTOR)?,
        action: needed(ACTION)?,
        run: find(RUN),
        process: find(PROCESS),
        step: find(STEP),
        reference: find(REF),
        policy: find(POLICY),
        rule: needed(RULE)?,
    };
    let commit = commit.id.to_string();
    Ok(Denial { commit, refusal, at_ms: number(AT)?, count: number(COUNT)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(actor: &str, run: Option<&str>) -> Refusal {
        Refusal {
            actor: actor.to_owned(),
            action: "complete".to_owned(),
            run: run.map(str::to_owned),
            rule: "people/two".to_owned(),
            ..Refusal::default()
        }
    }

    #[test]
    fn what_is_repeated_is_counted_and_what_is_too_much_is_put_together() {
        let mut denials = Denials::default();
        (0..1000).for_each(|_| denials.note(refusal("ann", Some("r"))));
        assert_eq!(denials.waiting.len(), 1);
        assert_eq!(denials.known.values().map(|it| it.again).sum::<u64>(), 999);
        denials.note(refusal("ann", Some("s")));
        assert_eq!(denials.waiting.len(), 2, "another run is another one");
        (0..10_000).for_each(|it| denials.note(refusal(&format!("a{it}"), None)));
        assert_eq!(denials.known.len(), KNOWN_MAX + 1);
        assert_eq!(denials.waiting.len(), KNOWN_MAX + 1);
        assert_eq!(denials.waiting.last().unwrap().0.actor, OTHERS);
    }

    #[test]
    fn a_count_is_recorded_when_its_minute_is_over() {
        let mut denials = Denials::default();
        (0..5).for_each(|_| denials.note(refusal("ann", Some("r"))));
        let began = denials.known.values().next().unwrap().since_ms;
        let counts = |taken: Vec<(Refusal, u64, u64)>| -> Vec<u64> {
            taken.into_iter().map(|it| it.2).collect()
        };
        assert_eq!(counts(denials.take(began)), [1]);
        assert_eq!(denials.next_ms(), Some(began + COUNTED_MS));
        assert!(denials.take(began + COUNTED_MS - 1).is_empty());
        assert_eq!(counts(denials.take(began + COUNTED_MS)), [4]);
        assert!(denials.take(began + 2 * COUNTED_MS).is_empty() && denials.known.is_empty());
        denials.note(refusal("ann", Some("r")));
        assert_eq!(counts(denials.take(began + 3 * COUNTED_MS)), [1], "it is a new one");
    }

    #[test]
    fn what_is_recorded_is_read_as_it_was() {
        let said = Refusal {
            process: Some("order".to_owned()),
            step: Some("blk/approve#2".to_owned()),
            ..refusal("ann: b", Some("r"))
        };
        let id = ObjectId::ZERO_SHA1;
        let message = message(&said, 7, 3).into_bytes();
        let commit = Execution { id, tree: id, parents: Vec::new(), time: 0, message };
        let denial = Denial { commit: id.to_string(), refusal: said, at_ms: 7, count: 3 };
        assert_eq!(read(&commit).unwrap(), denial);
        let none = Execution { message: b"nothing\n\nof the kind".to_vec(), ..commit };
        assert!(read(&none).is_err());
    }
}
