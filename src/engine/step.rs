//! The life of a step: offered, begun, done, and where its thread goes then.

use super::{
    data::Scope,
    definition::{
        Data,
        flow::{End, Split},
    },
    event::{Kind, OK, Refused},
    net::{Arc, Body, Cancelled, PlaceKind, Repeat, Step, StepNo},
    state::{Id, Item, ItemStatus, Problem, Ticket, Timer},
    work::{Done, TOKENS_MAX, Task, Work},
};

impl<'w> Work<'w> {
    /// Offers a step for threads that are there.
    pub fn offer(&mut self, frame: Id, no: StepNo, tokens: Vec<(u32, Id)>, by: Id) -> Done {
        let Some((_, net)) = self.net_of(frame) else { return Ok(()) };
        let step = net.step(no);
        let mut item = Item::new(frame, no, ItemStatus::Offered, by);
        item.tokens = tokens;
        item.timers = self.timers_around(step);
        if step.awaits.is_some() && step.each.is_none() {
            return self.wait(step, item);
        }
        let id = self.add_item(item)?;
        // Who could not even be asked whether it may start fails at once.
        let is_wrong = |work: &Self| work.item(id).is_some_and(|it| work.may_start(it).is_err());
        if step.is_automatic() || step.only_while.is_some() && is_wrong(self) {
            self.tasks.push_back(Task::Enter(id));
        }
        Ok(())
    }

    /// The times that a step has from its beginning.
    pub fn timers_around(&self, step: &Step) -> Vec<(i64, Timer)> {
        let now = self.rows.head.now_ms;
        let after = |ms: Option<u64>, timer| ms.map(|ms| (now.saturating_add(ms as i64), timer));
        let timers =
            [after(step.deadline_ms, Timer::Deadline), after(step.timeout_ms, Timer::Timeout)];
        timers.into_iter().flatten().collect()
    }

    /// Whether its condition holds and its locks are free.
    pub fn may_start(&self, item: &Item) -> Result<bool, Problem> {
        let Some(step) = self.step_of(item) else { return Ok(false) };
        if item.instance.is_some() {
            return Ok(true);
        }
        let process = self.frame(item.frame).map_or(0, |it| it.process);
        if step.mutex.iter().any(|it| self.rows.locks.get(&(process, it.clone())).is_some()) {
            return Ok(false);
        }
        match &step.only_while {
            Some(condition) => Scope::of(self, item).holds(condition),
            None => Ok(true),
        }
    }

    /// Takes the threads and locks of an item; the firings they came from.
    pub fn take(&mut self, id: Id, with_locks: bool) -> Vec<Id> {
        let Some(item) = self.item(id).cloned() else { return Vec::new() };
        if item.tokens.is_empty() {
            return vec![item.by];
        }
        // Out of the way of its siblings, which go with the thread.
        self.change_item(id, |it| it.tokens.clear());
        let (mut parents, mut tickets) = (Vec::new(), Vec::new());
        for (place, token) in &item.tokens {
            if let Some(token) = self.take_token(item.frame, *place, *token) {
                parents.push(token.by);
                tickets.extend(token.tickets);
            }
        }
        tickets.sort_unstable();
        tickets.dedup();
        let mutex = self.step_of(&item).filter(|_| with_locks).map(|it| it.mutex.clone());
        self.change_item(id, |it| {
            it.tickets = tickets;
            it.locks = mutex.unwrap_or_default();
        });
        parents
    }

