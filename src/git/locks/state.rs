//! Who holds a lock and what may become of that: pure functions, without a clock and a disk.

use std::collections::HashMap;

use crate::error::Error;

/// More readers than this cannot hold one lock.
const HOLDERS_MAX: usize = 256;
/// So soon at the earliest it is worth while to ask again, or sooner where the lock expires.
const RETRY_AFTER_MS: u64 = 1000;

/// A lock at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The newest of all its tokens; it never gets less.
    pub last_token: u64,
    /// One of them, or several that share it. They may have expired.
    pub holders: Vec<Holder>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub token: u64,
    pub owner: String,
    pub reason: Option<String>,
    pub is_shared: bool,
    pub ttl_ms: u64,
    pub renewals: u64,
    /// When it was taken or renewed.
    pub since: Stamp,
    /// When it was taken, in seconds since 1970: for people, nothing is decided by it.
    pub taken: i64,
    /// What only the request that took it knows, where that could not see for sure that it did.
    pub nonce: Option<String>,
}

/// A time by one clock. Times by different clocks have nothing to do with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub clock: String,
    pub at_ms: u64,
}

/// What is known when something is decided.
pub struct Now {
    pub stamp: Stamp,
    /// Seconds since 1970.
    pub wall: i64,
    /// When, by our clock, the holders whose times say nothing to us were first seen like this.
    pub seen_ms: HashMap<Sighting, u64>,
}

/// A holder since it was taken or last renewed: its token, and how often it was renewed.
pub type Sighting = (u64, u64);

impl Holder {
    pub fn sighting(&self) -> Sighting {
        (self.token, self.renewals)
    }
}

impl Stamp {
    /// Whether another time can be compared with this one, which is now. One that is still to
    /// come was told by a clock that was set back since, as in a restored machine.
    pub fn knows(&self, other: &Stamp) -> bool {
        self.clock == other.clock && other.at_ms <= self.at_ms
    }
}

impl Now {
    /// How long this one still holds its lock; 0 when it expired.
    pub fn left_ms(&self, holder: &Holder) -> u64 {
        let now = self.stamp.at_ms;
        let since = match self.stamp.knows(&holder.since) {
            true => holder.since.at_ms,
            false => self.seen_ms.get(&holder.sighting()).copied().unwrap_or(now),
        };
        since.saturating_add(holder.ttl_ms).saturating_sub(now)
    }
}

/// Who would like to have a lock.
#[derive(Debug, Clone)]
pub struct Wish {
    pub owner: String,
    pub reason: Option<String>,
    pub is_shared: bool,
    pub ttl_ms: u64,
    /// Tells the holder that this makes from every other one.
    pub nonce: Option<String>,
}

pub enum Request<'a> {
    Take(&'a Wish),
    Renew { token: u64, ttl_ms: u64 },
    Release { token: u64 },
}

/// What becomes of a lock.
#[derive(Debug)]
pub struct Decision {
    pub state: State,
    /// Who it is about, as in the state after or, where it went, before.
    pub holder: Holder,
    /// What happened, in words.
    pub words: String,
}

#[derive(Debug)]
pub enum Refusal {
    /// Somebody else holds it, and for so long unless something happens before.
    Held { holder: Box<Holder>, left_ms: u64 },
    /// The token is not good any more, or never was.
    Lost { token: u64, actual: String },
}

