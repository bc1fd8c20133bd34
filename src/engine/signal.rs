//! Events: waited for, kept, delivered, sent.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{
    data::Scope,
    definition::Data,
    event::{OK, Refused},
    net::{Emitted, Step},
    state::{Id, Item, ItemStatus, Mail, Problem, Timer},
    work::{Done, Task, Work},
};

/// Events that a run keeps at most.
pub const MAIL_MAX: usize = 10_000;

/// An event on its way.
pub struct Letter {
    pub event: String,
    pub mail: Mail,
}

/// A key as it is compared; nothing is no key.
pub fn key_text(key: Option<&Value>) -> String {
    match key {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => format!("={text}"),
        Some(other) => format!("={other}"),
    }
}

impl<'w> Work<'w> {
    /// Adds an item that an event or a time completes.
    pub fn wait(&mut self, step: &'w Step, mut item: Item) -> Done {
        item.status = ItemStatus::Awaiting;
        let id = self.add_item(item)?;
        if step.only_while.is_some() {
            self.rows.blocked.put(id, ());
        }
        self.listen(id, step)
    }

    pub fn wait_again(&mut self, id: Id, step: &'w Step) -> Done {
        self.change_item(id, |it| it.status = ItemStatus::Awaiting);
        self.listen(id, step)
    }

    fn listen(&mut self, id: Id, step: &'w Step) -> Done {
        let (Some(awaits), Some(item)) = (&step.awaits, self.item(id)) else { return Ok(()) };
        let key = match &awaits.key {
            None => Ok(String::new()),
            Some(key) => Scope::of(self, item).value(key).map(|it| key_text(Some(&it))),
        };
        let key = match key {
            Ok(key) => key,
            // Not at once: what comes behind it may wait for such a key again.
            Err(problem) => {
                self.tasks.push_back(Task::Fail(id, problem));
                return Ok(());
            }
        };
        let due = awaits.after_ms.map(|it| self.rows.head.now_ms.saturating_add(it as i64));
        self.change_item(id, |it| {
            it.waits = awaits.event.iter().map(|event| (event.clone(), key.clone())).collect();
            it.timers.extend(due.map(|due| (due, Timer::After)));
        });
        self.look_for_mail(id)
    }

    /// Takes the oldest event that was kept for it.
    pub fn look_for_mail(&mut self, id: Id) -> Done {
        let Some(item) = self.item(id).cloned() else { return Ok(()) };
        let Some(awaits) = self.step_of(&item).and_then(|it| it.awaits.as_ref()) else {
            return Ok(());
        };
        let (Some((event, key)), Some(keep_ms)) = (item.waits.first(), awaits.keep_ms) else {
            return Ok(());
        };
        let now_ms = self.rows.head.now_ms;
        let is_ours =
            |it: &Mail| (key.is_empty() || it.key == *key) && it.is_fresh(now_ms, keep_ms);
        let mut mail = self.rows.mail.range(self.kept(event)).enumerate();
        let found = mail.find(|(_, (_, it))| is_ours(it)).map(|(at, it)| (at == 0, it.0.clone()));
        let Some((is_first, found)) = found else { return Ok(()) };
        if self.may_start(&item) != Ok(true) {
            self.rows.blocked.put(id, ());
            return Ok(());
        }
        self.rows.blocked.remove(&id);
        if let Some(mail) = self.rows.mail.remove(&found) {
            if is_first {
                self.taken_until.insert(event.clone(), found.1);
            }
            self.change_item(id, |it| it.waits.clear());
            self.tasks.push_back(Task::Take(id, mail, event.clone()));
        }
        Ok(())
    }

    /// Where events of a name are that are kept.
    fn kept(&self, event: &str) -> RangeInclusive<(String, Id)> {
        let from = self.taken_until.get(event).map_or(0, |it| it + 1);
        (event.to_owned(), from)..=(event.to_owned(), Id::MAX)
    }

