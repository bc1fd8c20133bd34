//! The daemon's side of a program: its child is started, heard, and told to stop.

use std::{
    io::{BufReader, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select, unbounded};
use rustix::process::Pid;
use serde_bytes::ByteBuf;

use super::{Ended, GRACE_MS, Order, Said, Why, tree::kill_with_family};
use crate::{
    error::{Error, Result},
    watch,
};

/// How long the child may be silent after it had to ask a program to end: a program can stop it, or
/// hold it up, and is not to win time by that.
const SILENCE_MS: u64 = GRACE_MS + 1000;

/// By which a program can be stopped, from the moment at which it is to run.
#[derive(Debug)]
pub struct Handle {
    is_stopped: AtomicBool,
    /// The lifeline of the child, and where it hears.
    input: Mutex<Option<ChildStdin>>,
    /// Where who waits for the child hears it, too.
    stops: Sender<()>,
    stopped: Receiver<()>,
}

impl Default for Handle {
    fn default() -> Handle {
        let (stops, stopped) = bounded(1);
        Handle { is_stopped: AtomicBool::default(), input: Mutex::default(), stops, stopped }
    }
}

impl Handle {
    /// Has the program end; what is stopped twice was stopped.
    pub fn stop(&self) {
        let mut input = self.input.lock().expect("nobody panics with the lock");
        if self.is_stopped.swap(true, SeqCst) {
            return;
        }
        // Who is not there any more need not hear it.
        let _ = self.stops.try_send(());
        if let Some(input) = &mut *input {
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

/// How it was that the child had no more to say.
enum Heard {
    Said(Said),
    /// It is gone.
    Nothing,
    /// It is there, and should have said something long ago.
    Silence,
}

/// Runs a program to its end.
pub fn run(order: &Order, handle: &Handle) -> Result<Ended> {
    let bytes = rmp_serde::to_vec_named(order);
    let bytes = bytes.map_err(|error| Error::internal(error.to_string()))?;
    let mut child = start()?;
    let mut program = None;
    let heard = converse(&mut child, &bytes, order.timeout_ms, handle, &mut program);
    handle.detach();
    if !matches!(heard, Heard::Said(_)) {
        // Who had to see to it that nobody is left does not.
        program.into_iter().for_each(watch::kill);
        kill_with_family(Pid::from_child(&child));
    }
    let status = child.wait();
    match heard {
        Heard::Said(Said::Ended(ended)) => Ok(ended),
        Heard::Said(Said::Refused(message)) => Err(Error::unavailable(message)),
        Heard::Silence => Ok(Ended {
            why: if handle.is_stopped() { Why::Stopped } else { Why::Timeout },
            code: None,
            signal: None,
            stdout: ByteBuf::new(),
            stderr: ByteBuf::new(),
            truncated: false,
        }),
        Heard::Said(Said::Started(_)) | Heard::Nothing => {
            let status = status.map_or_else(|error| error.to_string(), |it| it.to_string());
            Err(Error::internal(format!("the child that sees to a program crashed: {status}")))
        }
    }
}

/// Sends the order, and listens until the child has no more to say.
fn converse(
    child: &mut Child,
    order: &[u8],
    timeout_ms: u64,
    handle: &Handle,
    program: &mut Option<Pid>,
) -> Heard {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Heard::Nothing;
    };
    let Ok(says) = listen(output) else { return Heard::Nothing };
    if input.write_all(order).is_err() {
        return Heard::Nothing;
    }
    handle.attach(input);
    let mut stopped = handle.stopped.clone();
    let mut silence = after(Duration::from_millis(timeout_ms.saturating_add(SILENCE_MS)));
    loop {
        select! {
            recv(says) -> said => match said {
                Ok(Said::Started(id)) => *program = Pid::from_raw(id),
                Ok(said) => return Heard::Said(said),
                Err(_) => return Heard::Nothing,
            },
            recv(stopped) -> _ => {
                stopped = never();
                silence = after(Duration::from_millis(SILENCE_MS));
            },
            recv(silence) -> _ => return Heard::Silence,
        }
    }
}

/// What the child says, until it is gone or says something that is nothing.
fn listen(output: ChildStdout) -> std::io::Result<Receiver<Said>> {
    let (says, said) = unbounded();
    let mut output = BufReader::new(output);
    let listen = move || {
        while let Ok(it) = rmp_serde::from_read(&mut output) {
            if says.send(it).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("program-says".to_owned()).spawn(listen)?;
    Ok(said)
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
