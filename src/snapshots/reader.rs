//! The daemon's side of reading a database, which a child does.
//!
//! Databases are other people's: their servers may say nothing for ever, their queries may never
//! end, and their files are given to a library in C. All of that is killed with the request, and
//! none of it happens in the daemon.

use std::{
    io::{self, BufReader, ErrorKind, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Pid,
};

use super::{Database, File, State, child::Said};
use crate::{
    error::{Error, Result},
    watch::{self, Watch},
};

const BUFFER_BYTES: usize = 256 * 1024;

/// A database that is being read.
pub struct Reader<'a> {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<Patient>,
    watch: &'a Watch,
    /// Whether the child was killed and waited for.
    is_over: bool,
}

impl<'a> Reader<'a> {
    /// Reads all states, parents before their children. Whoever says nothing for longer than
    /// `silence_max` is given up.
    pub fn open(
        database: &Database,
        silence_max: Duration,
        watch: &'a Watch,
    ) -> Result<(Reader<'a>, Vec<State>)> {
        let mut child = start()?;
        watch.attach(Pid::from_child(&child));
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or_else(|| Error::internal("a child has a stdout"))?;
        let patient = Patient { output, silence_max, waited: Duration::ZERO };
        let output = BufReader::with_capacity(BUFFER_BYTES, patient);
        let mut reader = Reader { child, input, output, watch, is_over: false };
        reader.tell(database)?;
        let mut states = Vec::new();
        loop {
            match reader.hear()? {
                Said::State(state) => states.push(state),
                Said::Ready => return Ok((reader, states)),
                _ => return Err(something_else()),
            }
        }
    }

    /// From now on it reads the files of these states, in this order, as far ahead as a pipe is
    /// long.
    pub fn want(&mut self, states: &[u32]) -> Result<()> {
        self.tell(&states)
    }

    /// Gives each file of the next state.
    pub fn files(&mut self, each: &mut dyn FnMut(File) -> Result<()>) -> Result<()> {
        loop {
            match self.hear()? {
                Said::File(file) => each(file)?,
                Said::End => return Ok(()),
                _ => return Err(something_else()),
            }
        }
    }

    /// How long the database was waited for.
    pub fn waited(&self) -> Duration {
        self.output.get_ref().waited
    }

    fn tell(&mut self, what: &impl serde::Serialize) -> Result<()> {
        let bytes = rmp_serde::to_vec_named(what);
        let bytes = bytes.map_err(|error| Error::internal(error.to_string()))?;
        let input = self.input.as_mut().ok_or_else(|| Error::internal("a child has a stdin"))?;
        let told = input.write_all(&bytes);
        match told {
            Ok(()) => Ok(()),
            Err(_) => Err(self.crashed()),
        }
    }

    fn hear(&mut self) -> Result<Said> {
        let heard = rmp_serde::from_read(&mut self.output);
        match heard {
            Ok(Said::Failed(error)) => Err(error.into()),
            Ok(said) => Ok(said),
            Err(_) if self.watch.is_stopped() => Err(Error::cancelled("the child was killed")),
            Err(error) if self.output.get_ref().is_late(&error) => {
                let ms = self.output.get_ref().silence_max.as_millis() as u64;
                Err(Error::timeout(format!("the database said nothing for {ms} ms"))
                    .with("timeout_ms", ms))
            }
            Err(_) => Err(self.crashed()),
        }
    }

    fn crashed(&mut self) -> Error {
        if self.watch.is_stopped() {
            return Error::cancelled("the child was killed");
        }
        let status = self.end();
        let status = status.map_or_else(|error| error.to_string(), |it| it.to_string());
        Error::internal(format!("the child that reads the database crashed: {status}"))
    }

    /// Kills the child unless that was done: its number may be another one's since.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if !std::mem::replace(&mut self.is_over, true) {
            self.watch.detach();
            watch::kill(Pid::from_child(&self.child));
        }
        self.child.wait()
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn start() -> Result<Child> {
    #[allow(clippy::disallowed_methods, reason = "this is where children that read start")]
    let mut command = Command::new("/proc/self/exe");
    command.arg("snapshots").current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
    // A group of its own, as whoever stops the work kills a group.
    let child = command.process_group(0).spawn();
    child.map_err(|error| Error::from_io("starting a child", &error))
}

fn something_else() -> Error {
    Error::internal("the child said something else than it was asked")
}

/// A pipe that is waited for no longer than is bearable.
struct Patient {
    output: ChildStdout,
    silence_max: Duration,
    waited: Duration,
}

impl Patient {
    fn is_late(&self, error: &rmp_serde::decode::Error) -> bool {
        use rmp_serde::decode::Error::{InvalidDataRead, InvalidMarkerRead};
        match error {
            InvalidDataRead(error) | InvalidMarkerRead(error) => {
                error.kind() == ErrorKind::TimedOut
            }
            _ => false,
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let begun = Instant::now();
        let wait = Timespec::try_from(self.silence_max).map_err(io::Error::other)?;
        let ready = poll(&mut [PollFd::new(&self.output, PollFlags::IN)], Some(&wait))?;
        if ready == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        let count = self.output.read(buffer);
        self.waited += begun.elapsed();
        count
    }
}
