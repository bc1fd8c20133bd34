//! Starts the built program and speaks to it as a stranger would, never waiting without a bound.
//!
//! Frames are only taken from the pipe while a function here waits for something: a client that
//! stops reading is one that calls nothing.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    msgpack,
    processes::{PATIENCE, Process, family, until},
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gitport");

pub struct Daemon {
    process: Child,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    arrived: Vec<u8>,
    taken: usize,
    mark: String,
    home: TempDir,
}

/// All that came after the input was closed.
pub struct End {
    pub frames: Vec<Value>,
    pub status: ExitStatus,
}

/// The program with an environment in which nothing of this machine's user can be seen.
pub fn program(home: &Path) -> Command {
    alone(PROGRAM, home)
}

/// Any program in such an environment.
pub fn alone(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("HOME", home).env("LANG", "C.UTF-8").current_dir(home);
    command
}

/// A variable that tells one daemon and all it starts from every other.
pub fn new_mark() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("INTEGRATION_MARK={}-{number}", std::process::id())
}

/// A length and that many bytes.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&length.to_be_bytes(), payload].concat()
}

pub fn request_frame(request: &Value) -> Vec<u8> {
    frame(&msgpack::encode(request))
}

impl Daemon {
    pub fn start() -> Daemon {
        Daemon::start_with(&[])
    }

    pub fn start_with(flags: &[&str]) -> Daemon {
        Daemon::start_in(TempDir::new().unwrap(), flags, &[])
    }

    /// The same at home in a folder that may hold something already, with more variables.
    pub fn start_in(home: TempDir, flags: &[&str], variables: &[(&str, &str)]) -> Daemon {
        let mut command = program(home.path());
        command.arg("serve").args(flags);
        command.envs(variables.iter().copied());
        Daemon::of(command, home)
    }

    /// A command that starts the program `$0` somehow; the id is that of the command.
    pub fn started_by(command: &[&str]) -> Daemon {
        let home = TempDir::new().unwrap();
        let mut words = alone(command[0], home.path());
        words.args(&command[1..]).arg(PROGRAM);
        Daemon::of(words, home)
    }

    fn of(mut command: Command, home: TempDir) -> Daemon {
        let mark = new_mark();
        let (name, value) = mark.split_once('=').unwrap();
        command.env(name, value);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(home.path().join("stderr")).unwrap());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = process.stdout.take().unwrap();
        fcntl_setfl(&input, fcntl_getfl(&input).unwrap() | OFlags::NONBLOCK).unwrap();
        fcntl_setfl(&output, fcntl_getfl(&output).unwrap() | OFlags::NONBLOCK).unwrap();
        let (input, output) = (Some(input), Some(output));
        Daemon { process, input, output, arrived: Vec::new(), taken: 0, mark, home }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Every living process of this daemon, itself included.
    pub fn family(&self) -> Vec<Process> {
        family(self.id(), &self.mark)
    }

    pub fn children(&self) -> Vec<Process> {
        self.family().into_iter().filter(|process| process.id != self.id()).collect()
    }

    pub fn stderr(&self) -> String {
        let bytes = fs::read(self.stderr_file()).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn send(&mut self, request: Value) {
        self.send_bytes(&request_frame(&request));
    }

    pub fn send_payload(&mut self, payload: &[u8]) {
        self.send_bytes(&frame(payload));
    }

    /// Writes all of it, and takes what arrives meanwhile, as every client must that sends much.
    pub fn send_bytes(&mut self, mut bytes: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        while !bytes.is_empty() {
            let count = self.exchange(bytes, deadline);
            bytes = &bytes[count..];
        }
    }

    /// Writes what the pipe takes at once and reads nothing; tells how much it took.
    pub fn offer_bytes(&mut self, bytes: &[u8]) -> usize {
        match self.input.as_ref().expect("the input is open").write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("cannot write: {error}\n{}", self.stderr()),
        }
    }

    pub fn receive(&mut self) -> Value {
        self.receive_or_end().unwrap_or_else(|| panic!("the output ended\n{}", self.stderr()))
    }

