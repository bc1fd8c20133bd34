//! What happens to a run as a whole, from outside: it is suspended, or goes on from where it was.

use super::{
    decide::ROOT,
    event::{Kind, Refused},
    state::{Id, ItemStatus},
    work::{Done, Work},
};

impl Work<'_> {
    /// Something from outside: one after the other, so that the run ends with the last of them.
    pub fn outside(&mut self, kind: Kind) -> Done<Id> {
        let before = self.rows.head.signal;
        let by = self.fire(kind, String::new(), before.into_iter().collect())?;
        if let Some(before) = before {
            self.rows.heads.remove(&(ROOT, before));
        }
        self.rows.heads.put((ROOT, by), ());
        self.rows.head.signal = Some(by);
        Ok(by)
    }

    pub fn suspend(&mut self, suspended: bool) -> Done {
        let message = match (self.rows.head.suspended, suspended) {
            (true, true) => "the run is suspended",
            (false, false) => "the run is not suspended",
            (true, false) | (false, true) => {
                self.rows.head.suspended = suspended;
                let kind = if suspended { Kind::Suspend } else { Kind::Resume };
                return self.outside(kind).map(drop);
            }
        };
        Err(Refused::conflict(message))
    }

    /// The state is an earlier one, from which the run goes on: everything that comes now comes
    /// behind this. What somebody was at is done again, and times have what was left of them.
    pub fn go_on_from_here(&mut self, kind: Kind) -> Done {
        let waited_ms = self.rows.head.now_ms - self.since_ms;
        // What comes before it is all there was, which whoever keeps the firings knows.
        let by = self.fire(kind, String::new(), Vec::new())?;
        self.rows.head.suspended = false;
        self.put_behind(by, waited_ms);
        let items: Vec<Id> = self.rows.items.range(..).map(|it| *it.0).collect();
        for id in items {
            self.change_item(id, |it| {
                it.by = by;
                if it.status == ItemStatus::Started {
                    it.wait_for_somebody();
                    it.failures = if kind == Kind::Retry { 0 } else { it.failures };
                }
                it.timers.iter_mut().for_each(|it| it.0 = it.0.saturating_add(waited_ms));
            });
        }
        Ok(())
    }

    /// All that rests comes of this firing, so much later.
    fn put_behind(&mut self, by: Id, waited_ms: i64) {
        let tokens: Vec<_> =
            self.rows.tokens.range(..).map(|(key, it)| (*key, it.clone())).collect();
        for (key, mut token) in tokens {
            token.by = by;
            self.rows.tokens.put(key, token);
        }
        let rounds: Vec<_> =
            self.rows.rounds.range(..).map(|(key, it)| (*key, it.clone())).collect();
        for (key, mut round) in rounds {
            round.by = by;
            self.rows.rounds.put(key, round);
        }
        let mail: Vec<_> =
            self.rows.mail.range(..).map(|(key, it)| (key.clone(), it.clone())).collect();
        for (key, mut mail) in mail {
            (mail.by, mail.at_ms) = (by, mail.at_ms.saturating_add(waited_ms));
            self.rows.mail.put(key, mail);
        }
        let tickets: Vec<_> =
            self.rows.tickets.range(..).map(|(key, it)| (*key, it.clone())).collect();
        for (key, mut ticket) in tickets {
            ticket.fired = ticket.fired.map(|_| by);
            self.rows.tickets.put(key, ticket);
        }
        let heads: Vec<(Id, Id)> = self.rows.heads.range(..).map(|it| *it.0).collect();
        for key in heads {
            self.rows.heads.remove(&key);
            self.rows.heads.put((key.0, by), ());
        }
        self.rows.heads.put((ROOT, by), ());
        self.rows.head.signal = Some(by);
    }
}
