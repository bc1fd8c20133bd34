//! The life of a step: offered, begun, done.

use super::{
    data::Scope,
    definition::Data,
    event::{Kind, OK, Refused},
    net::{Body, RESERVED, Repeat, Step, StepNo},
    state::{Id, Item, ItemStatus, Problem, Timer},
    work::{Done, Task, Work},
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
        if step.is_automatic() {
            self.tasks.push_back(Task::Enter(id));
        } else if step.only_while.is_some() {
            self.rows.blocked.put(id, ());
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
        // An instance, or another round, is a part of what has started.
        if item.instance.is_some() || item.round > 0 {
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
        self.rows.blocked.remove(&id);
        let by = self.fire(Kind::Start, self.path_of(&item), parents)?;
        let is_claimed = step.each.is_none() && matches!(step.body, Body::Work);
        self.change_item(id, |it| {
            it.by = by;
            it.status = if is_claimed { ItemStatus::Started } else { ItemStatus::Inside };
        });
        if let Err(problem) = self.fits_step(&item, step) {
            return self.fail(id, problem, by);
        }
        if is_claimed {
            self.listen_to_worker(id);
        }
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
            Body::Call { net, with, .. } => {
                let given = Scope::of(self, item).given(with);
                let fitting = given.and_then(|it| self.fits_input(*net, &it).map(|()| it));
                match fitting {
                    Ok(data) => self.open(id, *net, Some(data)),
                    Err(problem) => self.fail(id, problem, by),
                }
            }
        }
    }

    /// What a worker, an event or a time brings.
    pub fn complete(&mut self, id: Id, outcome: &str, data: Data, parents: Vec<Id>) -> Done {
        let has_failed = self.item(id).is_some_and(|it| it.problem.is_some());
        if has_failed && !RESERVED.contains(&outcome) {
            self.change_item(id, |it| it.problem = None);
        }
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        if let Err(problem) = self.fits_output(&item, outcome, &data) {
            if self.is_answerable {
                return Err(Refused::invalid(problem.message));
            }
            let by = self.fire(Kind::Complete, self.path_of(&item), parents)?;
            self.last().into_iter().for_each(|it| it.outcome = Some("failed".to_owned()));
            return self.fail(id, problem, by);
        }
        let by = self.fire(Kind::Complete, self.path_of(&item), parents)?;
        if let Some(firing) = self.last() {
            firing.outcome = Some(outcome.to_owned());
            firing.data = data.clone();
        }
        if let Some(problem) =
            item.problem.as_deref().cloned().filter(|_| RESERVED.contains(&outcome))
        {
            self.note(problem);
        }
        if !self.collects(&item) || RESERVED.contains(&outcome) {
            self.merge(item.frame, &data);
        } else if let Err(problem) = self.collect(&item, &data) {
            return self.fail(id, problem, by);
        }
        self.body_done(id, outcome, by)
    }

    /// A step fails by itself.
    pub fn fail(&mut self, id: Id, problem: Problem, by: Id) -> Done {
        self.note(problem.clone());
        self.change_item(id, |it| it.problem = Some(Box::new(problem)));
        self.leave(id, "failed", by)
    }

    /// A step fails before anybody could start it.
    pub fn fail_unbegun(&mut self, id: Id, problem: Problem) -> Done {
        let Some(path) = self.item(id).map(|it| self.path_of(it)) else { return Ok(()) };
        let parents = self.take(id, false);
        let by = self.fire(Kind::Complete, path, parents)?;
        self.last().into_iter().for_each(|it| it.outcome = Some("failed".to_owned()));
        self.fail(id, problem, by)
    }

    /// One round is over.
    pub fn body_done(&mut self, id: Id, outcome: &str, by: Id) -> Done {
        let Some(item) = self.item(id) else { return Ok(()) };
        let Some(step) = self.step_of(item) else { return Ok(()) };
        let again = match &step.repeat {
            Some(_) if RESERVED.contains(&outcome) => Ok(false),
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
                it.wait_for_somebody();
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
}

impl Item {
    /// It has begun, and nobody does it.
    pub fn wait_for_somebody(&mut self) {
        self.status = ItemStatus::Open;
        self.timers.retain(|it| it.1 != Timer::Silence);
    }

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
