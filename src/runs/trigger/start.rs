//! Runs that triggers start: what they are called, what they are started with, and what becomes of
//! them while others go on.

use std::sync::Arc;

use serde_json::Value;

use super::{
    published::{Processes, Published, Rule},
    state::{Fired, State, Trouble, Waiting},
};
use crate::{
    engine::{
        definition::{Data, trigger::Overlap, work::Values},
        event::What,
        expression::{Count, Program, Variables},
    },
    error::{Code, Error, Result},
    git::{RunId, Transaction},
    process::store::{Store, repository::InRepository, with_called},
    runs::{
        keeper::{Begin, Keeper, MYSELF},
        pinned::Pinned,
    },
};

/// So many runs of one trigger wait for another one to end.
const WAITING_MAX: usize = 100;
/// The attribute by which the runs of a trigger are found.
const TRIGGER: &str = "trigger";

/// What starts a run.
pub struct Cause {
    /// What is different in the ids of the runs of one trigger.
    pub word: String,
    pub event: Value,
    /// What the run is found by.
    pub attribute: (String, String),
}

pub struct Starter<'a, 't> {
    pub keeper: &'a mut Keeper,
    pub source: &'a InRepository<'a>,
    pub transaction: &'a mut Transaction<'t>,
    pub now: i64,
}

/// What an expression sees of what happened.
struct Seen<'a>(&'a Value);

impl Variables for Seen<'_> {
    fn variable(&self, name: &str) -> Option<Value> {
        (name == "event").then(|| self.0.clone())
    }

    fn count(&self, _: &Count) -> i64 {
        0
    }
}

/// What a run is started with.
pub fn input(with: &Values, event: &Value) -> Result<Data> {
    let mut input = Data::new();
    for (name, value) in with {
        let value = match value {
            Value::String(text) => {
                let program = Program::compile(text);
                let value = program.and_then(|it| it.evaluate(&Seen(event)));
                value.map_err(|error| Error::invalid(format!("`with.{name}`: {error}")))?
            }
            value => value.clone(),
        };
        input.insert(name.clone(), value);
    }
    Ok(input)
}

impl Starter<'_, '_> {
    /// Starts a run for a cause, unless there is one already, or the rule has it otherwise.
    pub fn fire(
        &mut self,
        published: &Published,
        rule: &Rule,
        cause: &Cause,
        state: &mut State,
    ) -> Result<()> {
        let is_time = cause.attribute.0 == "time";
        let by_itself = if is_time { Overlap::Skip } else { Overlap::Allow };
        let run = rule.run(&cause.word);
        let waiting = Waiting {
            process: rule.process.clone(),
            trigger: rule.label.clone(),
            run: run.clone(),
            event: cause.event.clone(),
            cause: cause.attribute.clone(),
        };
        let is_known = state.kept.waiting.iter().any(|it| it.run == run);
        if is_known || self.keeper.expect_free(&RunId::new(&run)?).is_err() {
            return Ok(());
        }
        match rule.overlap.unwrap_or(by_itself) {
            Overlap::Allow => (),
            Overlap::Skip if self.under_way(rule)?.is_empty() => (),
            Overlap::Skip => return Ok(()),
            Overlap::Replace | Overlap::CancelRunning => self.cancel(rule)?,
            Overlap::Queue => {
                let of_rule = state.kept.waiting.iter();
                let of_rule =
                    of_rule.filter(|it| it.process == rule.process && it.trigger == rule.label);
                let count = of_rule.count();
                if WAITING_MAX <= count {
                    let why = format!("{WAITING_MAX} others wait for the run before to end");
                    self.tell(rule, &run, why, state);
                } else if 0 < count || !self.under_way(rule)?.is_empty() {
                    state.kept.waiting.push(waiting);
                } else {
                    self.begin(published, rule, &waiting, state)?;
                }
                return Ok(());
            }
        }
        self.begin(published, rule, &waiting, state)
    }

