//! Where a run is, by the paths of steps.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How many threads are in which state of which step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marking {
    steps: BTreeMap<String, BTreeMap<State, u32>>,
}

/// The most pressing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum State {
    Stuck,
    Running,
    Offered,
    Waiting,
    Done,
}

impl TryFrom<String> for State {
    type Error = &'static str;

    fn try_from(word: String) -> Result<State, &'static str> {
        match &*word {
            "stuck" => Ok(State::Stuck),
            "running" => Ok(State::Running),
            "offered" => Ok(State::Offered),
            "waiting" => Ok(State::Waiting),
            "done" => Ok(State::Done),
            _ => Err("it is `stuck`, `running`, `offered`, `waiting` or `done`"),
        }
    }
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Stuck => "stuck",
            State::Running => "running",
            State::Offered => "offered",
            State::Waiting => "waiting",
            State::Done => "done",
        }
    }
}

impl Marking {
    /// Adds to what is known of a step, such as `blk/p`; instances, such as `m#2/p`, are counted
    /// together.
    pub fn add(&mut self, path: &str, state: State, count: u32) {
        let steps: Vec<&str> = path.split('/').map(without_instance).collect();
        let known = self.steps.entry(steps.join("/")).or_default().entry(state).or_default();
        *known = known.saturating_add(count);
    }

    pub fn of(&self, path: &str) -> Vec<(State, u32)> {
        let states = self.steps.get(path).into_iter().flatten();
        states.map(|(state, count)| (*state, *count)).filter(|it| it.1 > 0).collect()
    }
}

fn without_instance(step: &str) -> &str {
    match step.rsplit_once('#') {
        Some((id, number))
            if !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()) =>
        {
            id
        }
        _ => step,
    }
}