    /// Gives an event to who has waited longest for it, or keeps it, or drops it.
    pub fn deliver(&mut self, event: &str, mail: Mail) -> Done {
        let mut waiting: Vec<Id> = self.first_waiting(event, "", &mail);
        if !mail.key.is_empty() {
            waiting.extend(self.first_waiting(event, &mail.key, &mail));
        }
        if let Some(id) = waiting.into_iter().min() {
            let is_group = self.item(id).is_some_and(|it| it.group.is_some());
            if !is_group {
                self.change_item(id, |it| it.waits.clear());
            }
            self.tasks.push_back(Task::Take(id, mail, event.to_owned()));
            return Ok(());
        }
        let Some(keep_ms) = self.processes.keep_ms(event) else { return Ok(()) };
        self.forget_stale(event, keep_ms);
        if self.rows.mail.len() >= MAIL_MAX {
            return Err(Refused::too_large(format!("a run keeps at most {MAIL_MAX} events")));
        }
        let id = self.id();
        self.rows.mail.put((event.to_owned(), id), mail);
        Ok(())
    }

    /// Drops events of a name that are of no use any more; of all names if there are too many.
    fn forget_stale(&mut self, event: &str, keep_ms: u64) {
        let now_ms = self.rows.head.now_ms;
        let range = self.kept(event);
        // Oldest first: behind one that is fresh, all are.
        let is_stale = |it: &(&(String, Id), &Mail)| !it.1.is_fresh(now_ms, keep_ms);
        let mut stale: Vec<_> =
            self.rows.mail.range(range).take_while(is_stale).map(|it| it.0.clone()).collect();
        if self.rows.mail.len() >= MAIL_MAX {
            let (mut name, mut keep_ms) = ("", 0);
            for (key, mail) in self.rows.mail.range(..) {
                if name != key.0 {
                    (name, keep_ms) = (&key.0, self.processes.keep_ms(&key.0).unwrap_or(0));
                }
                stale.extend((!mail.is_fresh(now_ms, keep_ms)).then(|| key.clone()));
            }
        }
        for key in stale {
            self.rows.mail.remove(&key);
        }
    }

    /// Who has waited longest with this key and may start now; others hear of it when they may.
    fn first_waiting(&mut self, event: &str, key: &str, _: &Mail) -> Vec<Id> {
        let from = (event.to_owned(), key.to_owned(), 0);
        let to = (event.to_owned(), key.to_owned(), Id::MAX);
        let mut held = Vec::new();
        let mut found = None;
        for ((_, _, id), ()) in self.rows.waits.range(from..=to) {
            let Some(item) = self.item(*id) else { continue };
            if item.group.is_some() || self.may_start(item) == Ok(true) {
                found = Some(*id);
                break;
            }
            held.push(*id);
        }
        // Those that went before it in this event are gone through, too.
        self.pay(1 + held.len() + self.firings.len() / 4);
        for id in held {
            self.rows.blocked.put(id, ());
        }
        found.into_iter().collect()
    }

    /// An item has an event.
    pub fn take_event(&mut self, id: Id, mail: Mail, event: &str) -> Done {
        let Some(item) = self.item(id).cloned() else {
            return self.deliver(event, mail);
        };
        if item.group.is_some() {
            return match item.waits.iter().any(|it| it.0 == event) {
                true => self.group_event(id, event, mail.data, mail.by),
                false => self.deliver(event, mail),
            };
        }
        self.awaited(id, OK, mail.data, Some(mail.by))
    }

    /// What was waited for is there.
    pub fn awaited(&mut self, id: Id, outcome: &str, data: Data, by: Option<Id>) -> Done {
        let mut parents = self.take(id, true);
        parents.extend(by);
        self.change_item(id, |it| {
            it.waits.clear();
            it.timers.retain(|it| it.1 != Timer::After);
        });
        self.complete(id, outcome, data, parents)
    }

    /// What a step sends, each with its key and data: all of it, or what is wrong with one.
    pub fn letters(
        &self,
        emitted: &[Emitted],
        item: &Item,
        by: Id,
    ) -> Result<Vec<Letter>, Problem> {
        let (scope, at_ms) = (Scope::of(self, item), self.rows.head.now_ms);
        let letter = |it: &Emitted| -> Result<Letter, Problem> {
            let key = it.key.as_ref().map(|key| scope.value(key)).transpose()?;
            let (key, data) = (key_text(key.as_ref()), scope.given(&it.data)?);
            Ok(Letter { event: it.event.clone(), mail: Mail { by, at_ms, key, data } })
        };
        emitted.iter().map(letter).collect()
    }

    pub fn send(&mut self, letters: Vec<Letter>) -> Done {
        letters.into_iter().try_for_each(|it| self.deliver(&it.event, it.mail))
    }
}
