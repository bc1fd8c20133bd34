//! What happens because time has passed, and what is tried again.

use super::{
    definition::{Data, around::RetryRule},
    event::{Kind, OK},
    net::Step,
    state::{Id, Item, ItemStatus, Problem, Timer},
    work::{Done, Work},
};

impl<'w> Work<'w> {
    /// The next thing that is due.
    pub fn next_due(&self) -> Option<(i64, Id, Timer)> {
        let (key, ()) = self.rows.timers.first()?;
        (key.0 <= self.rows.head.now_ms).then_some(*key)
    }

    pub fn due(&mut self, due: i64, id: Id, timer: Timer) -> Done {
        self.change_item(id, |it| it.timers.retain(|it| *it != (due, timer)));
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(step) = self.step_of(&item) else { return Ok(()) };
        match timer {
            Timer::After => self.after(id, step, &item),
            Timer::Retry => {
                let by = self.fire(Kind::Again, self.path_of(&item), vec![item.by])?;
                self.change_item(id, |it| (it.status, it.by) = (ItemStatus::Open, by));
                Ok(())
            }
            Timer::Deadline => {
                self.change_item(id, |it| it.overdue = true);
                let by = self.fire(Kind::Again, self.path_of(&item), vec![item.by])?;
                if item.tokens.is_empty() {
                    self.change_item(id, |it| it.by = by);
                }
                match self.letters(&step.escalation_emit, &item, by) {
                    Ok(letters) => self.send(letters),
                    // The step goes on, whatever is said about its deadline.
                    Err(problem) => {
                        self.note(problem);
                        Ok(())
                    }
                }
            }
            Timer::Silence => {
                let message = "nothing was heard of who had started it".to_owned();
                self.attempt_failed(id, Problem { kind: "heartbeat".to_owned(), message }, Some(0))
            }
            Timer::Timeout => {
                let mut parents = self.take(id, false);
                parents.extend(self.drop_inside(id));
                let by = self.fire(Kind::Complete, self.path_of(&item), parents)?;
                self.last().into_iter().for_each(|it| it.outcome = Some("timeout".to_owned()));
                self.leave(id, "timeout", by)
            }
        }
    }

    /// From now on a worker may be silent for so long.
    pub fn listen_to_worker(&mut self, id: Id) {
        let Some(item) = self.item(id) else { return };
        let Some(silence_ms) = self.step_of(item).and_then(|it| it.heartbeat_ms) else { return };
        let now_ms = self.rows.head.now_ms;
        self.change_item(id, |it| {
            it.timers.retain(|it| it.1 != Timer::Silence);
            it.timers.push((now_ms.saturating_add(silence_ms as i64), Timer::Silence));
        });
    }

    /// The time that a step waited for, alone or at most for an event.
    fn after(&mut self, id: Id, step: &Step, item: &Item) -> Done {
        let for_event = step.awaits.as_ref().is_some_and(|it| it.event.is_some());
        if for_event {
            return self.awaited(id, "timeout", Data::new(), None);
        }
        match self.may_start(item) {
            Ok(true) => {
                self.rows.blocked.remove(&id);
                self.awaited(id, OK, Data::new(), None)
            }
            _ => {
                self.rows.blocked.put(id, ());
                Ok(())
            }
        }
    }

    /// A worker failed: another attempt, or the outcome `failed`. Without a chance there is no
    /// other one.
    pub fn attempt_failed(&mut self, id: Id, problem: Problem, chance: Option<u32>) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(step) = self.step_of(&item) else { return Ok(()) };
        let failures = item.failures + 1;
        let rule = step.retry.iter().find(|it| names(it, &problem.kind));
        let rule = rule.filter(|it| failures < u64::from(it.attempts));
        match chance.and_then(|chance| Some((rule?, chance))) {
            Some((rule, chance)) => {
                let wait = wait_ms(rule, failures, chance);
                let due = self.rows.head.now_ms.saturating_add(wait);
                let by = self.fire(Kind::Again, self.path_of(&item), vec![item.by])?;
                self.change_item(id, |it| {
                    (it.failures, it.by, it.problem) = (failures, by, Some(Box::new(problem)));
                    it.wait_for_somebody();
                    if wait > 0 {
                        it.status = ItemStatus::Backoff;
                        it.timers.push((due, Timer::Retry));
                    }
                });
                Ok(())
            }
            None => {
                self.is_answerable = false;
                self.change_item(id, |it| it.problem = Some(Box::new(problem)));
                self.complete(id, "failed", Data::new(), vec![item.by])
            }
        }
    }
}

fn names(rule: &RetryRule, kind: &str) -> bool {
    rule.errors.as_ref().is_none_or(|it| it.as_slice().iter().any(|it| it == kind))
}

/// The wait before the attempt after so many failures; chance makes it shorter.
fn wait_ms(rule: &RetryRule, failures: u64, chance: u32) -> i64 {
    let first = rule.wait.as_ref().map_or(0, |it| it.ms());
    let most = rule.wait_max.as_ref().map_or(30 * 86_400_000, |it| it.ms());
    let factor = u64::from(rule.factor.unwrap_or(2));
    let mut wait = first.min(most);
    for _ in 1..failures {
        if wait >= most || factor <= 1 {
            break;
        }
        wait = wait.saturating_mul(factor).min(most);
    }
    let jitter = u128::from(rule.jitter_percent.unwrap_or(0).min(100));
    let off = u128::from(wait) * jitter * u128::from(chance) / (100 * u128::from(u32::MAX));
    (wait - off as u64) as i64
}
