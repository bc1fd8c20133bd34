//! Whether somebody still waits for a piece of work, and how it gets on.
//!
//! Work in this process looks from time to time; a child is killed with all its descendants.

use std::{
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

#[derive(Default)]
pub struct Watch {
    is_stopped: AtomicBool,
    stopped: Condvar,
    /// Whether somebody far away may have done by now what was asked for.
    is_in_doubt: AtomicBool,
    /// The leader of the process group to kill.
    child: Mutex<Option<Pid>>,
    listener: Option<Listener>,
    /// How much more whoever waits can take.
    credits: AtomicU64,
}

pub type Listener = Box<dyn Fn(&Progress) + Send + Sync>;

/// How far a long piece of work is. Totals are 0 while unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Connecting,
    Receiving,
    Resolving,
    Checkout,
    Sending,
    Checking,
    Packing,
    Writing,
    Importing,
}

impl Watch {
    pub fn new(listener: Option<Listener>) -> Watch {
        Watch { listener, ..Watch::default() }
    }

    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    /// From now on nobody here can tell whether it was done, until there is an outcome.
    pub fn doubt(&self) {
        self.is_in_doubt.store(true, Ordering::Release);
    }

    /// It is known now what became of what was sent.
    pub fn settle(&self) {
        self.is_in_doubt.store(false, Ordering::Release);
    }

    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt.load(Ordering::Acquire)
    }

    /// Adds to an error that ends the work what it leaves open.
    pub fn in_doubt(&self, error: Error) -> Error {
        match self.is_in_doubt() {
            true => error.while_doing("the remote may or may not have taken what was sent"),
            false => error,
        }
    }

    /// Fails when nobody waits any more. What the error says reaches nobody.
    pub fn check(&self) -> Result<()> {
        match self.is_stopped() {
            true => Err(Error::cancelled("nobody waits for it any more")),
            false => Ok(()),
        }
    }

    /// Lets some time pass, unless a stop comes first.
    pub fn pause(&self, time: Duration) {
        let child = self.child.lock().expect("nobody panics with the lock");
        if !self.is_stopped() {
            drop(self.stopped.wait_timeout(child, time));
        }
    }

    /// Ends the work: kills its child, tells what runs here.
    pub fn stop(&self) {
        let child = self.child.lock().expect("nobody panics with the lock");
        self.is_stopped.store(true, Ordering::Release);
        self.stopped.notify_all();
        if let Some(leader) = *child {
            kill(leader);
        }
    }

    /// From now on [`Watch::stop`] kills this process group. It is killed at once where the work
    /// was stopped before.
    pub fn attach(&self, leader: Pid) {
        let mut child = self.child.lock().expect("nobody panics with the lock");
        match self.is_stopped() {
            true => kill(leader),
            false => *child = Some(leader),
        }
    }

    /// From now on the work is done to its end; false when it was stopped before.
    pub fn detach(&self) -> bool {
        let mut child = self.child.lock().expect("nobody panics with the lock");
        *child = None;
        !self.is_stopped()
    }

    /// Whoever waits can take so much more.
    pub fn add_credits(&self, credits: u64) {
        self.credits.fetch_add(credits, Ordering::AcqRel);
    }

    pub fn credits(&self) -> u64 {
        self.credits.load(Ordering::Acquire)
    }

    /// So much is on its way, which is no more than there are credits.
    pub fn spend_credits(&self, credits: u64) {
        self.credits.fetch_sub(credits, Ordering::AcqRel);
    }

    pub fn tell(&self, progress: &Progress) {
        if let Some(listener) = &self.listener {
            listener(progress);
        }
    }
}

/// Kills a group whose leader may be gone already.
pub fn kill(leader: Pid) {
    let _ = kill_process_group(leader, Signal::KILL);
}
