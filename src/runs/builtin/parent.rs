//! The daemon's side of a program: its child is started, heard, and told to stop.

use std::{
    io::{BufReader, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use rustix::process::Pid;

use super::{Ended, Order, Said};
use crate::{
    error::{Error, Result},
    watch,
};

/// By which a program can be stopped, from the moment at which it is to run.
#[derive(Debug, Default)]
pub struct Handle {
    is_stopped: AtomicBool,
    /// The lifeline of the child, and where it hears.
    input: Mutex<Option<ChildStdin>>,
}

impl Handle {
    /// Has the program end; what is stopped twice was stopped.
    pub fn stop(&self) {
        let mut input = self.input.lock().expect("nobody panics with the lock");
        if !self.is_stopped.swap(true, SeqCst)
            && let Some(input) = &mut *input
        {
            // Who is not there any more need not hear it.
            let _ = input.write_all(&[1]);
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(SeqCst)
    }

    fn attach(&self, mut input: ChildStdin) {
        let mut place = self.input.lock().expect("nobody panics with the lock");
        if self.is_stopped() {
            let _ = input.write_all(&[1]);
        }
        *place = Some(input);
    }

    fn detach(&self) {
        drop(self.input.lock().expect("nobody panics with the lock").take());
    }
}

/// Runs a program to its end.
pub fn run(order: &Order, handle: &Handle) -> Result<Ended> {
    let bytes = rmp_serde::to_vec_named(order);
    let bytes = bytes.map_err(|error| Error::internal(error.to_string()))?;
    let mut child = start()?;
    let mut program = None;
    let said = converse(&mut child, &bytes, handle, &mut program);
    handle.detach();
    if said.is_none() {
        // Who had to see to it that nobody is left is gone itself.
        let _ = child.kill();
        program.into_iter().for_each(watch::kill);
    }
    let status = child.wait();
    match said {
        Some(Said::Ended(ended)) => Ok(ended),
        Some(Said::Refused(message)) => Err(Error::unavailable(message)),
        Some(Said::Started(_)) | None => {
            let status = status.map_or_else(|error| error.to_string(), |it| it.to_string());
            Err(Error::internal(format!("the child that sees to a program crashed: {status}")))
        }
    }
}

/// Sends the order, and listens until the child has no more to say.
fn converse(
    child: &mut Child,
    order: &[u8],
    handle: &Handle,
    program: &mut Option<Pid>,
) -> Option<Said> {
    let mut input = child.stdin.take()?;
    let mut output = BufReader::new(child.stdout.take()?);
    input.write_all(order).ok()?;
    handle.attach(input);
    loop {
        match rmp_serde::from_read(&mut output).ok()? {
            Said::Started(id) => *program = Pid::from_raw(id),
            said => return Some(said),
        }
    }
}

fn start() -> Result<Child> {
    // This very program, also when the file it came from was replaced by a newer one. It gets no
    // environment: whoever it starts could read it there.
    #[expect(clippy::disallowed_methods, reason = "this is where children of the daemon start")]
    let mut command = Command::new("/proc/self/exe");
    command.arg("program").current_dir("/").env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // A group of its own: what is sent to the daemon's from a terminal is not for it.
    let child = command.process_group(0).spawn();
    child.map_err(|error| Error::from_io("starting a child", &error))
}
