//! Requests that wait for a lock: they have no thread and hold up nobody. One thread for all of
//! them looks at the locks and gives each request another turn when its time may have come.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use super::{Dispatch, From, Then, Ticket, pool::Task};
use crate::{
    error::Error,
    git::{LockKey, Opened, RepositoryPath, Wait, boottime_ms, jittered_ms},
};

/// How many requests may wait for locks before others are `busy`.
const PARKED_MAX: usize = 16_384;
/// How long it takes at most to see what another process did to a lock. Which of many processes
/// that wait sees it first is left to chance, and the others find it taken without disturbing.
const LOOK_MS: u64 = 15;

#[derive(Default)]
pub struct Parked(Mutex<State>);

#[derive(Default)]
struct State {
    /// For each lock by their numbers in its queue.
    queues: HashMap<LockKey, BTreeMap<u64, (Task, Wait)>>,
    count: usize,
    has_thread: bool,
}

impl Parked {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics with the lock")
    }

    /// Lets go of a request that was answered.
    pub fn remove(&self, ticket: &Ticket) {
        let mut state = self.state();
        let is_it = |(task, _): &(Task, Wait)| std::ptr::eq(&*task.ticket, ticket);
        let found = state.queues.iter().find_map(|(key, queue)| {
            Some((key.clone(), *queue.iter().find(|(_, it)| is_it(it))?.0))
        });
        let Some((key, number)) = found else { return };
        let removed = state.take(&key, &[number]);
        drop(state);
        // Leaves the lock's own queue, and whoever is first by that is looked at.
        drop(removed);
    }
}

impl State {
    fn take(&mut self, key: &LockKey, numbers: &[u64]) -> Vec<(Task, Wait)> {
        let Some(queue) = self.queues.get_mut(key) else { return Vec::new() };
        let taken: Vec<_> = numbers.iter().filter_map(|it| queue.remove(it)).collect();
        if queue.is_empty() {
            self.queues.remove(key);
        }
        self.count -= taken.len();
        taken
    }
}

impl Dispatch {
    /// Puts a request aside until what it waits for may have happened.
    pub(super) fn park(self: &Arc<Self>, task: Task, wait: Wait) {
        let key = wait.key.clone();
        let mut state = self.parked.state();
        if PARKED_MAX <= state.count {
            drop(state);
            let error = Error::busy(format!("{PARKED_MAX} requests wait for locks"));
            let error = Err(error.with("retry_after_ms", 1000));
            return match task.then {
                Then::Answer => drop(self.answer(&task.ticket, error, From::Worker)),
                Then::Continue(it) => self.proceed(task.ticket, it, error, From::Worker),
            };
        }
        if !std::mem::replace(&mut state.has_thread, true) {
            let dispatch = self.clone();
            let body = move || dispatch.look_at_locks();
            let thread = thread::Builder::new().name("locks".to_owned()).spawn(body);
            thread.expect("the system has a thread left");
        }
        drop(state);
        self.keep(task, wait);
        // It may have happened since this one looked.
        self.store.locks().stir(&key);
    }

    fn keep(&self, task: Task, wait: Wait) {
        let ticket = task.ticket.clone();
        let mut state = self.parked.state();
        state.queues.entry(wait.key.clone()).or_default().insert(wait.number, (task, wait));
        state.count += 1;
        drop(state);
        if ticket.watch.is_stopped() {
            // Whoever answered it did not find it here.
            self.parked.remove(&ticket);
        }
    }

    fn look_at_locks(self: &Arc<Self>) {
        let (mut pause, mut look_at) = (None, 0);
        loop {
            let mut keys = self.store.locks().wait(pause);
            let now = boottime_ms();
            let mut state = self.parked.state();
            if look_at <= now {
                keys.extend(state.queues.keys().cloned());
                look_at = now + jittered_ms(LOOK_MS);
            }
            let due = self.due(&mut state, &keys, now);
            let next = state.queues.values().filter_map(next_turn).min();
            drop(state);
            let kept = due.into_iter().filter_map(|(task, wait)| self.give_turn(task, wait));
            let next = kept.map(|it| it.until_ms.min(it.gives_up_ms)).chain(next).min();
            pause = next.map(|at| Duration::from_millis(at.min(look_at).max(now + 1) - now));
        }
    }

    /// Gives a request a turn, or keeps it where that would be in vain.
    fn give_turn(self: &Arc<Self>, task: Task, mut wait: Wait) -> Option<Wait> {
        let path = task.job.lane.path().expect("it is about a repository");
        let path = RepositoryPath::resolved_to(path);
        // A remote is looked at by a thread that may wait for it.
        let is_late = wait.gives_up_ms <= boottime_ms() || wait.key.is_remote();
        let look = |repository: Opened| repository.look_again(&mut wait, self.store.locks());
        let is_over = is_late || {
            let looked = self.store.open(&path, Instant::now()).and_then(look);
            // What is wrong is found, and told, when it has its turn.
            looked.unwrap_or(true)
        };
        // It comes back where there is no room for it now.
        let task = if is_over { self.submit(task)?.0 } else { task };
        self.keep(task, wait.clone());
        Some(wait)
    }

    /// Those that may get another turn; `keys` are the locks to look at.
    fn due(&self, state: &mut State, keys: &BTreeSet<LockKey>, now: u64) -> Vec<(Task, Wait)> {
        let mut due = Vec::new();
        for (key, queue) in &state.queues {
            let mut numbers = Vec::new();
            let mut goes_on = false;
            for (index, (number, (_, wait))) in queue.iter().enumerate() {
                let is_first = index == 0 && self.store.locks().is_first(key, Some(*number));
                let is_news = || {
                    keys.contains(key)
                        && (!wait.was_first || wait.seen != self.store.locks().mark(key))
                };
                goes_on = match index {
                    0 => is_first && (wait.until_ms <= now || is_news()),
                    // Those that share a lock get it together.
                    // On a remote they would only be in each other's way.
                    _ => goes_on && wait.is_shared && !key.is_remote(),
                };
                if goes_on || wait.gives_up_ms <= now {
                    numbers.push(*number);
                }
                goes_on &= wait.is_shared;
            }
            if !numbers.is_empty() {
                due.push((key.clone(), numbers));
            }
        }
        due.into_iter().flat_map(|(key, numbers)| state.take(&key, &numbers)).collect()
    }
}

/// When one of those in a queue has to get a turn whatever happens.
fn next_turn(queue: &BTreeMap<u64, (Task, Wait)>) -> Option<u64> {
    let first = queue.values().next().map(|(_, it)| it.until_ms);
    queue.values().map(|(_, it)| it.gives_up_ms).chain(first).min()
}
