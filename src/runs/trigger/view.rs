//! What is told of triggers, and which of them something would fire.

use serde::Serialize;

use super::{
    happened::{Look, Moved},
    matches::{Event, Unmet},
    published::Rule,
    start::Cause,
    state::{Fired, Trouble},
    watch::{Watcher, next_of},
};
use crate::error::Result;

/// A trigger, and how it stands.
#[derive(Debug, Serialize)]
pub struct Shown {
    process: String,
    version: Option<String>,
    trigger: String,
    description: Option<String>,
    /// What it is about: `commit`, `time`, or `both`.
    kind: &'static str,
    paused: bool,
    fired: Option<Fired>,
    next_ms: Option<i64>,
    /// How many runs wait for the one before to end.
    waiting: usize,
    problem: Option<Problem>,
}

/// Why a trigger started nothing the last time, or never does.
#[derive(Debug, Serialize)]
struct Problem {
    /// The run that is not there, and since when; nothing where it is the trigger itself.
    run: Option<String>,
    at_ms: Option<i64>,
    message: String,
}

impl Problem {
    fn of(rule: &Rule, known: Option<Trouble>) -> Option<Problem> {
        if let Some(Unmet { condition, why }) = rule.conditions.wrong() {
            let message = format!("it starts nothing; `{condition}`: {why}");
            return Some(Problem { run: None, at_ms: None, message });
        }
        let Trouble { run, at_ms, message } = known?;
        Some(Problem { run: Some(run), at_ms: Some(at_ms), message })
    }
}

/// What a trigger makes of a commit.
#[derive(Debug, Serialize)]
pub struct Tested {
    process: String,
    version: Option<String>,
    trigger: String,
    fires: bool,
    /// The run that it starts, if it does.
    run: Option<String>,
    unmet: Option<Unmet>,
}

/// What triggers make of a commit that comes to a ref.
#[derive(Debug, Serialize)]
pub struct TestedCommit {
    commit: String,
    #[serde(rename = "ref")]
    reference: String,
    triggers: Vec<Tested>,
}

impl Watcher {
    /// All triggers of a repository, of what was read of it last.
    pub fn shown(&self) -> Vec<Shown> {
        let state = self.state.as_ref();
        let shown = |rule: &Rule| {
            let known = state.and_then(|it| it.known(rule)).cloned().unwrap_or_default();
            let is_of = |it: &&super::state::Waiting| {
                it.process == rule.process && it.trigger == rule.label
            };
            let waiting = state.map(|it| it.kept.waiting.iter().filter(is_of).count());
            Shown {
                process: rule.process.clone(),
                version: rule.version.clone(),
                trigger: rule.label.clone(),
                description: rule.description.clone(),
                kind: rule.kind(),
                paused: known.paused,
                fired: known.fired,
                next_ms: state.and_then(|it| next_of(rule, it)),
                waiting: waiting.unwrap_or_default(),
                problem: Problem::of(rule, known.problem),
            }
        };
        self.processes.rules().map(|it| shown(it.1)).collect()
    }

    /// The rules of all published processes, or of one.
    pub fn rules(&self, process: Option<&str>) -> Vec<&Rule> {
        let all = self.processes.rules().map(|it| it.1);
        all.filter(|it| process.is_none_or(|process| it.process == process)).collect()
    }
}

/// What rules make of refs that move.
pub fn tested(rules: &[&Rule], look: &Look, moved: &[Moved]) -> Result<Vec<TestedCommit>> {
    let mut tested = Vec::new();
    for happened in look.happened(moved)? {
        let (commit, reference) = (happened.facts.id.clone(), happened.reference.clone());
        let event = Event::Commit(happened);
        let word = Cause::of(&event).word;
        let triggers = rules.iter().map(|rule| {
            let unmet = rule.conditions.unmet(&event);
            Tested {
                process: rule.process.clone(),
                version: rule.version.clone(),
                trigger: rule.label.clone(),
                fires: unmet.is_none(),
                run: unmet.is_none().then(|| rule.run(&word)),
                unmet,
            }
        });
        tested.push(TestedCommit { commit, reference, triggers: triggers.collect() });
    }
    Ok(tested)
}
