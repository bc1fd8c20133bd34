//! A state under another definition: everything in it gets the place that has its name there.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    event::Names,
    net::{Body, NetNo, Place, PlaceKind, PlaceNo, Processes, Step, StepNo},
    state::{Frame, Id, Item, ItemStatus, Round, State, Ticket, Token, table::Table},
};

/// What is told at most of what has no place.
const MISSING_MAX: usize = 100;

/// The same run under another definition, in which steps are called as before or as `names` says;
/// or what of it has no place there.
pub fn migrated(
    old: &Processes,
    new: &Processes,
    state: &State,
    names: &Names,
) -> Result<State, Vec<String>> {
    let mut migration =
        Migration { old, new, state, names, nets: BTreeMap::new(), missing: BTreeSet::new() };
    migration.map_frames();
    let migrated = migration.mapped();
    match migration.missing.is_empty() {
        true => Ok(migrated),
        false => Err(migration.missing.into_iter().take(MISSING_MAX).collect()),
    }
}

struct Migration<'m> {
    old: &'m Processes,
    new: &'m Processes,
    state: &'m State,
    names: &'m Names,
    /// Which net each frame has now.
    nets: BTreeMap<Id, NetNo>,
    missing: BTreeSet<String>,
}

impl<'m> Migration<'m> {
    /// Outer frames come before those inside of them.
    fn map_frames(&mut self) {
        for (id, frame) in self.state.frames.iter() {
            let net = match frame.item.and_then(|it| self.state.items.get(&it)) {
                None => Some(self.new.main),
                Some(item) => self.net_inside(item),
            };
            match net {
                Some(net) => drop(self.nets.insert(*id, net)),
                None => self.miss(frame, "is no block and no call there"),
            }
        }
    }

    fn net_inside(&self, item: &Item) -> Option<NetNo> {
        let (net, step) = (*self.nets.get(&item.frame)?, self.step_of(item)?);
        let before = &self.old.step(self.state.frames.get(&item.frame)?.net, item.step).body;
        match (before, &self.new.step(net, step).body) {
            (Body::Block(_), Body::Block(net)) => Some(*net),
            (Body::Call { .. }, Body::Call { net, .. }) => Some(*net),
            _ => None,
        }
    }

    fn miss(&mut self, frame: &Frame, why: &str) {
        let path = if frame.path.is_empty() { "the run" } else { &*frame.path };
        self.missing.insert(format!("{path}: {why}"));
    }

    /// The step of an item under the other definition.
    fn step_of(&self, item: &Item) -> Option<StepNo> {
        self.step(item.frame, item.step)
    }

    fn step(&self, frame: Id, step: StepNo) -> Option<StepNo> {
        let old = self.state.frames.get(&frame)?.net;
        let name = &self.old.step(old, step).id;
        let name = self.names.get(name).unwrap_or(name);
        self.new.net(*self.nets.get(&frame)?).by_name.get(name).copied()
    }

    fn place(&self, frame: Id, place: PlaceNo) -> Option<PlaceNo> {
        let old = self.old.net(self.state.frames.get(&frame)?.net);
        let new = self.new.net(*self.nets.get(&frame)?);
        let place = old.place(place);
        let from = match place.from {
            Some(from) => Some(self.step(frame, from)?),
            None => None,
        };
        let targets: Option<BTreeSet<StepNo>> =
            place.targets.iter().map(|it| self.step(frame, *it)).collect();
        let targets = targets?;
        let target = new.step(*targets.first()?);
        if place.kind == PlaceKind::Ready {
            return Some(target.ready);
        }
        let is_it = |it: &&PlaceNo| {
            let Place { from: begin, targets: ends, kind, .. } = new.place(**it);
            *kind == place.kind
                && *begin == from
                && ends.iter().copied().collect::<BTreeSet<_>>() == targets
        };
        let known = target.inputs.iter().chain(&target.races).find(is_it).copied();
        // What was to be joined, and is not any more, starts its step.
        let is_one = place.kind == PlaceKind::Arc && target.inputs.is_empty();
        known.or_else(|| is_one.then_some(target.ready))
    }

    fn path(&self, frame: Id, step: StepNo) -> String {
        let Some(row) = self.state.frames.get(&frame) else { return String::new() };
        let step = &self.old.step(row.net, step).id;
        if row.path.is_empty() { step.clone() } else { format!("{}/{step}", row.path) }
    }

    fn mapped(&mut self) -> State {
        let mut state = self.state.clone();
        state.frames = self.mapped_frames();
        state.tokens = self.mapped_tokens();
        state.items = self.mapped_items();
        state.at_step = state.items.iter().map(|(id, it)| ((it.frame, it.step, *id), ())).collect();
        state.rounds = self.mapped_rounds();
        state.tickets = self.mapped_tickets();
        state.done = self.mapped_done();
        // Whether it may start is asked again, by the conditions that hold now.
        let has_condition = |it: &Item| {
            let step = self.nets.get(&it.frame).map(|net| self.new.step(*net, it.step));
            step.is_some_and(|it| it.only_while.is_some())
        };
        let asked = state.items.iter().filter(|it| has_condition(it.1)).map(|it| (*it.0, ()));
        let blocked = state.blocked.iter().map(|it| (*it.0, ()));
        state.blocked = asked.chain(blocked).collect();
        state
    }

