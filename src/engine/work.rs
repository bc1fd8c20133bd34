//! A state while an event is worked into it: rows and what is derived from them.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::{
    definition::Data,
    event::{Call, Firing, Kind, Refused},
    net::{Net, NetNo, PlaceKind, PlaceNo, Processes, Step, StepNo},
    or_join::Cache,
    state::{Frame, Id, Item, Layers, Mail, Problem, State, Token},
};

/// What a run may have at a time, and what one event may set off.
pub const TOKENS_MAX: usize = 30_000;
pub const ITEMS_MAX: usize = 30_000;
pub const FIRINGS_MAX: usize = 15_000;
/// What one event in time does together; what is due besides waits for the next one.
pub const DUE_MAX: usize = 1000;
/// What all expressions that are read for one event, and what is gone through for its threads, may
/// cost, in values.
pub const EVENT_COST_MAX: i64 = 3_000_000;
/// So many counts that joins look at take as long as a cost of one.
const COUNTS_OF_COST: usize = 16;
/// What it costs to count one carrier of a ticket: a thread in a loop has those of all its rounds.
const TICKET_COST: usize = 10;

pub type Done<T = ()> = Result<T, Refused>;

/// What is still to be done before the state is settled.
#[derive(Debug)]
pub enum Task {
    /// An item that starts by itself.
    Enter(Id),
    /// An event that an item took.
    Take(Id, Mail, String),
    /// An item that cannot even wait.
    Fail(Id, Problem),
}

pub struct Work<'w> {
    pub processes: &'w Processes,
    pub rows: Layers<'w>,
    pub firings: Vec<Firing>,
    pub tasks: VecDeque<Task>,
    pub dirty: BTreeSet<Id>,
    pub cache: &'w mut Cache,
    /// How much joins have looked at, in counts.
    pub looked_at: usize,
    /// What expressions may still cost.
    pub cost_left: Cell<i64>,
    /// Tickets that nothing carried at some time.
    pub idle_tickets: BTreeSet<Id>,
    /// When something last happened before.
    pub since_ms: i64,
    /// Calls that began.
    pub calls: Vec<Call>,
    /// Of events that are kept, up to where they are all taken: what goes on by itself takes many.
    pub taken_until: BTreeMap<String, Id>,
    /// Somebody waits for whether the outcome is right, and can give another one.
    pub is_answerable: bool,
}

/// Where an item of a step is, in the frame with this path.
pub fn path(frame: &str, step: &str, item: &Item) -> String {
    let slash = if frame.is_empty() { "" } else { "/" };
    match &item.instance {
        Some(instance) => format!("{frame}{slash}{step}#{}", instance.index + 1),
        None => format!("{frame}{slash}{step}"),
    }
}

impl<'w> Work<'w> {
    pub fn over(processes: &'w Processes, state: &'w State, cache: &'w mut Cache) -> Work<'w> {
        Work {
            processes,
            rows: Layers::over(state),
            firings: Vec::new(),
            tasks: VecDeque::new(),
            dirty: BTreeSet::new(),
            cache,
            looked_at: 0,
            cost_left: Cell::new(EVENT_COST_MAX),
            idle_tickets: BTreeSet::new(),
            since_ms: state.head.now_ms,
            calls: Vec::new(),
            taken_until: BTreeMap::new(),
            is_answerable: false,
        }
    }

    pub fn frame(&self, id: Id) -> Option<&Frame> {
        self.rows.frames.get(&id)
    }

    pub fn net_of(&self, frame: Id) -> Option<(NetNo, &'w Net)> {
        let net = self.rows.frames.get(&frame)?.net;
        Some((net, self.processes.net(net)))
    }

    pub fn item(&self, id: Id) -> Option<&Item> {
        self.rows.items.get(&id)
    }

    pub fn step_of(&self, item: &Item) -> Option<&'w Step> {
        Some(self.net_of(item.frame)?.1.step(item.step))
    }

    pub fn id(&mut self) -> Id {
        self.rows.head.next += 1;
        self.rows.head.next
    }

