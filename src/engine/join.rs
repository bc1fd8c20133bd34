//! Joins: which threads are made one, and when.

use std::collections::BTreeMap;

use super::{
    data::Scope,
    definition::flow::{End, Rest},
    event::Kind,
    net::{Join, Number, PlaceNo, StepNo},
    state::{Id, Item, ItemStatus, Problem, Round},
    work::{Done, Work},
};

/// Threads by place and number.
type Threads = Vec<(PlaceNo, Id)>;

impl<'w> Work<'w> {
    /// Fires the joins of a frame that may, until none may.
    pub fn join_all(&mut self, frame: Id) -> Done {
        let Some((_, net)) = self.net_of(frame) else { return Ok(()) };
        for join in &net.joins {
            while self.frame(frame).is_some() && self.join(frame, *join)? {}
        }
        // Threads of a race and others, together: the claim takes them all.
        for no in &net.lazy {
            self.offer_lazily(frame, *no)?;
        }
        Ok(())
    }

    fn offer_lazily(&mut self, frame: Id, no: StepNo) -> Done {
        let Some((_, net)) = self.net_of(frame) else { return Ok(()) };
        loop {
            let mut threads = Vec::new();
            for place in &net.step(no).inputs {
                let is_free = |id: Id| {
                    let mut offered = self.rows.on_token.range((id, 0)..=(id, Id::MAX));
                    !offered.any(|(key, ())| self.item(key.1).is_some_and(|it| it.step == no))
                };
                match self.tokens_in(frame, *place).find(|it| is_free(it.0)) {
                    Some((id, token)) => threads.push((*place, id, token.by)),
                    None => return Ok(()),
                }
            }
            let by = threads.first().map_or(0, |it| it.2);
            self.offer(frame, no, threads.iter().map(|it| (it.0, it.1)).collect(), by)?;
        }
    }

    /// Fires a join once, if it may.
    fn join(&mut self, frame: Id, no: StepNo) -> Done<bool> {
        let Some((_, net)) = self.net_of(frame) else { return Ok(false) };
        let step = net.step(no);
        match &step.join {
            Join::One => Ok(false),
            Join::Threads(k) => {
                let mut places = step.inputs.iter().map(|it| self.oldest(frame, *it, *k));
                match places.find_map(|it| it) {
                    Some(threads) => self.joined(frame, no, threads, None).map(|_| true),
                    None => Ok(false),
                }
            }
            Join::All(k) => {
                let places = step.inputs.iter().map(|it| self.oldest(frame, *it, *k));
                match places.collect::<Option<Vec<_>>>() {
                    Some(threads) if !threads.is_empty() => {
                        self.joined(frame, no, threads.concat(), None).map(|_| true)
                    }
                    _ => Ok(false),
                }
            }
            Join::Any => self.join_any(frame, no, false),
            Join::Count { n, tokens } => self.join_count(frame, no, n, *tokens),
            Join::From { n, rest } => self.join_from(frame, no, n.as_ref(), *rest),
        }
    }

    fn oldest(&self, frame: Id, place: PlaceNo, k: u32) -> Option<Threads> {
        let threads: Threads =
            self.tokens_in(frame, place).take(k as usize).map(|it| (place, it.0)).collect();
        (threads.len() == k as usize).then_some(threads)
    }

    /// Makes threads one, which may start the step.
    fn joined(&mut self, frame: Id, no: StepNo, threads: Threads, spent: Option<Id>) -> Done<Id> {
        let Some((_, net)) = self.net_of(frame) else { return Ok(0) };
        let (mut parents, mut tickets) = (Vec::new(), Vec::new());
        for (place, id) in threads {
            if let Some(token) = self.take_token(frame, place, id) {
                parents.push(token.by);
                tickets.extend(token.tickets);
            }
        }
        tickets.sort_unstable();
        tickets.dedup();
        tickets.retain(|it| Some(*it) != spent);
        let by = self.fire(Kind::Join, self.step_path(frame, no), parents)?;
        self.last().into_iter().for_each(|it| it.made = 1);
        if let Some(mut ticket) = spent.and_then(|it| self.rows.tickets.get(&it)).cloned() {
            ticket.fired = Some(by);
            self.rows.tickets.put(spent.unwrap_or_default(), ticket);
        }
        self.put_token(frame, net.step(no).ready, by, &tickets)?;
        Ok(by)
    }

    pub fn step_path(&self, frame: Id, no: StepNo) -> String {
        self.path_of(&Item::new(frame, no, ItemStatus::Offered, 0))
    }

    /// A late thread ends where its join was.
    fn absorb(&mut self, frame: Id, no: StepNo, thread: (PlaceNo, Id), into: Id) -> Done<Id> {
        let token = self.take_token(frame, thread.0, thread.1);
        let parents = token.into_iter().map(|it| it.by).chain([into]).collect();
        let by = self.fire(Kind::Absorb, self.step_path(frame, no), parents)?;
        self.rows.heads.remove(&(frame, into));
        self.rows.heads.put((frame, by), ());
        Ok(by)
    }

    /// `any`: of all branches that can still bring a thread; `is_last` when nothing else can move.
    pub fn join_any(&mut self, frame: Id, no: StepNo, is_last: bool) -> Done<bool> {
        let Some((_, net)) = self.net_of(frame) else { return Ok(false) };
        let (mut threads, mut empty) = (Vec::new(), Vec::new());
        for place in &net.step(no).inputs {
            match self.tokens_in(frame, *place).next() {
                Some((id, _)) => threads.push((*place, id)),
                None => empty.push(*place),
            }
        }
        if threads.is_empty() {
            return Ok(false);
        }
        if !is_last && !empty.is_empty() && self.can_come(frame, no, &empty) {
            return Ok(false);
        }
        self.joined(frame, no, threads, None).map(|_| true)
    }