    fn mapped_frames(&self) -> Table<Id, Frame> {
        let frame = |(id, frame): (&Id, &Frame)| {
            Some((*id, Frame { net: *self.nets.get(id)?, ..frame.clone() }))
        };
        self.state.frames.iter().filter_map(frame).collect()
    }

    fn mapped_tokens(&mut self) -> Table<(Id, u32, Id), Token> {
        let mut mapped = Vec::new();
        for ((frame, place, id), token) in self.state.tokens.iter() {
            match self.place(*frame, *place) {
                Some(place) => mapped.push(((*frame, place, *id), token.clone())),
                None => {
                    let text = self.told(*frame, *place);
                    self.missing.insert(text);
                }
            }
        }
        mapped.into_iter().collect()
    }

    /// Where a thread rests, in words.
    fn told(&self, frame: Id, place: PlaceNo) -> String {
        let Some(row) = self.state.frames.get(&frame) else { return String::new() };
        let place = self.old.net(row.net).place(place);
        let targets: Vec<String> = place.targets.iter().map(|it| self.path(frame, *it)).collect();
        let from = place.from.map(|it| format!(" from `{}`", self.path(frame, it)));
        format!("a thread{} to `{}`", from.unwrap_or_default(), targets.join("`, `"))
    }

    fn mapped_items(&mut self) -> Table<Id, Item> {
        let mut mapped = Vec::new();
        for (id, item) in self.state.items.iter() {
            match self.mapped_item(item) {
                Ok(item) => mapped.push((*id, item)),
                Err(why) => {
                    let text = format!("`{}`: {why}", self.path(item.frame, item.step));
                    self.missing.insert(text);
                }
            }
        }
        mapped.into_iter().collect()
    }

    fn mapped_item(&self, item: &Item) -> Result<Item, &'static str> {
        let (Some(net), Some(frame)) =
            (self.nets.get(&item.frame), self.state.frames.get(&item.frame))
        else {
            return Err("what it is in has no place");
        };
        let step = self.step_of(item).ok_or("there is no such step")?;
        let (before, after) = (self.old.step(frame.net, item.step), self.new.step(*net, step));
        let event = |it: &'m Step| it.awaits.as_ref().map(|it| it.event.as_deref());
        if before.each.is_some() != after.each.is_some() {
            return Err("it has instances in one of the two only");
        }
        if event(before) != event(after) {
            return Err("it waits for something else");
        }
        let is_inside = item.status == ItemStatus::Inside && item.group.is_none();
        if std::mem::discriminant(&before.body) != std::mem::discriminant(&after.body)
            || is_inside && item.inside.is_some_and(|it| !self.nets.contains_key(&it))
        {
            return Err("it is a block, a call or work in one of the two only");
        }
        let place =
            |(place, token): &(PlaceNo, Id)| Some((self.place(item.frame, *place)?, *token));
        let tokens: Option<Vec<_>> = item.tokens.iter().map(place).collect();
        let tokens = tokens.ok_or("its thread has no place")?;
        Ok(Item { step, tokens, ..item.clone() })
    }

    fn mapped_rounds(&mut self) -> Table<(Id, StepNo), Round> {
        let mut mapped = Vec::new();
        for ((frame, step), round) in self.state.rounds.iter() {
            let arrived: Option<Vec<PlaceNo>> =
                round.arrived.iter().map(|it| self.place(*frame, *it)).collect();
            match (self.step(*frame, *step), arrived) {
                (Some(to), Some(arrived)) => {
                    mapped.push(((*frame, to), Round { arrived, ..round.clone() }));
                }
                _ => {
                    let text = format!("`{}`: threads it has joined", self.path(*frame, *step));
                    self.missing.insert(text);
                }
            }
        }
        mapped.into_iter().collect()
    }

    fn mapped_tickets(&mut self) -> Table<Id, Ticket> {
        let mut mapped = Vec::new();
        for (id, ticket) in self.state.tickets.iter() {
            match self.step(ticket.frame, ticket.join) {
                Some(join) => mapped.push((*id, Ticket { join, ..ticket.clone() })),
                None => {
                    let path = self.path(ticket.frame, ticket.join);
                    self.missing.insert(format!("`{path}`: threads that it is to join"));
                }
            }
        }
        mapped.into_iter().collect()
    }

    /// How often steps were done; of one that is gone nobody asks.
    fn mapped_done(&self) -> Table<(Id, StepNo), u64> {
        let done = self.state.done.iter();
        done.filter_map(|((frame, step), count)| {
            Some(((*frame, self.step(*frame, *step)?), *count))
        })
        .collect()
    }
}
