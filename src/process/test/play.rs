//! A run that scripts play, in a time that passes only when they say so.

use std::cell::Cell;

use serde_json::Value;

use super::{
    paths::Paths,
    script::{Deed, Named},
};
use crate::engine::{
    decide::{apply, decide},
    definition::{Data, around::Duration},
    event::{Event, Firing, Refused, What},
    net::Processes,
    offers::Offer,
    or_join::Cache,
    state::{Id, ItemStatus, Problem, State, Status},
};

/// Times at which something is due, in one deed; more is a timer that sets itself again.
const DUE_MAX: usize = 10_000;

/// What may happen in all tests of a definition, …
pub const ONE_MAX: usize = 200_000;
/// … and of a request.
pub const ALL_MAX: usize = 5_000_000;
/// What costs so much is as if one more thing had happened.
const COST_OF_ONE: usize = 15;

/// What can be started: offered to all, or begun and waiting for somebody.
const TO_START: [ItemStatus; 2] = [ItemStatus::Offered, ItemStatus::Open];

pub struct Play<'p> {
    pub processes: &'p Processes,
    pub state: State,
    paths: Paths,
    cache: &'p mut Cache,
    left: &'p Left<'p>,
    now_ms: i64,
    /// What was done and what came of it.
    pub moments: Vec<Moment>,
    /// The last event, if it was refused: not all that cannot be done comes so far.
    pub refusal: Option<Refused>,
}

/// How much may still happen in tests of one definition, and of all.
pub struct Left<'l> {
    pub one: Cell<usize>,
    pub all: &'l Cell<usize>,
}

pub struct Moment {
    pub at_ms: i64,
    pub deed: String,
    pub firings: Vec<Firing>,
}

/// What was expected, and what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmet {
    pub expected: String,
    pub found: String,
}

type Met<T = ()> = Result<T, Unmet>;

