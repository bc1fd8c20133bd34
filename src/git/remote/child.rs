//! The child's side: one order in, its outcome out, and death with the parent.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    os::fd::OwnedFd,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, after, bounded, select};
use rustix::process::{Signal, kill_current_process_group};

use super::{Message, Order, Outcome, Task, ask, fetch, housework, look, push};
use crate::{
    error::{Error, Result},
    watch::{Progress, Watch},
};

/// Carries out the order on stdin, as the daemon's child.
pub fn run(input: OwnedFd, output: OwnedFd) -> ExitCode {
    let mut input = BufReader::new(File::from(input));
    let output: &'static Mutex<File> = Box::leak(Box::new(Mutex::new(File::from(output))));
    let Ok(order) = rmp_serde::from_read::<_, Order>(&mut input) else { return ExitCode::FAILURE };
    let consent = listen(input, order.limit_ms, output);
    let received = AtomicU64::new(0);
    let watch = Watch::new(Some(Box::new(move |progress| {
        // What came over the network does not become less in a later stage.
        let before = received.fetch_max(progress.bytes, Relaxed);
        let bytes = progress.bytes.max(before);
        say(output, &Message::Progress(Progress { bytes, ..progress.clone() }));
    })));
    let parent = Parent { output, consent };
    let outcome = carry_out(order.task, &parent, &watch);
    say(output, &Message::Done(outcome.map_err(Into::into)));
    ExitCode::SUCCESS
}

fn carry_out(task: Task, parent: &Parent, watch: &Watch) -> Result<Outcome> {
    match task {
        Task::Sync(sync) => fetch::sync(&sync, parent, watch).map(Outcome::Commit),
        Task::Push(order) => push::push(&order, watch).map(Outcome::Pushed),
        Task::Lsremote { remote, branch, git } => {
            fetch::prepare(&remote)?;
            ask::lsremote(&remote, branch.as_deref(), git.as_deref()).map(Outcome::Refs)
        }
        Task::Look(order) => look::look(&order, watch).map(Outcome::Shown),
        Task::Housework(order) => housework::carry_out(&order, watch).map(Outcome::Done),
        #[cfg(feature = "faults")]
        Task::Fault { kind, ms } => {
            super::fault::commit(&kind, ms);
            Ok(Outcome::Refs(Vec::new()))
        }
    }
}

/// The parent, as far as the work needs it.
pub(super) struct Parent {
    output: &'static Mutex<File>,
    consent: Receiver<()>,
}

impl Parent {
    /// Asks whether somebody still waits; afterwards the work is not interrupted any more.
    pub fn ask(&self) -> Result<()> {
        say(self.output, &Message::Ready);
        self.consent.recv().map_err(|_| Error::cancelled("the parent is gone"))
    }
}

/// Hears the parent's consent, and ends the whole group when the parent or the time is gone.
fn listen(mut input: BufReader<File>, limit_ms: u64, output: &'static Mutex<File>) -> Receiver<()> {
    let (consents, consent) = bounded(1);
    let (ends, end) = bounded::<()>(0);
    let hear = move || {
        let mut byte = [0];
        while matches!(input.read(&mut byte), Ok(1)) {
            let _ = consents.send(());
        }
        drop(ends);
    };
    let watch = move || {
        select! {
            recv(end) -> _ => (),
            recv(after(Duration::from_millis(limit_ms))) -> _ => {
                let error = Error::timeout(format!("network work may take {limit_ms} ms"))
                    .with("timeout_ms", limit_ms);
                say(output, &Message::Done(Err(error.into())));
            }
        }
        let _ = kill_current_process_group(Signal::KILL);
    };
    for (name, body) in
        [("parent", Box::new(hear) as Box<dyn FnOnce() + Send>), ("limit", Box::new(watch))]
    {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
        thread.expect("a child needs two threads");
    }
    consent
}

fn say(output: &Mutex<File>, message: &Message) {
    let bytes = rmp_serde::to_vec_named(message).expect("messages can be encoded");
    let mut output = output.lock().expect("nobody panics with the lock");
    // A parent that does not hear is gone, which the other thread notices.
    let _ = output.write_all(&bytes);
}