/// What a request makes of a lock.
pub fn decide(state: &State, request: &Request, now: &Now) -> Result<Decision, Refusal> {
    let mut after = State { last_token: state.last_token, holders: Vec::new() };
    let is_alive = |it: &&Holder| 0 < now.left_ms(it);
    after.holders = state.holders.iter().filter(is_alive).cloned().collect();
    let (holder, words) = match request {
        Request::Take(wish) => {
            if let Some((holder, left_ms)) = barrier(state, wish.is_shared, now) {
                return Err(Refusal::held(holder, left_ms));
            }
            after.last_token += 1;
            let holder = Holder {
                token: after.last_token,
                owner: wish.owner.clone(),
                reason: wish.reason.clone(),
                is_shared: wish.is_shared,
                ttl_ms: wish.ttl_ms,
                renewals: 0,
                since: now.stamp.clone(),
                taken: now.wall,
                nonce: wish.nonce.clone(),
            };
            after.holders.push(holder.clone());
            (holder, if wish.is_shared { "shared by" } else { "taken by" })
        }
        Request::Renew { token, ttl_ms } => {
            expect_token(state, *token, now)?;
            let renewed = after.holders.iter_mut().find(|it| it.token == *token);
            let renewed = renewed.expect("it is alive");
            renewed.renewals += 1;
            renewed.ttl_ms = *ttl_ms;
            renewed.since = now.stamp.clone();
            (renewed.clone(), "renewed by")
        }
        Request::Release { token } => {
            let released = expect_token(state, *token, now)?.clone();
            after.holders.retain(|it| it.token != *token);
            (released, "released by")
        }
    };
    let mut words = format!("{words} {}", holder.owner);
    for expired in state.holders.iter().filter(|it| !is_alive(it)) {
        words.push_str(&format!(", {}'s had expired", expired.owner));
    }
    Ok(Decision { state: after, holder, words })
}

/// The holder that goes last of those that bar a wish, and how long it may hold it yet.
pub fn barrier<'a>(state: &'a State, is_shared: bool, now: &Now) -> Option<(&'a Holder, u64)> {
    let alive = state.holders.iter().map(|it| (it, now.left_ms(it))).filter(|(_, left)| 0 < *left);
    let is_full = HOLDERS_MAX <= alive.clone().count();
    let bars = |(it, _): &(&Holder, u64)| is_full || !is_shared || !it.is_shared;
    alive.filter(bars).max_by_key(|(_, left)| *left)
}

/// The holder of a token that is still good.
pub fn expect_token<'a>(state: &'a State, token: u64, now: &Now) -> Result<&'a Holder, Refusal> {
    let actual = match state.holders.iter().find(|it| it.token == token) {
        Some(holder) if 0 < now.left_ms(holder) => return Ok(holder),
        Some(_) => format!("token {token}, which expired"),
        None => match state.holders.iter().rfind(|it| 0 < now.left_ms(it)) {
            Some(holder) => format!("token {} of {}", holder.token, holder.owner),
            None if state.last_token == 0 => "nobody, and nobody ever did".to_owned(),
            None => format!("nobody, and the last token was {}", state.last_token),
        },
    };
    Err(Refusal::Lost { token, actual })
}

impl Refusal {
    pub fn held(holder: &Holder, left_ms: u64) -> Refusal {
        Refusal::Held { holder: Box::new(holder.clone()), left_ms }
    }

    pub fn of(self, lock: &str) -> Error {
        match self {
            Refusal::Held { holder, left_ms } => {
                let error = Error::locked(format!("{} holds the lock `{lock}`", holder.owner))
                    .with("holder", holder.owner)
                    .with("token", holder.token)
                    .with("expires_in_ms", left_ms)
                    .with("retry_after_ms", left_ms.clamp(1, RETRY_AFTER_MS));
                match holder.reason {
                    Some(reason) => error.with("reason", reason),
                    None => error,
                }
            }
            Refusal::Lost { token, actual } => {
                let message = format!("the token {token} does not hold the lock `{lock}`");
                Error::conflict(message)
                    .with("expected", format!("token {token}"))
                    .with("actual", actual)
            }
        }
    }

    /// For one that has to wait behind others, though nobody may hold the lock now.
    pub fn behind(lock: &str, waiting: usize) -> Error {
        Error::locked(format!("{waiting} others wait for the lock `{lock}`"))
            .with("retry_after_ms", RETRY_AFTER_MS / 10)
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