    /// The next frame, or nothing at a clean end.
    pub fn receive_or_end(&mut self) -> Option<Value> {
        let payload = self.receive_payload(Instant::now() + PATIENCE)?;
        let value = msgpack::decode(&payload);
        Some(value.unwrap_or_else(|error| panic!("{error}: {}", payload.escape_ascii())))
    }

    pub fn receive_many(&mut self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.receive()).collect()
    }

    pub fn call(&mut self, request: Value) -> Value {
        self.send(request);
        self.receive()
    }

    /// The value of a request that must succeed.
    pub fn ok(&mut self, request: Value) -> Value {
        let asked = request.to_string();
        let reply = self.call(request);
        match reply.get("ok") {
            Some(value) if reply.get("err").is_none() => value.clone(),
            _ => panic!("{asked} got {reply}\n{}", self.stderr()),
        }
    }

    /// The reply to a request that must fail with this code.
    #[track_caller]
    pub fn refused(&mut self, code: &str, request: Value) -> Value {
        let asked = request.to_string();
        let reply = self.call(request);
        assert_eq!(reply["code"], code, "{asked} got {reply}");
        assert!(reply["err"].is_string() && reply.get("ok").is_none(), "{asked} got {reply}");
        reply
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    pub fn close_output(&mut self) {
        self.output = None;
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Closes the input, takes every frame to the end and waits for the exit.
    pub fn end(mut self) -> End {
        self.close_input();
        self.rest()
    }

    /// Takes every frame to the end and waits for the exit.
    pub fn rest(&mut self) -> End {
        let frames = std::iter::from_fn(|| self.receive_or_end()).collect();
        End { frames, status: self.exit() }
    }

    pub fn exit(&mut self) -> ExitStatus {
        self.exit_within(PATIENCE)
    }

    pub fn exit_within(&mut self, bound: Duration) -> ExitStatus {
        let mut status = None;
        until("the daemon ends", bound, || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    fn stderr_file(&self) -> PathBuf {
        self.home.path().join("stderr")
    }

    fn receive_payload(&mut self, deadline: Instant) -> Option<Vec<u8>> {
        loop {
            let arrived = &self.arrived[self.taken..];
            if let Some((length, rest)) = arrived.split_first_chunk() {
                let length = u32::from_be_bytes(*length) as usize;
                if let Some(payload) = rest.get(..length) {
                    let payload = payload.to_vec();
                    self.taken += 4 + length;
                    return Some(payload);
                }
            }
            if self.output.is_none() {
                assert!(arrived.is_empty(), "a torn frame: {}", arrived.escape_ascii());
                return None;
            }
            self.exchange(&[], deadline);
        }
    }

    /// Waits until something can be written or read, does it, and tells how much was written.
    fn exchange(&mut self, outgoing: &[u8], deadline: Instant) -> usize {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the daemon hangs\n{}", self.stderr());
        let mut ends = Vec::new();
        if let Some(output) = &self.output {
            ends.push(PollFd::new(output, PollFlags::IN));
        }
        if !outgoing.is_empty() {
            let input = self.input.as_ref().expect("the input is open");
            ends.push(PollFd::new(input, PollFlags::OUT));
        }
        poll(&mut ends, Some(&Timespec::try_from(left).unwrap())).unwrap();
        let ready: Vec<PollFlags> = ends.iter().map(PollFd::revents).collect();
        if self.output.is_some() && !ready[0].is_empty() {
            self.take_output();
        }
        match ready.last() {
            Some(flags) if !outgoing.is_empty() && !flags.is_empty() => self.offer_bytes(outgoing),
            _ => 0,
        }
    }

    fn take_output(&mut self) {
        if self.taken > 1 << 20 {
            self.arrived.drain(..self.taken);
            self.taken = 0;
        }
        let mut chunk = vec![0; 1 << 16];
        let output = self.output.as_mut().expect("polled because it is open");
        match output.read(&mut chunk) {
            Ok(0) => self.output = None,
            Ok(count) => self.arrived.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("cannot read: {error}"),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
