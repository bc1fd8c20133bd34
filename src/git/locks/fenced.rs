//! Pushes that only who holds a lock of the remote may do: the lock's own ref moves with them, from
//! where the token was seen to hold it.

use super::{
    LockName,
    remote::{ATTEMPTS_MAX, RemoteLocks, restless},
    state::{Decision, expect_token},
};
use crate::{
    error::{Error, Result},
    git::{
        Pushed, Reason,
        remote::{Expect, Update},
    },
};

impl RemoteLocks<'_> {
    /// Moves refs of the remote in one step with the lock, which a token has to hold; what became
    /// of each.
    pub fn push_fenced(
        &self,
        name: &LockName,
        token: u64,
        remote_name: Option<&str>,
        updates: &[Update],
    ) -> Result<Vec<Pushed>> {
        let key = self.key(name);
        if updates.iter().any(|it| it.name == key.reference) {
            let message = format!("{} is the lock of the `fence`", key.reference);
            return Err(Error::bad_request(message).with("field", "refs"));
        }
        let mut before = self.locks.seen(&key);
        for attempt in 0..ATTEMPTS_MAX {
            let is_old = before.is_some();
            let seen = before.take().map_or_else(|| self.look(&key, name), Ok)?;
            let state = &seen.written.state;
            let now = self.locks.now(&key, state);
            let holder = match expect_token(state, token, &now) {
                Ok(holder) => holder.clone(),
                Err(_) if is_old => continue,
                Err(refusal) => return Err(refusal.of(name.as_str())),
            };
            let words = format!("{} pushed under it", holder.owner);
            let decision = Decision { state: state.clone(), holder, words };
            let (after, commits) = self.next(name, &seen, &decision);
            let guard = Update {
                name: key.reference.clone(),
                new: after.at.map(|it| it.to_string()),
                force: true,
                expect: Expect::Exactly(seen.at.map(|it| it.to_string())),
            };
            let all = [updates, std::slice::from_ref(&guard)].concat();
            let (remote, remote_name) = (self.remote.clone(), remote_name.map(str::to_owned));
            let mut pushed =
                self.network.push_beside(remote, remote_name, self.path, all, true, commits)?;
            let guarded = pushed.pop().ok_or_else(|| Error::internal("a ref is missing"))?;
            match guarded.reason {
                None => {
                    self.locks.see(&key, &after);
                    return Ok(pushed);
                }
                // Another one was refused.
                Some(Reason::Atomic) => return Ok(pushed),
                Some(Reason::Expected | Reason::Locked) => self.pause(attempt)?,
                Some(_) => return Err(guarded.error(&guard)),
            }
        }
        Err(restless(name))
    }
}
