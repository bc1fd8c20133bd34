//! Threads that carry out tasks, started as they are needed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{Dispatch, Then, Ticket};
use crate::ops::Job;

/// A job with everything needed to answer for it.
pub struct Task {
    pub ticket: Arc<Ticket>,
    pub job: Job,
    pub then: Then,
    /// What its request counts against the bytes that may wait.
    pub bytes: usize,
}

/// The queue is bounded where tasks are submitted, by count and by bytes.
pub struct Pool {
    name: &'static str,
    threads_max: usize,
    /// What a request that found the queue full is told.
    pub retry_after_ms: u64,
    threads: AtomicUsize,
    /// Tasks queued or being carried out.
    load: Arc<AtomicUsize>,
    sender: Sender<Task>,
    receiver: Receiver<Task>,
}

impl Pool {
    pub fn new(name: &'static str, threads_max: u16, retry_after_ms: u64) -> Pool {
        let (sender, receiver) = unbounded();
        let threads = AtomicUsize::new(0);
        let threads_max = usize::from(threads_max);
        Pool { name, threads_max, retry_after_ms, threads, load: Arc::default(), sender, receiver }
    }

    /// Whether tasks wait for a thread.
    pub fn has_more(&self) -> bool {
        !self.receiver.is_empty()
    }

    pub fn is_idle(&self) -> bool {
        self.load.load(SeqCst) == 0
    }

    pub fn send(&self, dispatch: &Arc<Dispatch>, task: Task) {
        let load = self.load.fetch_add(1, SeqCst) + 1;
        self.sender.send(task).expect("the pool keeps a receiver");
        let wanted = load.min(self.threads_max);
        let one_more = |threads| (threads < wanted).then_some(threads + 1);
        if let Ok(index) = self.threads.fetch_update(SeqCst, SeqCst, one_more) {
            let (dispatch, tasks, load) =
                (dispatch.clone(), self.receiver.clone(), self.load.clone());
            let work = move || {
                for task in tasks {
                    dispatch.perform(task);
                    load.fetch_sub(1, SeqCst);
                }
            };
            let name = format!("{}-{index}", self.name);
            thread::Builder::new().name(name).spawn(work).expect("the system has a thread left");
        }
    }
}
