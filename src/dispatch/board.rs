//! What is going on: requests without a reply, lanes, and requests without an id.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use crossbeam_channel::Sender;

use super::{Ticket, has_room, pool::Task};
use crate::{error::Error, id::RequestId, ops::Lane};

/// How many requests without an id may wait for the one before them.
const UNNAMED_MAX: usize = 1024;

/// Names a request among those that wait for their reply.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    Named(RequestId),
    Unnamed(u64),
}

impl Key {
    pub fn id(&self) -> Option<&RequestId> {
        match self {
            Key::Named(id) => Some(id),
            Key::Unnamed(_) => None,
        }
    }
}

#[derive(Default)]
pub struct Board {
    live: HashMap<Key, Arc<Ticket>>,
    /// Repositories that are being written, with what waits to write them next.
    lanes: HashMap<PathBuf, VecDeque<Task>>,
    pub unnamed: Unnamed,
    /// Whether a `shutdown` waits to be answered last.
    pub has_shutdown: bool,
    stage: Stage,
}

/// Whether requests are taken, and who waits for the last one's reply.
#[derive(Default)]
enum Stage {
    #[default]
    Open,
    Closing(Sender<()>),
}

impl Board {
    pub fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing(_))
    }

    /// Takes no more requests; `quiet` hears when the last one is answered.
    pub fn close(&mut self, quiet: Sender<()>) {
        self.stage = Stage::Closing(quiet);
        self.tell_if_quiet();
    }

    pub fn tell_if_quiet(&self) {
        if let Stage::Closing(quiet) = &self.stage
            && self.live.is_empty()
            && self.unnamed.is_empty()
        {
            // It hears once; what comes after is the same news.
            let _ = quiet.try_send(());
        }
    }

    pub fn insert(&mut self, ticket: Arc<Ticket>) {
        self.live.insert(ticket.key.clone(), ticket);
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Ticket>> {
        self.live.get(key).cloned()
    }

    pub fn contains(&self, id: &RequestId) -> bool {
        !self.live.is_empty() && self.live.contains_key(&Key::Named(id.clone()))
    }

    /// Takes a request off the board; false when somebody did before. Its id may be another
    /// request's by now.
    pub fn remove(&mut self, ticket: &Ticket) -> bool {
        let is_there = self.live.get(&ticket.key).is_some_and(|it| std::ptr::eq(&**it, ticket));
        if is_there {
            self.live.remove(&ticket.key);
        }
        is_there
    }

    pub fn live(&self) -> impl Iterator<Item = &Arc<Ticket>> {
        self.live.values()
    }

    /// Gives the task back if it may run now; else it waits for its turn in its lane.
    pub fn enter(&mut self, task: Task) -> Option<Task> {
        let Some(path) = task.job.lane.written() else { return Some(task) };
        match self.lanes.get_mut(path) {
            Some(waiting) => {
                waiting.push_back(task);
                None
            }
            None => {
                self.lanes.insert(path.clone(), VecDeque::new());
                Some(task)
            }
        }
    }

    /// Tasks that wait for their turn in this lane and may be carried out in one step with the one
    /// whose turn it is.
    pub fn together(&mut self, path: &Path, count_max: usize) -> Vec<Task> {
        let Some(waiting) = self.lanes.get_mut(path) else { return Vec::new() };
        let is_change = |it: &&Task| matches!(it.job.lane, Lane::Change(_));
        let count = waiting.iter().take(count_max).take_while(is_change).count();
        waiting.drain(..count).collect()
    }

    /// The task whose turn it is to write this repository when another one is done.
    pub fn leave(&mut self, path: &Path) -> Option<Task> {
        let next = self.lanes.get_mut(path)?.pop_front();
        if next.is_none() {
            self.lanes.remove(path);
        }
        next
    }
}

/// Requests without an id: one is carried out, the others wait for it.
#[derive(Default)]
pub struct Unnamed {
    is_running: bool,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    last: u64,
    /// Why what still waits is not carried out any more.
    verdict: Option<Error>,
}

pub enum Waiting {
    Request(Vec<u8>),
    /// So many requests in a row that are refused in their turn, for one reason.
    Refused(u64, Error),
}

impl Unnamed {
    fn is_empty(&self) -> bool {
        !self.is_running && self.waiting.is_empty()
    }

    /// Puts a request in the queue; the caller carries out what is [`Unnamed::next`].
    pub fn enter(&mut self, body: &[u8]) {
        if self.waiting.len() < UNNAMED_MAX && has_room(self.bytes, body.len()) {
            self.bytes += body.len();
            self.waiting.push_back(Waiting::Request(body.to_vec()));
        } else {
            let error = Error::busy("too many requests without an id are waiting");
            self.refuse(error.with("retry_after_ms", 100));
        }
    }

    /// Puts a refusal in the queue, so that replies keep their order.
    pub fn refuse(&mut self, error: Error) {
        match self.waiting.back_mut() {
            Some(Waiting::Refused(count, reason)) if *reason == error => *count += 1,
            _ => self.waiting.push_back(Waiting::Refused(1, error)),
        }
    }

    /// What waits is refused in its turn.
    pub fn condemn(&mut self, error: Error) {
        self.verdict = Some(error);
    }

    /// The first in the queue, unless one is being carried out.
    pub fn first(&mut self) -> Option<Waiting> {
        match self.is_running {
            true => None,
            false => self.next(),
        }
    }

    /// What comes after the one that was carried out.
    pub fn next(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front();
        self.is_running = next.is_some();
        let Some(Waiting::Request(body)) = &next else { return next };
        self.bytes -= body.len();
        match &self.verdict {
            Some(error) => Some(Waiting::Refused(1, error.clone())),
            None => next,
        }
    }

    pub fn new_key(&mut self) -> Key {
        self.last += 1;
        Key::Unnamed(self.last)
    }
}