    pub fn fire(&mut self, kind: Kind, path: String, mut parents: Vec<Id>) -> Done<Id> {
        if self.firings.len() >= FIRINGS_MAX {
            let message = format!("more than {FIRINGS_MAX} things would happen at once");
            return Err(Refused::too_large(message));
        }
        self.check_cost()?;
        parents.sort_unstable();
        parents.dedup();
        let id = self.id();
        let (made, took, outcome, data) = (0, Vec::new(), None, Data::new());
        let (notes, milestone) = (Vec::new(), None);
        let firing =
            Firing { id, kind, path, parents, made, took, outcome, data, notes, milestone };
        self.firings.push(firing);
        Ok(id)
    }

    /// Counts what expressions, and what is gone through for many threads, cost together.
    pub fn pay(&self, cost: usize) {
        let cost = i64::try_from(cost).unwrap_or(i64::MAX);
        self.cost_left.set(self.cost_left.get().saturating_sub(cost));
    }

    /// The rows, when the caller is told what all of it came to.
    pub fn spend(self) -> Layers<'w> {
        let cost = usize::try_from(EVENT_COST_MAX - self.cost_left.get()).unwrap_or_default();
        self.cache.spent += cost + self.looked_at / COUNTS_OF_COST;
        self.rows
    }

    /// Whether that is no more than it may be.
    pub fn check_cost(&self) -> Done {
        let message = "what would be done at once, expressions too, costs too much";
        match self.cost_left.get() < 0 {
            true => Err(Refused::too_large(message)),
            false => Ok(()),
        }
    }

    /// Says more about the last firing.
    pub fn last(&mut self) -> Option<&mut Firing> {
        self.firings.last_mut()
    }

    /// Says with the last firing what went wrong, or could not be told.
    pub fn note(&mut self, problem: Problem) {
        match self.firings.last_mut() {
            Some(firing) if !firing.notes.contains(&problem) => firing.notes.push(problem),
            _ => (),
        }
    }

    pub fn path_of(&self, item: &Item) -> String {
        let frame = self.frame(item.frame).map(|it| &*it.path).unwrap_or_default();
        let id = self.step_of(item).map(|it| &*it.id).unwrap_or_default();
        path(frame, id, item)
    }

    /// Puts a thread somewhere, with the tickets of joins that it can still come to.
    pub fn put_token(&mut self, frame: Id, place: PlaceNo, by: Id, tickets: &[Id]) -> Done {
        let Some((_, net)) = self.net_of(frame) else { return Ok(()) };
        if self.rows.tokens.len() >= TOKENS_MAX {
            return Err(Refused::too_large(format!("a run has at most {TOKENS_MAX} threads")));
        }
        let spot = net.place(place);
        let leads = |it: &Id| {
            let ticket = self.rows.tickets.get(it);
            ticket.is_some_and(|it| it.frame == frame && spot.leads_to.contains(&it.join))
        };
        let tickets: Vec<Id> = tickets.iter().copied().filter(leads).collect();
        self.carry(&tickets);
        let id = self.id();
        self.rows.tokens.put((frame, place, id), Token { by, tickets });
        self.dirty.insert(frame);
        for target in &spot.targets {
            if spot.kind == PlaceKind::Ready
                || spot.kind == PlaceKind::Race && !net.step(*target).is_lazy()
            {
                self.offer(frame, *target, vec![(place, id)], by)?;
            }
        }
        Ok(())
    }

    /// Takes a thread away, and what was offered for it.
    pub fn take_token(&mut self, frame: Id, place: PlaceNo, id: Id) -> Option<Token> {
        let token = self.rows.tokens.remove(&(frame, place, id))?;
        self.drop_carried(&token.tickets);
        let offered: Vec<Id> =
            self.rows.on_token.range((id, 0)..=(id, Id::MAX)).map(|(key, ())| key.1).collect();
        for item in offered {
            self.drop_item(item);
        }
        self.dirty.insert(frame);
        Some(token)
    }

    /// The threads in a place, oldest first.
    pub fn tokens_in(&self, frame: Id, place: PlaceNo) -> impl Iterator<Item = (Id, &Token)> {
        let range = (frame, place, 0)..=(frame, place, Id::MAX);
        self.rows.tokens.range(range).map(|(key, token)| (key.2, token))
    }

    /// Items of a step, oldest first.
    pub fn items_at(&self, frame: Id, step: StepNo) -> impl Iterator<Item = (Id, &Item)> {
        let range = (frame, step, 0)..=(frame, step, Id::MAX);
        self.rows.at_step.range(range).filter_map(|(key, ())| Some((key.2, self.item(key.2)?)))
    }

    pub fn add_item(&mut self, item: Item) -> Done<Id> {
        if self.rows.items.len() >= ITEMS_MAX {
            return Err(Refused::too_large(format!("a run has at most {ITEMS_MAX} open steps")));
        }
        let id = self.id();
        self.rows.at_step.put((item.frame, item.step, id), ());
        if let Some(instance) = &item.instance {
            self.rows.in_group.put((instance.of, id), ());
        }
        self.dirty.insert(item.frame);
        self.index(id, &item);
        self.rows.items.put(id, item);
        Ok(id)
    }

    /// Makes an item what `change` makes of it.
    pub fn change_item(&mut self, id: Id, change: impl FnOnce(&mut Item)) {
        let Some(before) = self.rows.items.get(&id).cloned() else { return };
        let mut item = before.clone();
        change(&mut item);
        // The new first: a ticket that stays is carried all the time.
        self.index(id, &item);
        self.forget(id, &before, Some(&item));
        self.dirty.insert(item.frame);
        self.rows.items.put(id, item);
    }

    pub fn drop_item(&mut self, id: Id) -> Option<Item> {
        let item = self.rows.items.remove(&id)?;
        self.forget(id, &item, None);
        self.rows.at_step.remove(&(item.frame, item.step, id));
        self.rows.blocked.remove(&id);
        if let Some(instance) = &item.instance {
            self.rows.in_group.remove(&(instance.of, id));
        }
        self.dirty.insert(item.frame);
        Some(item)
    }

    fn index(&mut self, id: Id, item: &Item) {
        self.carry(&item.tickets);
        for (_, token) in &item.tokens {
            self.rows.on_token.put((*token, id), ());
        }
        for (due, timer) in &item.timers {
            self.rows.timers.put((*due, id, *timer), ());
        }
        for (event, key) in &item.waits {
            self.rows.waits.put((event.clone(), key.clone(), id), ());
        }
        let process = self.frame(item.frame).map_or(0, |it| it.process);
        for name in &item.locks {
            self.rows.locks.put((process, name.clone()), id);
        }
    }

    fn forget(&mut self, id: Id, item: &Item, now: Option<&Item>) {
        self.drop_carried(&item.tickets);
        for token in item.tokens.iter().filter(|it| now.is_none_or(|now| !now.tokens.contains(it)))
        {
            self.rows.on_token.remove(&(token.1, id));
        }
        for timer in item.timers.iter().filter(|it| now.is_none_or(|now| !now.timers.contains(it)))
        {
            self.rows.timers.remove(&(timer.0, id, timer.1));
        }
        for wait in item.waits.iter().filter(|it| now.is_none_or(|now| !now.waits.contains(it))) {
            self.rows.waits.remove(&(wait.0.clone(), wait.1.clone(), id));
        }
        if now.is_none() {
            let process = self.frame(item.frame).map_or(0, |it| it.process);
            for name in &item.locks {
                self.rows.locks.remove(&(process, name.clone()));
            }
        }
    }

    fn carry(&mut self, tickets: &[Id]) {
        self.pay(tickets.len() * TICKET_COST);
        for ticket in tickets {
            let count = self.rows.carriers.get(ticket).copied().unwrap_or(0);
            self.rows.carriers.put(*ticket, count + 1);
        }
    }

    fn drop_carried(&mut self, tickets: &[Id]) {
        self.pay(tickets.len() * TICKET_COST);
        for ticket in tickets {
            let count = self.rows.carriers.get(ticket).copied().unwrap_or(1);
            self.rows.carriers.put(*ticket, count - 1);
            self.idle_tickets.insert(*ticket);
            if let Some(ticket) = self.rows.tickets.get(ticket) {
                self.dirty.insert(ticket.frame);
            }
        }
    }

    /// Forgets tickets that nothing carries any more.
    pub fn drop_tickets(&mut self) {
        for ticket in std::mem::take(&mut self.idle_tickets) {
            if self.rows.carriers.get(&ticket).is_none_or(|it| *it == 0) {
                self.rows.carriers.remove(&ticket);
                self.rows.tickets.remove(&ticket);
            }
        }
    }
}
