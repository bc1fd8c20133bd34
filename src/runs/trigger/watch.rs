//! A repository that is watched: what happened in it since somebody last looked, and what that
//! starts. Runs begin in the same step in which is kept that their causes were seen, so that each
//! is started once, whoever looks, and however he ends.

use std::rc::Rc;

use jiff::Timestamp;
use serde_json::json;

use super::{
    happened::{Look, moved},
    matches::Event,
    published::{Processes, Published, Rule},
    start::{Cause, Starter},
    state::State,
};
use crate::{
    error::{Error, Result},
    git::{AllowedSigners, ObjectId, Repository, Transaction, Watched, now_ms},
    process::store::repository::InRepository,
    runs::keeper::Keeper,
};

/// What one process knows of the triggers of a repository.
#[derive(Default)]
pub struct Watcher {
    /// As it was when it was last read or written; nothing where that is in doubt.
    pub(super) state: Option<State>,
    pub(super) processes: Processes,
}

/// What a look without a right to write finds.
pub enum Glance {
    /// Nothing here starts anything.
    Nothing,
    /// Nothing is to be done until this time, unless something happens.
    Quiet(Option<i64>),
    /// The same, but that runs wait for others to end.
    Waiting(Option<i64>),
    Due,
}

impl Watcher {
    /// What is known may not be what is in Git.
    pub fn doubt(&mut self) {
        self.state = None;
    }

    /// Whether there is anything to do, with refs as they are now.
    pub(super) fn glance(&self, refs: &Watched, at: Option<ObjectId>) -> Glance {
        let has_none = self.processes.all.is_empty();
        let state = match (&self.state, at) {
            (_, None) if has_none => return Glance::Nothing,
            (Some(state), Some(_)) if state.at == at => state,
            _ => return Glance::Due,
        };
        let knows_all = state.knows(self.processes.rules().map(|it| it.1));
        if has_none && knows_all {
            return Glance::Nothing;
        }
        let next_ms = self.next_ms(state);
        let is_time = next_ms.is_some_and(|it| it <= now_ms().cast_signed());
        let has_moved = !moved(&state.seen, refs).is_empty() || gone(&state.seen, refs);
        match state.kept.waiting.is_empty() {
            _ if !knows_all || is_time || has_moved => Glance::Due,
            true => Glance::Quiet(next_ms),
            false => Glance::Waiting(next_ms),
        }
    }

    /// When the first schedule comes that nobody has looked at yet.
    fn next_ms(&self, state: &State) -> Option<i64> {
        let rules = self.processes.rules().map(|it| it.1);
        rules.filter_map(|rule| next_of(rule, state)).min()
    }

    /// Takes what is kept of it, and what is published now.
    pub fn read(
        &mut self,
        source: &InRepository,
        transaction: &mut Transaction,
    ) -> Result<Watched> {
        let at = transaction.triggers()?;
        if self.state.as_ref().is_none_or(|it| it.at != at) {
            self.state = State::read(transaction)?;
        }
        let refs = transaction.watched()?;
        self.processes.follow(&refs, source);
        Ok(refs)
    }

    /// Has a trigger start nothing, or what happens from now on.
    pub fn pause(
        &mut self,
        process: &str,
        trigger: &str,
        paused: bool,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let known = self.state.as_mut().and_then(|it| {
            let known = it.kept.triggers.get_mut(process)?.get_mut(trigger)?;
            let is_news = known.paused != paused;
            if is_news {
                // What came meanwhile is not made up for.
                (known.paused, known.until_ms) = (paused, now_ms().cast_signed());
            }
            Some((is_news, it))
        });
        match known {
            Some((true, state)) => state.write(state.seen.clone(), transaction),
            Some((false, _)) => Ok(()),
            None => {
                let message = format!("the process `{process}` has no trigger `{trigger}` here");
                Err(Error::not_found(message))
            }
        }
    }

