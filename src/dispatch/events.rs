//! Frames that are no replies: numbered, bounded, and only for a client that asked.

use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    id::RequestId,
    ops::Event,
    port::{Output, envelope},
    stats::Stats,
    watch::{Listener, Progress},
};

/// The event that has tasks.
const TASKS: &str = "tasks";
/// The shortest time between two events about one request, unless its stage changes.
const PAUSE: Duration = Duration::from_millis(100);

pub struct Events {
    output: Arc<Output>,
    stats: Arc<Stats>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wanted: Vec<Event>,
    seq: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct Frame<'a> {
    event: Event,
    seq: u64,
    dropped: u64,
    request: Option<&'a RequestId>,
    op: &'static str,
    #[serde(flatten)]
    progress: &'a Progress,
}

/// What comes before what is sent.
#[derive(Serialize)]
struct Head<'a> {
    event: &'static str,
    seq: u64,
    dropped: u64,
    request: Option<&'a RequestId>,
    op: &'static str,
}

impl Events {
    pub fn new(output: Arc<Output>, stats: Arc<Stats>) -> Events {
        Events { output, stats, state: Mutex::default() }
    }

    pub fn subscribe(&self, wanted: Vec<Event>) {
        self.state.lock().expect("nobody panics with the lock").wanted = wanted;
    }

    /// What tells the client how a request gets on; none where the client does not want to know.
    pub fn listener(
        self: &Arc<Self>,
        id: Option<&RequestId>,
        op: &'static str,
    ) -> Option<Listener> {
        if !self.wants(Event::Progress) {
            return None;
        }
        let (events, id) = (self.clone(), id.cloned());
        let last = Mutex::new(None);
        Some(Box::new(move |progress| {
            let mut last = last.lock().expect("nobody panics with the lock");
            let now = Instant::now();
            let is_news =
                last.is_none_or(|(stage, at)| stage != progress.stage || PAUSE <= now - at);
            if is_news {
                *last = Some((progress.stage, now));
                events.send(id.as_ref(), op, progress);
            }
        }))
    }

    /// Sends to whoever waits for one thing after the other what there is, a map. It is never
    /// dropped: there is no more of it than the client has room for.
    pub fn send_to(&self, request: Option<&RequestId>, op: &'static str, value: &[u8]) {
        let mut state = self.state.lock().expect("nobody panics with the lock");
        state.seq += 1;
        let (seq, dropped) = (state.seq, std::mem::take(&mut state.dropped));
        let head = Head { event: TASKS, seq, dropped, request, op };
        self.output.send(|output| envelope::event_with(output, &head, value));
        self.stats.events_sent.fetch_add(1, Relaxed);
    }

    fn wants(&self, event: Event) -> bool {
        self.state.lock().expect("nobody panics with the lock").wanted.contains(&event)
    }

    fn send(&self, request: Option<&RequestId>, op: &'static str, progress: &Progress) {
        // Numbers go out in their order because the lock is held until the frame is queued.
        let mut state = self.state.lock().expect("nobody panics with the lock");
        if !state.wanted.contains(&Event::Progress) {
            return;
        }
        // Dropped ones count too: a gap of so many is what `dropped` explains.
        state.seq += 1;
        let frame = Frame {
            event: Event::Progress,
            seq: state.seq,
            dropped: state.dropped,
            request,
            op,
            progress,
        };
        if self.output.offer(|output| envelope::event(output, &frame)) {
            state.dropped = 0;
            self.stats.events_sent.fetch_add(1, Relaxed);
        } else {
            state.dropped += 1;
            self.stats.events_dropped.fetch_add(1, Relaxed);
        }
    }
}
