//! A child process spoken to over its stdin and stdout, with a window of requests on the way.
//!
//! One thread writes and reads in large pieces, so that the child is what is measured. Every peer
//! is driven by this same loop.

use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// What one kind of conversation sends and understands.
pub trait Talk {
    /// Appends the request with this index.
    fn request(&mut self, index: usize, output: &mut Vec<u8>);

    /// Checks the reply at the start of `input` and tells how long it is; `None` while some of it
    /// is missing.
    fn reply(&mut self, input: &[u8]) -> Option<usize>;
}

pub struct Wire {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    output: Vec<u8>,
    input: Vec<u8>,
    start: usize,
    end: usize,
}

impl Wire {
    pub fn spawn(command: &mut Command) -> Wire {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        Wire {
            child,
            stdin,
            stdout,
            output: Vec::new(),
            input: vec![0; INPUT_BYTES],
            start: 0,
            end: 0,
        }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Asks for the indexes of `range`, at most `outstanding` of them unanswered at any time, and
    /// returns when the last was answered.
    ///
    /// What is unanswered must fit into the pipe: nobody reads while this writes.
    pub fn drive(
        &mut self,
        talk: &mut impl Talk,
        range: std::ops::Range<usize>,
        outstanding: usize,
    ) -> Duration {
        let started = Instant::now();
        let (mut next, mut waiting) = (range.start, 0);
        while next < range.end || waiting > 0 {
            while next < range.end && waiting < outstanding {
                talk.request(next, &mut self.output);
                next += 1;
                waiting += 1;
            }
            self.flush();
            self.fill();
            while let Some(length) = talk.reply(&self.input[self.start..self.end]) {
                self.start += length;
                waiting = waiting.checked_sub(1).expect("no more replies than requests");
            }
        }
        started.elapsed()
    }

    /// Sends bytes without waiting for an answer.
    pub fn send(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        self.flush();
    }

    /// Waits until `parse` finds what it wants at the start of the input, and how long it was.
    pub fn receive<T>(&mut self, parse: impl Fn(&[u8]) -> Option<(T, usize)>) -> T {
        loop {
            if let Some((value, length)) = parse(&self.input[self.start..self.end]) {
                self.start += length;
                return value;
            }
            self.fill();
        }
    }

    /// The same of what has come already.
    pub fn received<T>(&mut self, parse: impl Fn(&[u8]) -> Option<(T, usize)>) -> Option<T> {
        let (value, length) = parse(&self.input[self.start..self.end])?;
        self.start += length;
        Some(value)
    }

    fn flush(&mut self) {
        if self.output.is_empty() {
            return;
        }
        let stdin = self.stdin.as_mut().expect("stdin is open until the end");
        stdin.write_all(&self.output).expect("the child reads");
        self.output.clear();
    }

    fn fill(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.input.len() {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == self.input.len() {
                self.input.resize(self.end * 2, 0);
            }
        }
        let count = self.stdout.read(&mut self.input[self.end..]).expect("stdout can be read");
        assert!(count > 0, "the child ended before it had answered");
        self.end += count;
    }
}

impl Drop for Wire {
    /// Closes stdin, which ends the child; one that stays is killed.
    fn drop(&mut self) {
        self.stdin = None;
        let started = Instant::now();
        while started.elapsed() < END_MAX {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const INPUT_BYTES: usize = 1 << 20;
const END_MAX: Duration = Duration::from_secs(15);