    /// Looks at a repository, and starts what is to be started.
    pub fn look(
        &mut self,
        keeper: &mut Keeper,
        source: &InRepository,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let refs = self.read(source, transaction)?;
        // Where this fails, all of it is read again.
        let before = self.state.take();
        if before.is_none() && self.processes.all.is_empty() {
            return Ok(());
        }
        let is_first = before.is_none();
        let mut state = before.unwrap_or_default();
        let kept = state.kept.clone();
        let now = now_ms().cast_signed();
        let new = state.follow(self.processes.rules().map(|it| it.1), now);
        let rules: Vec<(&Published, &Rule)> = self
            .processes
            .rules()
            .map(|(it, rule)| (&**it, rule))
            .filter(|(_, it)| !new.contains(&(&*it.process, &*it.label)))
            .filter(|(_, it)| state.known(it).is_some_and(|it| !it.paused))
            .collect();
        let mut starter = Starter { keeper, source, transaction, now };
        if !is_first {
            commits(&rules, &refs, &mut state, &mut starter)?;
            times(&rules, &mut state, &mut starter)?;
            starter.go_on(&self.processes, &mut state)?;
        }
        if is_first || kept != state.kept || state.seen != refs {
            state.write(refs, starter.transaction)?;
        }
        starter.transaction.be_durable();
        self.state = Some(state);
        Ok(())
    }
}

/// When a schedule of a trigger comes that nobody has looked at yet.
pub fn next_of(rule: &Rule, state: &State) -> Option<i64> {
    let known = state.known(rule).filter(|it| !it.paused)?;
    let next = rule.conditions.schedules.iter().filter_map(|it| it.next_ms(known.until_ms));
    next.min()
}

/// Whether refs are no more.
fn gone(seen: &Watched, now: &Watched) -> bool {
    seen.keys().any(|it| !now.contains_key(it))
}

/// What commits start that came since.
fn commits(
    rules: &[(&Published, &Rule)],
    refs: &Watched,
    state: &mut State,
    starter: &mut Starter,
) -> Result<()> {
    let moved = moved(&state.seen, refs);
    let is_asked = rules.iter().any(|it| it.1.conditions.takes_commits());
    if moved.is_empty() || !is_asked {
        return Ok(());
    }
    let repository = starter.transaction.repository();
    let seen = state.seen.clone();
    let look = Look {
        repository,
        seen: &seen,
        now: refs,
        allowed: allowed(starter.source, repository),
        watch: starter.source.watch,
    };
    for happened in look.happened(&moved)? {
        let event = Event::Commit(happened);
        for (published, rule) in rules {
            if rule.conditions.unmet(&event).is_none() {
                starter.fire(published, rule, &Cause::of(&event), state)?;
            }
        }
    }
    Ok(())
}

/// Who may sign; where that cannot be read, nobody.
pub fn allowed(source: &InRepository, repository: &Repository) -> Rc<Option<AllowedSigners>> {
    let allowed = repository.allowed_signers(source.store.root());
    Rc::new(allowed.unwrap_or_else(|error| {
        log::error!("{error}");
        None
    }))
}

/// What schedules start.
fn times(rules: &[(&Published, &Rule)], state: &mut State, starter: &mut Starter) -> Result<()> {
    let now = starter.now;
    for (published, rule) in rules {
        let schedules = &rule.conditions.schedules;
        let Some(until_ms) = state.known(rule).map(|it| it.until_ms) else { continue };
        if !schedules.iter().any(|it| it.has_come(until_ms, now)) {
            continue;
        }
        let due = schedules.iter().enumerate();
        let due = due
            .flat_map(|(no, it)| it.due_ms(until_ms, now).into_iter().map(move |time| (time, no)));
        let mut due: Vec<(i64, usize)> = due.collect();
        due.sort_unstable();
        for come in due.chunk_by(|one, other| one.0 == other.0) {
            let event = Event::Time(come.iter().map(|it| it.1).collect());
            if rule.conditions.unmet(&event).is_none() {
                starter.fire(published, rule, &Cause::at(come[0].0), state)?;
            }
        }
        if let Some(known) = state.known_mut(rule) {
            known.until_ms = now;
        }
    }
    Ok(())
}

impl Cause {
    /// A commit that starts something.
    pub fn of(event: &Event) -> Cause {
        let Event::Commit(it) = event else { return Cause::at(0) };
        let id = it.facts.id.clone();
        let short = id[..12.min(id.len())].to_owned();
        Cause { word: short, event: it.event(), attribute: ("commit".to_owned(), id) }
    }

    /// A time that does.
    pub fn at(ms: i64) -> Cause {
        let time = Timestamp::from_millisecond(ms).unwrap_or_default();
        let word = time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let text = time.to_string();
        Cause { word, event: json!({"time": text}), attribute: ("time".to_owned(), text) }
    }
}