impl<'p> Play<'p> {
    pub fn begin(
        processes: &'p Processes,
        cache: &'p mut Cache,
        left: &'p Left<'p>,
        given: Data,
    ) -> Met<Play<'p>> {
        let mut play = Play {
            processes,
            state: State::default(),
            paths: Paths::default(),
            cache,
            left,
            now_ms: 0,
            moments: Vec::new(),
            refusal: None,
        };
        let begun = play.happen(What::Begin { data: given }, "begin".to_owned());
        begun.map_err(|it| unmet("the run begins", refusal(&it)))?;
        Ok(play)
    }

    /// An event now; what is refused changes nothing.
    pub fn happen(&mut self, what: What, deed: String) -> Result<(), Refused> {
        let event = Event { at_ms: self.now_ms, what };
        let changes = match self.left.is_any() {
            false => Err(too_much()),
            true => decide(self.processes, &self.state, &event, self.cache),
        };
        self.left.take(1 + std::mem::take(&mut self.cache.spent) / COST_OF_ONE);
        self.refusal = changes.as_ref().err().cloned();
        let changes = changes?;
        self.left.take(changes.firings.len());
        apply(&mut self.state, &changes);
        self.paths.follow(&changes, &self.state, self.processes);
        self.moments.push(Moment { at_ms: self.now_ms, deed, firings: changes.firings });
        Ok(())
    }

    pub fn offers(&self) -> Vec<Offer> {
        self.state.offers(self.processes)
    }

    /// Does a deed, or looks whether it holds.
    pub fn act(&mut self, deed: &Deed) -> Met {
        match deed {
            Deed::Start(step) => self.start(step, deed).map(|_| ()),
            Deed::Complete { step, starts, outcome, data } => {
                let item = self.find_started(step, *starts, deed)?;
                let (outcome, data) = (outcome.clone(), data.clone());
                self.done(What::Complete { item, outcome, data }, deed)
            }
            Deed::Fail { step, kind } => {
                let item = self.find(step, &[ItemStatus::Started], "is started")?;
                let problem = Problem { kind: kind.clone(), message: "a test said so".to_owned() };
                self.done(What::Fail { item, problem, chance: 0, last: false }, deed)
            }
            Deed::Heartbeat(step) => {
                let item = self.find(step, &[ItemStatus::Started], "is started")?;
                self.done(What::Heartbeat { item }, deed)
            }
            Deed::Signal { name, key, data } => {
                let (name, key, data) = (name.clone(), key.clone(), data.clone());
                self.done(What::Signal { name, key, data }, deed)
            }
            Deed::After(time) => self.after(time, deed),
            Deed::Refused(inner) => self.refused(inner),
            _ => self.look(deed),
        }
    }

    fn done(&mut self, what: What, deed: &Deed) -> Met {
        let refused = self.happen(what, deed.to_string());
        refused.map_err(|it| unmet(format!("`{deed}` is taken"), refusal(&it)))
    }

    fn start(&mut self, step: &Named, deed: &Deed) -> Met<Id> {
        let item = self.find(step, &TO_START, "is on offer")?;
        self.done(What::Start { item }, deed)?;
        Ok(item)
    }

    fn find_started(&mut self, step: &Named, starts: bool, deed: &Deed) -> Met<Id> {
        let start = Deed::Start(step.clone());
        if starts && self.found(step, &[ItemStatus::Offered]).is_some() {
            return self.start(step, &start);
        }
        match (self.found(step, &[ItemStatus::Started]), self.found(step, &[ItemStatus::Open])) {
            (Some(item), _) => Ok(item),
            (None, Some(_)) => self.start(step, &start),
            (None, None) if starts => self.start(step, deed),
            (None, None) => self.find(step, &[ItemStatus::Started], "is started"),
        }
    }

    /// What is there under a name, of the first of these states that it is in.
    fn found(&mut self, step: &Named, statuses: &[ItemStatus]) -> Option<Id> {
        let mut nth = step.nth;
        for status in statuses {
            for id in self.paths.at(&step.path) {
                let is_in = self.state.items.get(&id).is_some_and(|it| it.status == *status);
                if is_in && self.state.is_there(self.processes, id, self.cache) {
                    match nth {
                        0 => return Some(id),
                        _ => nth -= 1,
                    }
                }
            }
        }
        None
    }

    fn find(&mut self, step: &Named, statuses: &[ItemStatus], expected: &str) -> Met<Id> {
        let found = self.found(step, statuses);
        found.ok_or_else(|| unmet(format!("`{step}` {expected}"), self.standing_of(step)))
    }

    fn is_there(&mut self, step: &Named) -> bool {
        let is_there = |id: &Id| self.state.is_there(self.processes, *id, self.cache);
        self.paths.at(&step.path).filter(is_there).nth(step.nth).is_some()
    }

    /// Whatever is due happens at its own time.
    fn after(&mut self, time: &Duration, deed: &Deed) -> Met {
        let end = self.now_ms.saturating_add(time.ms() as i64);
        for _ in 0..DUE_MAX {
            let is_running = self.state.head.status == Status::Running;
            let due = self.state.due_ms().filter(|it| is_running && *it <= end);
            let Some(due) = due else {
                self.now_ms = end;
                return Ok(());
            };
            self.now_ms = self.now_ms.max(due);
            self.done(What::Tick, deed)?;
        }
        Err(unmet(
            format!("at most {DUE_MAX} things are due in {}", time.text()),
            "more".to_owned(),
        ))
    }

    fn refused(&mut self, deed: &Deed) -> Met {
        let (state, paths) = (self.state.clone(), self.paths.clone());
        let moments = self.moments.len();
        match self.act(deed) {
            Err(_) => {
                // What it began with may have been fine.
                (self.state, self.paths) = (state, paths);
                self.moments.truncate(moments);
                Ok(())
            }
            Ok(()) => Err(unmet(format!("`{deed}` is refused"), "it was taken".to_owned())),
        }
    }

    fn look(&mut self, deed: &Deed) -> Met {
        let is_there = match deed {
            Deed::There(step) | Deed::NotThere(step) => self.is_there(step),
            _ => false,
        };
        let (holds, expected) = match deed {
            Deed::There(step) if !is_there => {
                let expected = format!("`{step}` is on offer, under way or waited for");
                return Err(unmet(expected, self.standing_of(step)));
            }
            Deed::NotThere(step) => {
                (!is_there, format!("`{step}` is neither on offer nor under way"))
            }
            Deed::Offers(steps) => {
                let mut expected: Vec<&str> = steps.iter().map(|it| &*it.path).collect();
                expected.sort_unstable();
                let offers = self.offers();
                (self.on_offer(&offers) == expected, format!("on offer: {}", list(&expected)))
            }
            Deed::Status(status) => {
                let is_final = self.state.head.final_status.as_deref() == Some(status)
                    && self.state.head.status == Status::Done;
                (is_final || self.status() == status, format!("the run is {status}"))
            }
            Deed::Data(data) => return self.look_at_data(data),
            _ => (true, String::new()),
        };
        holds.then_some(()).ok_or_else(|| unmet(expected, self.standing()))
    }

    fn look_at_data(&self, expected: &Data) -> Met {
        let ours = self.state.data();
        let wrong =
            |(name, value): &(&String, &Value)| ours.get(*name).unwrap_or(&Value::Null) != *value;
        match expected.iter().find(wrong) {
            None => Ok(()),
            Some((name, value)) => {
                let found = match ours.get(name) {
                    Some(found) => format!("`{name}` is {found}"),
                    None => format!("there is no `{name}`: the data is {}", Value::Object(ours)),
                };
                Err(unmet(format!("`{name}` is {value}"), found))
            }
        }
    }

    fn on_offer<'o>(&self, offers: &'o [Offer]) -> Vec<&'o str> {
        let offered = offers.iter().filter(|it| it.status == ItemStatus::Offered);
        let mut paths: Vec<&str> = offered.map(|it| &*it.path).collect();
        paths.sort_unstable();
        paths
    }

    pub fn status(&self) -> &'static str {
        self.state.status(self.processes).word()
    }

    /// How the run stands, for a person.
    pub fn standing(&self) -> String {
        let offers = self.offers();
        let with = |statuses: &[ItemStatus]| {
            let there = offers.iter().filter(|it| statuses.contains(&it.status));
            there.map(|it| &*it.path).collect::<Vec<_>>()
        };
        let mut parts = vec![format!("on offer: {}", list(&self.on_offer(&offers)))];
        let under_way = with(&[ItemStatus::Open, ItemStatus::Started, ItemStatus::Backoff]);
        let waited_for = with(&[ItemStatus::Awaiting]);
        if !under_way.is_empty() {
            parts.push(format!("under way: {}", list(&under_way)));
        }
        if !waited_for.is_empty() {
            parts.push(format!("waited for: {}", list(&waited_for)));
        }
        parts.push(format!("the run is {}", self.status()));
        if let Some(problem) = &self.state.head.problem {
            parts.push(format!("{}: {}", problem.kind, problem.message));
        }
        parts.join("; ")
    }

    /// The same for who looks for a step, of which there may be instances.
    fn standing_of(&self, step: &Named) -> String {
        let without_numbers = |path: &str| -> String {
            let parts = path.split('/').map(|it| it.split('#').next().unwrap_or_default());
            parts.collect::<Vec<_>>().join("/")
        };
        let is_meant = |it: &&Offer| it.path != step.path && without_numbers(&it.path) == step.path;
        match self.offers().iter().find(is_meant) {
            Some(it) => format!("{}; name an instance, such as `{}`", self.standing(), it.path),
            None => self.standing(),
        }
    }

    /// What was done so far and what came of it, a line each.
    pub fn trace(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Moment { at_ms, deed, firings } in &self.moments {
            let time = match at_ms {
                0 => String::new(),
                ms => format!("{} ", clock(*ms)),
            };
            let told: Vec<String> = firings.iter().map(told).collect();
            lines.push(format!("{time}{deed}  →  {}", told.join(", ")));
        }
        lines
    }
}

