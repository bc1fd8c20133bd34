//! Everything the client reads: one buffer, written out by whoever finds nobody writing.
//!
//! Frames that become ready while somebody writes leave together in the next write, and so do
//! those of workers with more to do. Workers wait for room when the client does not read; the
//! reader and the clock never do.

use std::{
    io::IoSlice,
    mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::{Errno, ReadWriteFlags, pwritev2, write},
};

use super::{NOW, owner, wait_for};

/// How much may wait for a client that does not read before workers wait with it.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Events are left out when more than this waits: replies matter more.
const EVENTS_BEHIND_BYTES_MAX: usize = 256 * 1024;
/// A pipe that reports room takes at least so much without blocking.
const PIPE_ROOM_BYTES: usize = 4096;
const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// When so much has gathered it is written, whatever else there is to do.
const GATHERED_BYTES_MAX: usize = 32 * 1024;
/// How long frames may wait for others to leave with them.
const GATHERING: Duration = Duration::from_millis(1);
/// How often a reader that waits for room looks whether the client is still there.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A parent that leaves so soon only launched this process for another one.
const LAUNCH: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

pub struct Output {
    descriptor: OwnedFd,
    state: Mutex<State>,
    /// Told when bytes have left, or never will.
    moved: Condvar,
    /// Told when the reader leaves bytes to the writer thread.
    handed: Condvar,
    /// Called once when nobody can read any more.
    on_gone: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The buffer written last, to be filled again.
    spare: Vec<u8>,
    is_writing: bool,
    /// Whether the writer thread has something to write at once.
    is_handed: bool,
    /// Whether the writer thread will look soon at what has gathered.
    is_looked_after: bool,
    is_gone: bool,
}

impl Output {
    pub fn new(descriptor: OwnedFd, on_gone: Box<dyn Fn() + Send + Sync>) -> Output {
        Output {
            descriptor,
            state: Mutex::default(),
            moved: Condvar::new(),
            handed: Condvar::new(),
            on_gone,
        }
    }

    /// Appends frames and writes them out, after waiting for room. For threads that may wait.
    pub fn send(&self, append: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock_with_room();
        append(&mut state.waiting);
        if !state.is_writing {
            self.write_all(state);
        }
    }

    /// Appends frames after waiting for room, to leave with those that follow. For threads with
    /// more to do.
    pub fn gather(&self, append: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock_with_room();
        append(&mut state.waiting);
        if state.is_writing {
            return;
        }
        if GATHERED_BYTES_MAX < state.waiting.len() {
            self.write_all(state);
        } else if !state.is_looked_after {
            state.is_looked_after = true;
            self.handed.notify_one();
        }
    }

    /// Appends frames and leaves them to the writer thread. Never waits.
    pub fn post(&self, append: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        append(&mut state.waiting);
        self.hand_over(&mut state);
    }

    /// Appends frames and writes them when many have gathered; [`Output::flush`] must follow. For
    /// the reader.
    pub fn stage(&self, append: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        append(&mut state.waiting);
        if GATHERED_BYTES_MAX < state.waiting.len() {
            drop(state);
            self.flush();
        }
    }

    /// Appends an event unless too much waits already; tells whether it did.
    pub fn offer(&self, append: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.lock();
        let has_room = state.waiting.len() <= EVENTS_BEHIND_BYTES_MAX && !state.is_gone;
        if has_room {
            append(&mut state.waiting);
            self.hand_over(&mut state);
        }
        has_room
    }

    /// Writes what the pipe takes without blocking, and hands the rest to the writer thread.
    pub fn flush(&self) {
        let mut state = self.lock();
        if state.is_writing || state.waiting.is_empty() {
            return;
        }
        let bytes = state.begin_to_write();
        drop(state);
        let (mut written, mut is_gone) = (0, false);
        while written < bytes.len() {
            match self.write_some(&bytes[written..]) {
                Ok(count) => written += count,
                Err(Errno::INTR) => (),
                Err(Errno::AGAIN) => break,
                Err(_) => {
                    is_gone = true;
                    break;
                }
            }
        }
        let mut state = self.lock();
        state.is_writing = false;
        if is_gone {
            self.give_up(state);
            return;
        }
        if written < bytes.len() {
            let later = mem::take(&mut state.waiting);
            state.waiting = bytes[written..].to_vec();
            state.waiting.extend_from_slice(&later);
        } else {
            state.keep(bytes);
        }
        if !state.waiting.is_empty() {
            self.hand_over(&mut state);
        }
        self.moved.notify_all();
    }

    /// Waits until so little is waiting that a request more does no harm; false when the client
    /// is gone. The reader's way to let a client feel that it does not read.
    pub fn wait_for_room(&self) -> bool {
        let mut state = self.lock();
        while WAITING_BYTES_MAX < state.waiting.len() {
            if state.is_gone || has_hung_up(self.descriptor.as_fd()) {
                return false;
            }
            self.hand_over(&mut state);
            let waited = self.moved.wait_timeout(state, LOOK_AGAIN);
            state = waited.expect("nobody panics with the lock").0;
        }
        true
    }