    /// Starts what waited for other runs to end.
    pub fn go_on(&mut self, processes: &Processes, state: &mut State) -> Result<()> {
        let mut waiting = std::mem::take(&mut state.kept.waiting);
        let mut left = Vec::new();
        for it in waiting.drain(..) {
            let found = processes
                .rules()
                .find(|(_, rule)| rule.process == it.process && rule.label == it.trigger);
            let Some((published, rule)) = found else { continue };
            let is_paused = state.known(rule).is_none_or(|it| it.paused);
            match is_paused || !self.under_way(rule)?.is_empty() {
                true => left.push(it),
                false => self.begin(published, rule, &it, state)?,
            }
        }
        state.kept.waiting = left;
        Ok(())
    }

    /// The runs of a trigger that have not ended.
    fn under_way(&mut self, rule: &Rule) -> Result<Vec<RunId>> {
        self.keeper.read_all(self.transaction)?;
        let is_of = |attributes: &std::collections::BTreeMap<String, String>| {
            attributes.get(TRIGGER) == Some(&rule.label)
        };
        let open = self.keeper.open.iter();
        let open =
            open.filter(|(_, it)| it.birth.process == rule.process && is_of(&it.birth.attributes));
        Ok(open.map(|it| it.0.clone()).collect())
    }

    fn cancel(&mut self, rule: &Rule) -> Result<()> {
        for run in self.under_way(rule)? {
            self.keeper.happen(&run, MYSELF, What::Cancel, self.transaction)?;
        }
        Ok(())
    }

    /// Begins a run, or keeps why it does not begin: it is not tried again.
    fn begin(
        &mut self,
        published: &Published,
        rule: &Rule,
        it: &Waiting,
        state: &mut State,
    ) -> Result<()> {
        let savepoint = self.transaction.savepoint();
        match self.try_to_begin(published, rule, it) {
            Ok(()) => {
                if let Some(known) = state.known_mut(rule) {
                    known.fired = Some(Fired { run: it.run.clone(), at_ms: self.now });
                    known.problem = None;
                }
                Ok(())
            }
            // What is wrong is not the run, and may be right in a moment.
            Err(error) if is_of_the_machine(&error) => Err(error),
            Err(error) => {
                self.transaction.go_back(&savepoint);
                self.tell(rule, &it.run, error.to_string(), state);
                Ok(())
            }
        }
    }

    fn try_to_begin(&mut self, published: &Published, rule: &Rule, it: &Waiting) -> Result<()> {
        let run = RunId::new(&it.run)?;
        let pinned = self.pinned(published)?;
        let input = input(&rule.with, &it.event)?;
        let trigger = (TRIGGER.to_owned(), rule.label.clone());
        let attributes = [trigger, it.cause.clone()].into();
        let actor = MYSELF.to_owned();
        let revision = match it.event["commit"].as_str() {
            Some(commit) => Some(commit.to_owned()),
            None => self.transaction.commit_named("HEAD").ok().map(|it| it.to_string()),
        };
        let begin = Begin { run, pinned, attributes, revision, input, actor };
        self.keeper.begin(begin, self.transaction)
    }

    /// The process as it was published, which is read once.
    fn pinned(&mut self, published: &Published) -> Result<Arc<Pinned>> {
        let Published { name, version, tag, .. } = published;
        if let Some(known) = self.keeper.known(*tag) {
            return Ok(known);
        }
        let artifact = self.source.get(name, version)?;
        let files = with_called((name.file(version), artifact.bytes), self.source)?;
        let is_alone = files.len() == 1;
        let pinned = Pinned::fetched(files, Some(name.as_str()), Some(&version.to_string()))?;
        if is_alone {
            self.keeper.know(*tag, pinned.clone());
        }
        Ok(pinned)
    }

    fn tell(&self, rule: &Rule, run: &str, message: String, state: &mut State) {
        log::error!("the run {run} is not started: {message}");
        if let Some(known) = state.known_mut(rule) {
            known.problem = Some(Trouble { run: run.to_owned(), at_ms: self.now, message });
        }
    }
}

/// Whether something failed that says nothing about the run.
fn is_of_the_machine(error: &Error) -> bool {
    let codes = [Code::Unavailable, Code::Locked, Code::Busy, Code::Timeout, Code::Cancelled];
    codes.contains(&error.code) || error.code == Code::Internal
}
