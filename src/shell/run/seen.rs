//! What somebody who looks on has seen of a run: how it stands, and what was done in it.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

#[derive(Default)]
pub struct Seen {
    /// The run as it was last told of.
    pub run: Json,
    /// What was done, in the order in which it was first done.
    pub done: Vec<Done>,
    /// When what is under way began, by its path.
    pub began: HashMap<String, i64>,
    /// The types of steps that the daemon does by itself, which else are anybody's.
    pub by_daemon: Vec<&'static str>,
    /// How many steps there are, if that is known.
    pub steps: Option<usize>,
    /// The number of the last commit that is known of, and when that was.
    pub seq: u64,
    pub at_ms: i64,
}

/// A step that was done, perhaps several times.
pub struct Done {
    pub path: String,
    pub outcome: String,
    pub times: u64,
}

impl Seen {
    pub fn status(&self) -> &str {
        self.run["status"].as_str().unwrap_or_default()
    }

    pub fn offers(&self) -> &[Json] {
        self.run["offers"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes note of something that happened, and tells when.
    pub fn take(&mut self, event: &Json) -> i64 {
        self.seq = event["seq"].as_u64().unwrap_or(self.seq);
        // What follows from something happened when that did.
        self.at_ms = event["at_ms"].as_i64().unwrap_or(self.at_ms);
        let Some(path) = event["step"].as_str() else { return self.at_ms };
        match (event["event"].as_str(), event["outcome"].as_str()) {
            (Some("start"), _) => {
                self.began.insert(path.to_owned(), self.at_ms);
            }
            (Some("complete" | "join"), Some(outcome)) => self.put(path, outcome),
            _ => (),
        }
        self.at_ms
    }

    fn put(&mut self, path: &str, outcome: &str) {
        self.began.remove(path);
        let outcome = outcome.to_owned();
        match self.done.iter_mut().find(|it| it.path == path) {
            Some(it) => (it.outcome, it.times) = (outcome, it.times + 1),
            None => self.done.push(Done { path: path.to_owned(), outcome, times: 1 }),
        }
    }

    /// How many steps were done at least once; the instances of one are one.
    pub fn steps_done(&self) -> usize {
        let plain = |it: &Done| -> String {
            let parts = it.path.split('/').map(|it| it.split('#').next().unwrap_or_default());
            parts.collect::<Vec<_>>().join("/")
        };
        self.done.iter().map(plain).collect::<BTreeSet<_>>().len()
    }

    /// Whether something goes on, or will at some time, though nobody does anything at a terminal.
    pub fn moves_by_itself(&self) -> bool {
        self.offers().iter().any(|it| match it["status"].as_str() {
            Some("started") => true,
            Some("offered" | "open") => self.is_by_daemon(&it["step_type"]),
            _ => !it["due_ms"].is_null(),
        })
    }

    /// Whether there is something that a person could do.
    pub fn has_work(&self) -> bool {
        self.offers().iter().any(|it| {
            let is_free = matches!(it["status"].as_str(), Some("offered" | "open"));
            is_free && !self.is_by_daemon(&it["step_type"])
        })
    }

    pub fn is_by_daemon(&self, step_type: &Json) -> bool {
        step_type.as_str().is_some_and(|it| self.by_daemon.contains(&it))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_done_is_counted_by_steps_and_not_by_instances_and_rounds() {
        let mut seen = Seen::default();
        let mut take = |seq: u64, event: &str, step: &str, more: Json| {
            let mut it = json!({"seq": seq, "event": event, "step": step});
            more.as_object().unwrap().iter().for_each(|more| it[more.0] = more.1.clone());
            seen.take(&it)
        };
        assert_eq!(take(1, "start", "a#1", json!({"at_ms": 5})), 5);
        assert_eq!(take(2, "complete", "a#1", json!({"outcome": "ok"})), 5);
        take(3, "complete", "a#2", json!({"outcome": "no", "at_ms": 9}));
        take(4, "complete", "a#2", json!({"outcome": "ok"}));
        take(5, "join", "b", json!({"outcome": null}));
        take(6, "start", "b", json!({"at_ms": 11}));
        assert_eq!((seen.steps_done(), seen.seq, seen.done[1].times), (1, 6, 2));
        assert_eq!(seen.done[1].outcome, "ok");
        assert_eq!(seen.began, HashMap::from([("b".to_owned(), 11)]));
    }

    #[test]
    fn a_person_is_waited_for_where_nothing_else_moves_the_run() {
        let check = |offer: Json, moves: bool, work: bool| {
            let run = json!({"offers": [offer]});
            let seen = Seen { run, by_daemon: vec!["exec"], ..Seen::default() };
            assert_eq!((seen.moves_by_itself(), seen.has_work()), (moves, work));
        };
        check(json!({"status": "offered"}), false, true);
        check(json!({"status": "open", "due_ms": 7}), false, true);
        check(json!({"status": "offered", "step_type": "exec"}), true, false);
        check(json!({"status": "offered", "step_type": "git"}), false, true);
        check(json!({"status": "started"}), true, false);
        check(json!({"status": "awaiting"}), false, false);
        check(json!({"status": "awaiting", "due_ms": 7}), true, false);
        check(json!({"status": "backoff", "due_ms": 7}), true, false);
    }
}
