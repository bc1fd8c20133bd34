//! A lock as the message of a commit: what happened in words, and trailers for programs.

use std::sync::Arc;

use git2::Oid;

use super::{
    name::LockName,
    state::{Decision, Holder, Stamp, State},
};
use crate::{
    error::{Error, Result},
    git::percent,
};

const FORMAT: &str = "1";

/// What a commit of a lock says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub state: State,
    /// How many commits its history has, itself included.
    pub history: u64,
}

/// A lock on a remote, as it was at some moment.
#[derive(Clone, Default)]
pub struct Seen {
    /// Nowhere before anybody took it.
    pub at: Option<Oid>,
    /// The commit's own text, for it to become a parent.
    pub content: Arc<Vec<u8>>,
    pub written: Written,
}

pub fn message(name: &LockName, decision: &Decision, history: u64) -> Vec<u8> {
    let (lock, words) = (escaped(name.as_str()), escaped(&decision.words));
    let mut text = format!("Lock {lock}: {words}\n\n");
    let mut trailer = |key: &str, value: &str| {
        text.push_str(&format!("{key}: {}\n", escaped(value)));
    };
    trailer("Format", FORMAT);
    trailer("Lock", name.as_str());
    trailer("Last-Token", &decision.state.last_token.to_string());
    trailer("History", &history.to_string());
    for holder in &decision.state.holders {
        trailer("Holder", &holder.token.to_string());
        trailer("Mode", if holder.is_shared { "shared" } else { "exclusive" });
        trailer("Owner", &holder.owner);
        if let Some(reason) = &holder.reason {
            trailer("Reason", reason);
        }
        if let Some(nonce) = &holder.nonce {
            trailer("Nonce", nonce);
        }
        trailer("Ttl-Ms", &holder.ttl_ms.to_string());
        trailer("Renewals", &holder.renewals.to_string());
        trailer("Taken", &holder.taken.to_string());
        trailer("Clock", &holder.since.clock);
        trailer("Since-Ms", &holder.since.at_ms.to_string());
    }
    text.into_bytes()
}

/// What the content of a commit object says of a lock.
pub fn read(name: &LockName, commit: &[u8]) -> Result<Written> {
    let damaged = || Error::corrupt(format!("the ref of the lock `{}`", name.as_str()));
    let text = str::from_utf8(commit).map_err(|_| damaged())?;
    let (_, trailers) = text.trim_end().rsplit_once("\n\n").ok_or_else(damaged)?;
    let mut lines = trailers.lines().filter_map(|it| it.split_once(": ")).peekable();
    match lines.next() {
        Some(("Format", FORMAT)) => (),
        Some(("Format", other)) => {
            let message = format!("the lock `{}` is of format {other}", name.as_str());
            return Err(Error::unsupported(message).with("feature", "a later format of locks"));
        }
        _ => return Err(damaged()),
    }
    let (mut state, mut history) = (State::default(), 0);
    for (key, value) in lines {
        let number = || value.parse::<u64>().map_err(|_| damaged());
        let text = || percent::decode(value).ok_or_else(damaged);
        match (key, state.holders.last_mut()) {
            ("Last-Token", None) => state.last_token = number()?,
            ("History", None) => history = number()?,
            ("Holder", _) => state.holders.push(nobody(number()?)),
            ("Mode", Some(it)) => it.is_shared = value == "shared",
            ("Owner", Some(it)) => it.owner = text()?,
            ("Reason", Some(it)) => it.reason = Some(text()?),
            ("Ttl-Ms", Some(it)) => it.ttl_ms = number()?,
            ("Renewals", Some(it)) => it.renewals = number()?,
            ("Taken", Some(it)) => it.taken = value.parse().map_err(|_| damaged())?,
            ("Clock", Some(it)) => it.since.clock = text()?,
            ("Since-Ms", Some(it)) => it.since.at_ms = number()?,
            ("Nonce", Some(it)) => it.nonce = Some(text()?),
            _ => (),
        }
    }
    let newest = state.holders.iter().map(|it| it.token).max().unwrap_or(0);
    match newest <= state.last_token && (1..u64::MAX).contains(&state.last_token) {
        true => Ok(Written { state, history }),
        false => Err(damaged()),
    }
}

fn nobody(token: u64) -> Holder {
    Holder {
        token,
        owner: String::new(),
        reason: None,
        is_shared: false,
        ttl_ms: 0,
        renewals: 0,
        since: Stamp { clock: String::new(), at_ms: 0 },
        taken: 0,
        nonce: None,
    }
}

/// In one line, without blanks at its ends that somebody might take away.
fn escaped(value: &str) -> String {
    let (first, last) = (0, value.len().saturating_sub(1));
    let mut line = String::new();
    for (at, c) in value.char_indices() {
        let is_end = at == first || at == last;
        match c {
            ' ' if !is_end => line.push(c),
            '%' | ' ' | '\x7f' => line.push_str(&format!("%{:02X}", c as u32)),
            c if c < ' ' => line.push_str(&format!("%{:02X}", c as u32)),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(owner: &str, reason: Option<&str>) {
        let name = LockName::try_from("a\nb".to_owned()).unwrap();
        let holder = Holder {
            owner: owner.to_owned(),
            reason: reason.map(str::to_owned),
            is_shared: true,
            ttl_ms: 5,
            renewals: 2,
            since: Stamp { clock: "c".to_owned(), at_ms: 99 },
            taken: 1_700_000_000,
            nonce: reason.map(str::to_owned),
            ..nobody(7)
        };
        let exclusive = Holder { token: 8, is_shared: false, reason: None, ..holder.clone() };
        let state = State { last_token: 9, holders: vec![holder.clone(), exclusive] };
        let decision = Decision { state: state.clone(), holder, words: "x\ny".to_owned() };
        let commit = [b"tree 0\n\n", message(&name, &decision, 4).as_slice()].concat();
        assert_eq!(read(&name, &commit), Ok(Written { state, history: 4 }));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["worker", " a ", "%", "%41", "a: b", "ü\u{2028}", "a\r\n\nHolder: 9", "\t"] {
            round_trip(text, Some(text));
            round_trip(text, None);
        }
        round_trip("a", Some(""));
    }

    #[test]
    fn every_other_text_is_refused_with_its_reason() {
        let name = LockName::try_from("a".to_owned()).unwrap();
        let refused = |text: &str| read(&name, text.as_bytes()).unwrap_err().code.as_str();
        assert_eq!(refused("tree 0\n\nLock a: x\n\nFormat: 2\n"), "unsupported");
        for text in ["", "tree 0\n\nhello\n", "tree 0\n\nLock a: x\n\nFormat: 1\nLast-Token: b\n"] {
            assert_eq!(refused(text), "corrupt");
        }
        assert_eq!(refused("tree 0\n\nLock\n\nFormat: 1\nLast-Token: 1\nHolder: 2\n"), "corrupt");
    }
}
