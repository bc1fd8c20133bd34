//! Deadlines, and closing repositories when nothing happens.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{Dispatch, From, Ticket, guarded};
use crate::error::Error;

/// After so long without a request, caches and handles are given back.
const IDLE: Duration = Duration::from_millis(1000);

/// Wakes the clock earlier than it meant to wake.
#[derive(Default)]
pub struct Alarm {
    wake_at: Mutex<Option<Instant>>,
    changed: Condvar,
    /// Whether anything was done since the clock last looked.
    was_busy: AtomicBool,
}

impl Alarm {
    /// Something is to be done, until this deadline if it has one.
    pub fn notice(&self, deadline: Option<Instant>) {
        let was_busy = self.was_busy.swap(true, Relaxed);
        if was_busy && deadline.is_none() {
            return;
        }
        let idle = (!was_busy).then(|| Instant::now() + IDLE);
        let Some(at) = deadline.into_iter().chain(idle).min() else { return };
        let mut wake_at = self.wake_at.lock().expect("nobody panics with the lock");
        if wake_at.is_none_or(|it| at < it) {
            *wake_at = Some(at);
            self.changed.notify_one();
        }
    }

    /// Waits until the time to wake has come.
    fn wait(&self) {
        let mut wake_at = self.wake_at.lock().expect("nobody panics with the lock");
        loop {
            let now = Instant::now();
            wake_at = match *wake_at {
                None => self.changed.wait(wake_at).expect("nobody panics with the lock"),
                Some(at) if now < at => {
                    let waited = self.changed.wait_timeout(wake_at, at - now);
                    waited.expect("nobody panics with the lock").0
                }
                Some(_) => {
                    *wake_at = None;
                    return;
                }
            }
        }
    }

    fn set(&self, at: Instant) {
        let mut wake_at = self.wake_at.lock().expect("nobody panics with the lock");
        *wake_at = Some(wake_at.map_or(at, |it| it.min(at)));
    }
}

impl Dispatch {
    /// The clock thread: answers late requests, for ever.
    pub(super) fn keep_time(self: &Arc<Self>) {
        let mut idle_from = Instant::now();
        let mut is_warm = false;
        loop {
            self.alarm.wait();
            let now = Instant::now();
            if self.alarm.was_busy.swap(false, Relaxed) {
                (idle_from, is_warm) = (now, true);
            }
            for late in self.late(now) {
                let message = format!("not done after {} ms", late.timeout_ms);
                let error = Error::timeout(message).with("timeout_ms", late.timeout_ms);
                self.give_up(&late, error, From::Clock);
            }
            if is_warm
                && IDLE <= now - idle_from
                && !self.is_working()
                && self.store.written().is_at_rest()
            {
                self.store.release();
                is_warm = false;
            }
            let deadline = self.board().live().filter_map(|it| it.deadline).min();
            let idle = is_warm.then(|| now + IDLE);
            if let Some(at) = deadline.into_iter().chain(idle).min() {
                self.alarm.set(at);
            }
        }
    }

    /// The thread that has nothing left undone in repositories, for ever.
    pub(super) fn bring_to_rest(&self) {
        loop {
            if let Err(error) = guarded(|| self.store.written().tend()) {
                log::error!("{error}");
            }
        }
    }

    fn late(&self, now: Instant) -> Vec<Arc<Ticket>> {
        let is_late = |it: &&Arc<Ticket>| it.deadline.is_some_and(|at| at <= now);
        self.board().live().filter(is_late).cloned().collect()
    }

    fn is_working(&self) -> bool {
        0 < self.stats.workers.running.load(Relaxed)
    }
}
