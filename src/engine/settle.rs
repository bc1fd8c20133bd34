//! What happens by itself after an event, until nothing does.

use super::{
    definition::flow::End,
    net::Join,
    state::{Id, ItemStatus, Status, Timer},
    work::{Done, Task, Work},
};

impl Work<'_> {
    pub fn settle(&mut self) -> Done {
        self.is_answerable = false;
        while self.rows.head.status == Status::Running {
            if let Some(task) = self.tasks.pop_front() {
                match task {
                    Task::Enter(id) => self.enter(id)?,
                    Task::Take(id, mail, event) => self.take_event(id, mail, &event)?,
                    Task::Fail(id, problem) => self.fail_unbegun(id, problem)?,
                }
            } else if let Some(frame) = self.dirty.pop_first() {
                self.settle_frame(frame)?;
            } else if !self.look_at_blocked()? && !self.join_what_is_left()? {
                break;
            }
        }
        self.drop_tickets();
        Ok(())
    }

    fn settle_frame(&mut self, frame: Id) -> Done {
        self.drop_tickets();
        self.join_all(frame)?;
        if self.rows.head.status != Status::Running {
            return Ok(());
        }
        let is_empty = {
            let range = (frame, 0, 0)..=(frame, u32::MAX, Id::MAX);
            self.rows.tokens.range(range.clone()).next().is_none()
                && self.rows.at_step.range(range).next().is_none()
        };
        if is_empty && self.frame(frame).is_some() {
            let parents = self.take_heads(frame);
            self.close(frame, End::Done, None, parents)?;
        }
        Ok(())
    }

    /// An item that starts by itself, or begins another round.
    fn enter(&mut self, id: Id) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(step) = self.step_of(&item) else { return Ok(()) };
        if item.status != ItemStatus::Offered {
            return self.begin(id, step);
        }
        match self.may_start(&item) {
            Ok(true) => {
                self.rows.blocked.remove(&id);
                self.start(id)
            }
            Ok(false) => {
                self.rows.blocked.put(id, ());
                Ok(())
            }
            Err(problem) => self.fail_unbegun(id, problem),
        }
    }

    /// Starts what only a lock or a condition was in the way of; a condition that cannot be read
    /// any more is a failure.
    fn look_at_blocked(&mut self) -> Done<bool> {
        let mut next = self.rows.blocked.first().map(|it| *it.0);
        while let Some(id) = next {
            self.pay(1);
            self.check_cost()?;
            next = self.rows.blocked.first_after(&id).map(|it| *it.0);
            let Some(item) = self.item(id) else { continue };
            let is_due =
                item.waits.is_empty() && !item.timers.iter().any(|it| it.1 == Timer::After);
            match (item.status, self.may_start(item)) {
                (_, Ok(false)) => continue,
                (_, Err(problem)) => self.fail_unbegun(id, problem)?,
                (ItemStatus::Offered, Ok(true)) => match self.step_of(item) {
                    Some(step) if step.is_automatic() => self.tasks.push_back(Task::Enter(id)),
                    _ => continue,
                },
                (ItemStatus::Awaiting, Ok(true)) if is_due => {
                    self.rows.blocked.remove(&id);
                    self.awaited(id, super::event::OK, Default::default(), None)?;
                }
                (_, Ok(true)) => self.look_for_mail(id)?,
            }
            if !self.tasks.is_empty() || !self.dirty.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// When nothing else can move, the joins that wait for each other fire.
    fn join_what_is_left(&mut self) -> Done<bool> {
        let has_any = |it: &super::net::Net| it.steps.iter().any(|it| matches!(it.join, Join::Any));
        if !self.processes.nets.iter().any(has_any) || self.can_move() {
            return Ok(false);
        }
        let frames: Vec<Id> = self.rows.frames.range(..).map(|it| *it.0).collect();
        let mut has_fired = false;
        for frame in frames {
            let Some((_, net)) = self.net_of(frame) else { continue };
            for join in &net.joins {
                if matches!(net.step(*join).join, Join::Any) {
                    has_fired |= self.join_any(frame, *join, true)?;
                }
            }
        }
        Ok(has_fired)
    }

    /// Whether something is offered, done or waited for.
    pub fn can_move(&self) -> bool {
        self.rows.items.range(..).any(|(_, item)| match item.status {
            ItemStatus::Offered => self.may_start(item) == Ok(true) || !item.timers.is_empty(),
            ItemStatus::Inside => item.timers.iter().any(|it| it.1 == Timer::Timeout),
            ItemStatus::Awaiting => !item.waits.is_empty() || !item.timers.is_empty(),
            ItemStatus::Open | ItemStatus::Started | ItemStatus::Backoff => true,
        })
    }
}
