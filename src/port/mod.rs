//! Frames on stdin and stdout, as an Erlang port opened with `{packet, 4}`.
//!
//! Knows no operation. Nothing but frames ever reaches the client: the real stdout is moved away
//! before anything else runs, and what prints to descriptor 1 prints to stderr.

pub mod envelope;
mod frame;
mod msgpack;
mod output;
mod owner;

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

pub use self::{
    frame::{Broken, Frame, Frames},
    msgpack::DEPTH_MAX,
    output::Output,
};

/// How long the reader looks for more requests before it sleeps.
const LINGER: Duration = Duration::from_micros(50);

/// For a look that does not wait.
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The two ends of the port.
pub struct Stdio {
    pub input: OwnedFd,
    pub output: OwnedFd,
}

/// Moves the port to private descriptors, which no child inherits.
///
/// Afterwards descriptor 0 is `/dev/null` and descriptor 1 is stderr.
pub fn guard_stdio() -> io::Result<Stdio> {
    let input = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(Stdio { input, output })
}

/// Why no more requests come.
pub enum End {
    Closed,
    ClientGone,
    Broken(Broken),
}

/// Hands every request to `take` until no more come. Replies that `take` stages leave together
/// when nothing more can be read without waiting.
pub fn read_requests(
    input: OwnedFd,
    frame_bytes_max: usize,
    output: &Output,
    mut take: impl FnMut(Frame),
    is_quiet: impl Fn() -> bool,
) -> End {
    let ready = match input.as_fd().try_clone_to_owned() {
        Ok(descriptor) => descriptor,
        Err(error) => return End::Broken(Broken::Input(error)),
    };
    let mut frames = Frames::new(Patient(File::from(input)), frame_bytes_max);
    loop {
        if !output.wait_for_room() {
            return End::ClientGone;
        }
        match frames.next() {
            Ok(Some(frame)) => take(frame),
            Ok(None) => return End::Closed,
            Err(broken) => return End::Broken(broken),
        }
        if !frames.is_ready() {
            output.flush();
            if is_quiet() {
                linger(&ready);
            }
        }
    }
}

/// Input that is waited for, also where somebody made it non-blocking: it is theirs as much as
/// ours.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for(&mut [PollFd::new(&self.0, PollFlags::IN)], None);
                }
                read => return read,
            }
        }
    }
}

/// Waits a moment for more to come without going to sleep: waking takes longer than answering.
fn linger(input: impl AsFd) {
    let until = Instant::now() + LINGER;
    let mut descriptors = [PollFd::new(&input, PollFlags::IN)];
    while !wait_for(&mut descriptors, Some(&NOW)) && Instant::now() < until {
        // Whoever is to send it may need this core.
        thread::yield_now();
    }
}

/// Whether something happened to one of the descriptors in time.
fn wait_for(descriptors: &mut [PollFd], time: Option<&Timespec>) -> bool {
    loop {
        match poll(descriptors, time) {
            Err(Errno::INTR) => (),
            Ok(0) => return false,
            _ => return true,
        }
    }
}