    /// A number of branches: one round at a time.
    fn join_count(&mut self, frame: Id, no: StepNo, n: &Number, k: u32) -> Done<bool> {
        let Some((_, net)) = self.net_of(frame) else { return Ok(false) };
        let inputs = &net.step(no).inputs;
        let Some(mut round) = self.rows.rounds.get(&(frame, no)).cloned() else {
            let threads = inputs.iter().filter_map(|it| self.oldest(frame, *it, k));
            let mut threads: Vec<Threads> = threads.collect();
            if threads.is_empty() {
                return Ok(false);
            }
            let Some(n) = self.number(frame, n)? else { return Ok(false) };
            if (threads.len() as u64) < n {
                return Ok(false);
            }
            threads.sort_by_key(|it| it.iter().map(|thread| thread.1).max());
            threads.truncate(n.max(1) as usize);
            let arrived = threads.iter().map(|it| it[0].0).collect();
            let by = self.joined(frame, no, threads.concat(), None)?;
            self.rows.rounds.put((frame, no), Round { by, arrived });
            return Ok(true);
        };
        let missing: Vec<PlaceNo> =
            inputs.iter().copied().filter(|it| !round.arrived.contains(it)).collect();
        for place in &missing {
            if let Some(threads) = self.oldest(frame, *place, k) {
                for thread in threads {
                    round.by = self.absorb(frame, no, thread, round.by)?;
                }
                round.arrived.push(*place);
                self.rows.rounds.put((frame, no), round);
                return Ok(true);
            }
        }
        if missing.is_empty() || !self.can_come(frame, no, &missing) {
            self.rows.rounds.remove(&(frame, no));
            return Ok(true);
        }
        Ok(false)
    }

    /// What a split handed out, each activation by itself.
    fn join_from(&mut self, frame: Id, no: StepNo, n: Option<&Number>, rest: Rest) -> Done<bool> {
        let Some((_, net)) = self.net_of(frame) else { return Ok(false) };
        let mut arrived: BTreeMap<Option<Id>, Threads> = BTreeMap::new();
        for place in &net.step(no).inputs {
            for (id, token) in self.tokens_in(frame, *place) {
                let is_ours = |it: &&Id| self.rows.tickets.get(it).is_some_and(|it| it.join == no);
                // The newest: an activation inside of another one is joined first.
                let ticket = token.tickets.iter().filter(is_ours).max().copied();
                arrived.entry(ticket).or_default().push((*place, id));
            }
        }
        for (ticket, mut threads) in arrived {
            threads.sort_by_key(|it| it.1);
            let fired = ticket.and_then(|it| self.rows.tickets.get(&it)?.fired);
            if let (Some(into), Some(id)) = (fired, ticket) {
                let by = self.absorb(frame, no, threads[0], into)?;
                if let Some(mut row) = self.rows.tickets.get(&id).cloned() {
                    row.fired = Some(by);
                    self.rows.tickets.put(id, row);
                }
                return Ok(true);
            }
            let all = ticket.and_then(|it| self.rows.carriers.get(&it).copied()).unwrap_or(1);
            let wanted = match n {
                Some(n) => self.number(frame, n)?,
                None => Some(all),
            };
            let Some(wanted) = wanted else { return Ok(false) };
            if (threads.len() as u64) < wanted {
                continue;
            }
            threads.truncate(wanted.max(1) as usize);
            let by = self.joined(frame, no, threads, ticket)?;
            if let (Some(ticket), Rest::Cancel) = (ticket, rest) {
                self.cancel_ticket(frame, ticket, by)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Withdraws everything that carries a ticket.
    fn cancel_ticket(&mut self, frame: Id, ticket: Id, by: Id) -> Done {
        let range = (frame, 0, 0)..=(frame, u32::MAX, Id::MAX);
        let carry = |it: &(&(Id, u32, Id), &super::state::Token)| it.1.tickets.contains(&ticket);
        let tokens: Vec<_> =
            self.rows.tokens.range(range.clone()).filter(carry).map(|it| *it.0).collect();
        let mut withdrawn = Vec::new();
        for (_, place, id) in tokens {
            withdrawn.extend(self.take_token(frame, place, id).map(|it| it.by));
        }
        let items: Vec<Id> = self.rows.at_step.range(range).map(|it| it.0.2).collect();
        for id in items {
            if self.item(id).is_some_and(|it| it.tickets.contains(&ticket)) {
                withdrawn.extend(self.drop_inside(id));
                withdrawn.extend(self.drop_item(id).map(|it| it.by));
            }
        }
        if !withdrawn.is_empty() {
            withdrawn.push(by);
            let path = self.rows.tickets.get(&ticket).map(|it| self.step_path(frame, it.join));
            let by = self.fire(Kind::Cancel, path.unwrap_or_default(), withdrawn)?;
            self.rows.heads.put((frame, by), ());
        }
        Ok(())
    }

    /// A number of a join; when it cannot be told, the process or block fails.
    fn number(&mut self, frame: Id, n: &Number) -> Done<Option<u64>> {
        let number: Result<u64, Problem> = match n {
            Number::Count(n) => Ok(*n),
            Number::Expression(n) => Scope::frame(self, frame).number(n),
        };
        match number {
            Ok(number) => Ok(Some(number.max(1))),
            Err(problem) => {
                let mut parents = self.take_heads(frame);
                let by = match parents.pop() {
                    Some(by) => by,
                    None => self.fire(Kind::Cancel, String::new(), Vec::new())?,
                };
                parents.into_iter().for_each(|it| self.rows.heads.put((frame, it), ()));
                self.note(problem.clone());
                self.end(frame, End::Failed, Some(problem), by)?;
                Ok(None)
            }
        }
    }
}