fn unmet(expected: impl Into<String>, found: String) -> Unmet {
    Unmet { expected: expected.into(), found }
}

impl Left<'_> {
    fn is_any(&self) -> bool {
        self.one.get() > 0 && self.all.get() > 0
    }

    fn take(&self, some: usize) {
        self.one.set(self.one.get().saturating_sub(some));
        self.all.set(self.all.get().saturating_sub(some));
    }
}

fn too_much() -> Refused {
    let message = format!(
        "{ONE_MAX} things happened in the tests of this process, or {ALL_MAX} in all together; a \
         cost of {COST_OF_ONE} is one of them"
    );
    Refused::too_large(message)
}

fn refusal(refused: &Refused) -> String {
    format!("refused: {}", refused.message)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// A time since the run began, such as 1d02h or 5m30s.
fn clock(ms: i64) -> String {
    let (days, hours) = (ms / 86_400_000, ms / 3_600_000 % 24);
    let (minutes, seconds, ms) = (ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"), (ms, "ms")];
    let told = parts.iter().filter(|it| it.0 != 0).map(|(number, unit)| format!("{number}{unit}"));
    format!("at {}", told.collect::<String>())
}

fn told(firing: &Firing) -> String {
    let notes = firing.notes.iter().map(|it| format!(" ({}: {})", it.kind, it.message));
    firing.to_string() + &notes.collect::<String>()
}