    /// The writer thread: writes what others left behind, for ever.
    pub fn write_for_others(&self) {
        let mut state = self.lock();
        loop {
            if state.is_writing || state.waiting.is_empty() {
                state.is_looked_after = false;
                state = self.handed.wait(state).expect("nobody panics with the lock");
            } else if state.is_handed {
                self.write_all(state);
                state = self.lock();
            } else {
                state.is_looked_after = true;
                let waited = self.handed.wait_timeout(state, GATHERING);
                state = waited.expect("nobody panics with the lock").0;
                state.is_handed = !state.is_writing;
            }
        }
    }

    /// Waits until everything is written, at most until `deadline`.
    pub fn drain(&self, deadline: Instant) {
        let mut state = self.lock();
        while !state.is_gone && (state.is_writing || !state.waiting.is_empty()) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            self.hand_over(&mut state);
            let waited = self.moved.wait_timeout(state, left);
            state = waited.expect("nobody panics with the lock").0;
        }
    }

    /// Blocks until nobody can read any more, or the parent is gone.
    pub fn wait_until_gone(&self) {
        let port = PollFd::new(&self.descriptor, PollFlags::empty());
        if wait_for(&mut [port.clone()], Some(&LAUNCH)) {
            return;
        }
        match owner::parent(self.descriptor.as_fd()) {
            Some(end) => wait_for(&mut [port, PollFd::new(&end, PollFlags::IN)], None),
            None => wait_for(&mut [port], None),
        };
    }

    fn hand_over(&self, state: &mut State) {
        state.is_handed = true;
        self.handed.notify_one();
    }

    fn write_all<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        while !state.waiting.is_empty() && !state.is_gone {
            let bytes = state.begin_to_write();
            drop(state);
            let is_written = self.write_blocking(&bytes);
            state = self.lock();
            state.keep(bytes);
            if !is_written {
                self.give_up(state);
                return;
            }
            self.moved.notify_all();
        }
        state.is_writing = false;
        self.moved.notify_all();
    }

    fn write_blocking(&self, bytes: &[u8]) -> bool {
        let mut written = 0;
        while written < bytes.len() {
            match write(&self.descriptor, &bytes[written..]) {
                Ok(count) => written += count,
                Err(Errno::INTR) => (),
                // Somebody made the pipe non-blocking; it is theirs as much as ours.
                Err(Errno::AGAIN) => {
                    wait_for(&mut [PollFd::new(&self.descriptor, PollFlags::OUT)], None);
                }
                Err(_) => return false,
            }
        }
        true
    }

    fn give_up(&self, mut state: MutexGuard<State>) {
        let was_gone = mem::replace(&mut state.is_gone, true);
        state.is_writing = false;
        state.waiting = Vec::new();
        drop(state);
        self.moved.notify_all();
        if !was_gone {
            (self.on_gone)();
        }
    }

    /// Writes what can be written without blocking.
    fn write_some(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let wanted = [IoSlice::new(bytes)];
        match pwritev2(&self.descriptor, &wanted, u64::MAX, ReadWriteFlags::NOWAIT) {
            // Not every descriptor can do that; a pipe with room takes a piece, though.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::SPIPE | Errno::INVAL) => (),
            written => return written,
        }
        let mut descriptors = [PollFd::new(&self.descriptor, PollFlags::OUT)];
        let is_ready = wait_for(&mut descriptors, Some(&NOW));
        match is_ready && descriptors[0].revents().contains(PollFlags::OUT) {
            true => write(&self.descriptor, &bytes[..bytes.len().min(PIPE_ROOM_BYTES)]),
            false => Err(Errno::AGAIN),
        }
    }

    /// After waiting until the client reads, where much waits for it.
    fn lock_with_room(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while WAITING_BYTES_MAX < state.waiting.len() && !state.is_gone {
            state = self.moved.wait(state).expect("nobody panics with the lock");
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }
}

impl State {
    /// What is to be written now; frames that come meanwhile find another buffer.
    fn begin_to_write(&mut self) -> Vec<u8> {
        self.is_writing = true;
        self.is_handed = false;
        let spare = mem::take(&mut self.spare);
        mem::replace(&mut self.waiting, spare)
    }

    fn keep(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() <= KEPT_BYTES_MAX {
            bytes.clear();
            self.spare = bytes;
        }
    }
}

fn has_hung_up(descriptor: BorrowedFd) -> bool {
    let mut descriptors = [PollFd::from_borrowed_fd(descriptor, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    wait_for(&mut descriptors, Some(&NOW)) && descriptors[0].revents().intersects(gone)
}