    /// Starts an item that is offered.
    pub fn start(&mut self, id: Id) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(step) = self.step_of(&item) else { return Ok(()) };
        let parents = self.take(id, true);
        let by = self.fire(Kind::Start, self.path_of(&item), parents)?;
        let is_claimed = step.each.is_none() && matches!(step.body, Body::Work);
        self.change_item(id, |it| {
            it.by = by;
            it.status = if is_claimed { ItemStatus::Started } else { ItemStatus::Inside };
        });
        match &step.each {
            Some(each) if item.instance.is_none() => self.open_group(id, each),
            _ => self.begin(id, step),
        }
    }

    /// Begins a step, or another round of it.
    pub fn begin(&mut self, id: Id, step: &'w Step) -> Done {
        let Some(item) = self.item(id) else { return Ok(()) };
        let by = item.by;
        if let Some(Repeat::While(condition)) = &step.repeat {
            match Scope::of(self, item).holds(condition) {
                Ok(true) => (),
                Ok(false) => return self.leave(id, OK, by),
                Err(problem) => return self.fail(id, problem, by),
            }
        }
        match &step.body {
            Body::Work => Ok(()),
            Body::Route => self.body_done(id, OK, by),
            Body::Block(net) => self.open(id, *net, None),
            Body::Call { net, with, .. } => match Scope::of(self, item).given(with) {
                Ok(data) => self.open(id, *net, Some(data)),
                Err(problem) => self.fail(id, problem, by),
            },
        }
    }

    /// What a worker, an event or a time brings.
    pub fn complete(&mut self, id: Id, outcome: &str, data: Data, parents: Vec<Id>) -> Done {
        if !super::net::RESERVED.contains(&outcome) {
            self.change_item(id, |it| it.problem = None);
        }
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let by = self.fire(Kind::Complete, self.path_of(&item), parents)?;
        if let Some(firing) = self.last() {
            firing.outcome = Some(outcome.to_owned());
            firing.data = data.clone();
        }
        if self.collects(&item) && !super::net::RESERVED.contains(&outcome) {
            self.collect(&item, &data, by)?;
            if self.item(id).is_none() {
                return Ok(());
            }
        } else {
            self.merge(item.frame, &data);
        }
        self.body_done(id, outcome, by)
    }

    /// A step fails by itself.
    pub fn fail(&mut self, id: Id, problem: Problem, by: Id) -> Done {
        self.change_item(id, |it| it.problem = Some(problem));
        self.leave(id, "failed", by)
    }

    /// One round is over.
    pub fn body_done(&mut self, id: Id, outcome: &str, by: Id) -> Done {
        let Some(item) = self.item(id) else { return Ok(()) };
        let Some(step) = self.step_of(item) else { return Ok(()) };
        let again = match &step.repeat {
            Some(_) if super::net::RESERVED.contains(&outcome) => Ok(false),
            Some(Repeat::While(condition)) => Scope::of(self, item).holds(condition),
            Some(Repeat::Until(condition)) => Scope::of(self, item).holds(condition).map(|it| !it),
            None => Ok(false),
        };
        match again {
            Ok(false) => return self.leave(id, outcome, by),
            Err(problem) => return self.fail(id, problem, by),
            Ok(true) => (),
        }
        let by = self.fire(Kind::Again, self.path_of(item), vec![by])?;
        let is_work = matches!(step.body, Body::Work);
        self.change_item(id, |it| {
            it.by = by;
            it.round += 1;
            it.failures = 0;
            if is_work {
                it.status = ItemStatus::Open;
            }
        });
        match &step.awaits {
            Some(_) => self.wait_again(id, step),
            // What begins by itself does so in its turn: a loop is no recursion.
            None if is_work => Ok(()),
            None => {
                self.tasks.push_back(Task::Enter(id));
                Ok(())
            }
        }
    }

    /// The step is over, or one instance of it.
    pub fn leave(&mut self, id: Id, outcome: &str, by: Id) -> Done {
        match self.item(id).map(|it| it.instance.is_some()) {
            Some(true) => self.instance_done(id, outcome, by),
            Some(false) => self.finish(id, outcome, by),
            None => Ok(()),
        }
    }

    /// Locks are released, events sent, others withdrawn; then the thread goes on.
    pub fn finish(&mut self, id: Id, outcome: &str, by: Id) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        self.drop_inside(id);
        self.go_on(&item, Some(id), outcome, by)
    }

    /// What comes after a step: `id` is the item that ends with it.
    pub fn go_on(&mut self, item: &Item, id: Option<Id>, outcome: &str, by: Id) -> Done {
        let Some(step) = self.step_of(item) else { return Ok(()) };
        let (mut outcome, mut problem) = (outcome.to_owned(), item.problem.clone());
        let mut arcs = self.choose(step, item, &outcome, problem.as_ref());
        if let Err(wrong) = &arcs {
            if self.is_answerable && wrong.kind != "expression" {
                return Err(Refused::invalid(wrong.message.clone()));
            }
            (outcome, problem) = ("failed".to_owned(), Some(wrong.clone()));
            arcs = self.choose(step, item, &outcome, problem.as_ref());
        }
        // From here on nobody is there who could say something else.
        self.is_answerable = false;
        let done = self.rows.done.get(&(item.frame, item.step)).copied().unwrap_or(0);
        self.rows.done.put((item.frame, item.step), done + 1);
        if let Some(status) = &step.final_status {
            self.rows.head.final_status = Some(status.clone());
        }
        self.emit(&step.emit, item, by)?;
        let by = self.cancel(item, &step.cancel, id, by)?;
        if self.frame(item.frame).is_none() {
            return Ok(());
        }
        let ending = match (&arcs, step.end) {
            (Err(_), _) => Some((End::Failed, problem)),
            (Ok(_), _) if !step.names(&outcome) => Some(unnamed(step, &outcome, problem)),
            (Ok(_), end) => end.map(|end| (end, None)),
        };
        if let Some((end, problem)) = ending {
            id.map(|it| self.drop_item(it));
            return self.end(item.frame, end, problem, by);
        }
        let arcs = arcs.unwrap_or_default();
        self.spread(step, item, &arcs, by)?;
        if let Some(id) = id {
            self.drop_item(id);
        }
        Ok(())
    }

    /// The transitions that are taken.
    fn choose(
        &self,
        step: &'w Step,
        item: &Item,
        outcome: &str,
        problem: Option<&Problem>,
    ) -> Result<Vec<&'w Arc>, Problem> {
        let named: Vec<&Arc> = step.arcs.iter().filter(|it| it.takes(outcome)).collect();
        let mut scope = Scope::of(self, item).with("outcome", outcome);
        if let Some(problem) = problem {
            let error = serde_json::to_value(problem).unwrap_or_default();
            scope = scope.with("error", error);
        }
        let mut taken = Vec::new();
        for arc in named.iter().filter(|it| !it.otherwise) {
            // `all` asks for nothing: the branches are taken whatever the data is.
            let when = arc.when.as_ref().filter(|_| step.split != Split::All);
            if when.map_or(Ok(true), |it| scope.holds(it))? {
                taken.push(*arc);
                if step.split == Split::One {
                    break;
                }
            }
        }
        if taken.is_empty() {
            taken.extend(named.iter().find(|it| it.otherwise));
        }
        if taken.is_empty() && !named.is_empty() && step.split == Split::One {
            let message = format!("no condition after `{}` holds", step.id);
            return Err(Problem { kind: "transition".to_owned(), message });
        }
        Ok(taken)
    }

    /// A thread for each arc, with new tickets if the step hands them out.
    fn spread(&mut self, step: &Step, item: &Item, arcs: &[&Arc], by: Id) -> Done {
        let Some((_, net)) = self.net_of(item.frame) else { return Ok(()) };
        let mut tickets = item.tickets.clone();
        for join in &step.hands_out {
            let ticket = self.id();
            let row = Ticket { frame: item.frame, join: *join, fired: None };
            self.rows.tickets.put(ticket, row);
            self.idle_tickets.insert(ticket);
            tickets.push(ticket);
        }
        let (mut made, mut races) = (0, Vec::new());
        for arc in arcs {
            let Some((_, place)) = arc.target else { continue };
            if net.place(place).kind == PlaceKind::Race {
                if races.contains(&place) {
                    continue;
                }
                races.push(place);
            }
            if arc.tokens as usize > TOKENS_MAX {
                return Err(Refused::too_large(format!("a run has at most {TOKENS_MAX} threads")));
            }
            for _ in 0..arc.tokens {
                self.put_token(item.frame, place, by, &tickets)?;
            }
            made += u64::from(arc.tokens);
        }
        let firing = self.firings.iter_mut().rev().find(|it| it.id == by);
        firing.into_iter().for_each(|it| {
            it.made += made;
            let is_taken = |arc: &Arc| arcs.iter().any(|it| std::ptr::eq(*it, arc));
            let numbers = 0..step.arcs.len();
            it.took.extend(numbers.filter(|at| is_taken(&step.arcs[*at])).map(|it| it as u32));
        });
        if made == 0 {
            self.rows.heads.put((item.frame, by), ());
        }
        Ok(())
    }

    /// Withdraws what a step cancels; the firing that goes on.
    fn cancel(&mut self, item: &Item, cancel: &[Cancelled], id: Option<Id>, by: Id) -> Done<Id> {
        if cancel.is_empty() {
            return Ok(by);
        }
        let (mut parents, mut around) = (Vec::new(), item.frame);
        let path = self.path_of(item);
        for cancelled in cancel {
            let target = self.withdraw(item.frame, cancelled, cancel, id, &mut parents);
            if self.frame(item.frame).is_none() {
                around = target;
                break;
            }
        }
        if parents.is_empty() {
            return Ok(by);
        }
        parents.push(by);
        let by = self.fire(Kind::Cancel, path, parents)?;
        if around != item.frame {
            // The step was in what it cancelled: its thread ends with that.
            self.rows.heads.put((around, by), ());
        }
        Ok(by)
    }
}

/// How a process or block ends when one of its steps ended in a way that nothing is said about.
fn unnamed(step: &Step, outcome: &str, problem: Option<Problem>) -> (End, Option<Problem>) {
    let end = if outcome == "cancelled" { End::Cancelled } else { End::Failed };
    let message = format!("`{}` ended so, and no transition says more", step.id);
    let kind = outcome.to_owned();
    (end, problem.or(Some(Problem { kind, message })))
}

impl Item {
    pub fn new(frame: Id, step: StepNo, status: ItemStatus, by: Id) -> Item {
        Item {
            frame,
            step,
            status,
            tokens: Vec::new(),
            by,
            tickets: Vec::new(),
            round: 0,
            failures: 0,
            group: None,
            instance: None,
            inside: None,
            locks: Vec::new(),
            timers: Vec::new(),
            waits: Vec::new(),
            overdue: false,
            problem: None,
        }
    }
}
