//! The whole life of a daemon: from its first request to its exit status.

use std::{
    mem,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, after, never, select, unbounded};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{
    Dispatch, From, Ticket,
    board::Key,
    take::{Taken, closing},
};
use crate::{
    config::Settings,
    error::{Error, Result},
    git::{Root, SignWith, Signer, Store},
    ops::{Shutdown, ShutdownReply},
    port::{self, Broken, Output, Stdio, envelope},
};

/// How long the last replies may take to leave, even where nothing may take any time.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long cleaning up after killed children may take; the parent may be gone for as long.
const CLEAN_UP: Duration = Duration::from_millis(500);

/// What can end the daemon. Nothing else does.
pub enum End {
    Input(port::End),
    Signal,
    Asked(Asked),
    ClientGone,
}

impl End {
    fn is_asked(&self) -> bool {
        matches!(self, End::Asked(_))
    }
}

/// A `shutdown` that is answered last.
pub struct Asked {
    key: Key,
    grace: Option<Duration>,
    /// How many requests were without a reply when it came, and how many of them were cancelled.
    left: u64,
    cancelled: u64,
}

/// Serves until something ends it, then finishes what is running.
///
/// The process must exit with the returned status right away: threads may still be stuck in work
/// that nobody waits for.
pub fn serve(settings: Settings, stdio: Stdio) -> ExitCode {
    raise_limit_of_files();
    let root = Root::new(settings.root.as_deref());
    let store = match root.and_then(|root| Store::new(root, settings.data.as_deref())) {
        Ok(store) => store,
        Err(error) => {
            log::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let signer = match settings.receipt_key.clone().map(receipt_signer).transpose() {
        Ok(signer) => signer,
        Err(error) => {
            log::error!("the key for receipts: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (ends, ended) = unbounded();
    let sender = ends.clone();
    let on_gone = Box::new(move || drop(sender.send(End::ClientGone)));
    let output = Arc::new(Output::new(stdio.output, on_gone));
    let (grace, frame_bytes_max) = (settings.grace_ms, settings.request_bytes_max as usize);
    let dispatch = Dispatch::new(settings, store, signer, output.clone(), ends.clone());

    let it = output.clone();
    start("port-writer", move || it.write_for_others());
    let (it, sender) = (output, ends.clone());
    start("port-watch", move || {
        it.wait_until_gone();
        drop(sender.send(End::ClientGone));
    });
    let it = dispatch.clone();
    start("clock", move || it.keep_time());
    let it = dispatch.clone();
    start("runs", move || it.keep_runs_going());
    if dispatch.own_steps.own.is_any() {
        let it = dispatch.clone();
        start("own-steps", move || it.do_own_steps());
    }
    let it = dispatch.clone();
    start("triggers", move || it.keep_watch());
    let it = dispatch.clone();
    start("rest", move || it.bring_to_rest());
    if 0 < dispatch.settings.maintain_every_ms {
        let it = dispatch.clone();
        start("upkeep", move || it.keep_up());
    }
    let sender = ends.clone();
    match Signals::new([SIGTERM, SIGINT]) {
        Ok(mut signals) => start("signals", move || {
            signals.forever().for_each(|_| drop(sender.send(End::Signal)));
        }),
        Err(error) => log::warn!("signals will not be heard: {error}"),
    }
    // The last, so that whoever has a reply knows that all of this is there.
    let (it, sender) = (dispatch.clone(), ends);
    start("port-reader", move || {
        let take = |frame: port::Frame| it.take(&frame);
        let is_quiet = || it.is_quiet();
        let end = port::read_requests(stdio.input, frame_bytes_max, &it.output, take, is_quiet);
        it.output.flush();
        drop(sender.send(End::Input(end)));
    });
    let code = dispatch.live_until(&ended, Duration::from_millis(grace));
    dispatch.stop_everything();
    dispatch.wait_for_network();
    code
}

/// Nobody counts on signatures that are not made: who has a key signs, or does not start.
fn receipt_signer(file: PathBuf) -> Result<Signer> {
    let signer = Signer::proven(&SignWith::KeyFile { file, passphrase: None })?;
    log::info!("receipts are signed by {}", signer.fingerprint());
    Ok(signer)
}

pub(super) fn start(name: &str, body: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.expect("the system has a thread left");
}

impl Dispatch {
    /// Takes a `shutdown` off the board: it is answered when all others are.
    pub(super) fn ask_to_leave(
        self: &Arc<Self>,
        key: Key,
        shutdown: &Shutdown,
        from: From,
    ) -> Taken {
        let grace = shutdown.grace_ms.map(Duration::from_millis);
        let is_unnamed = key.id().is_none();
        let mut board = self.board();
        if mem::replace(&mut board.has_shutdown, true) {
            drop(board);
            self.reply(key.id(), Err(closing()), from);
            return Taken::Answered;
        }
        let left = board.live().count() as u64;
        // Heard before it is quiet, or nobody would be answered.
        drop(self.ends.send(End::Asked(Asked { key, grace, left, cancelled: 0 })));
        board.close(self.quiet.0.clone());
        drop(board);
        if is_unnamed {
            let error = Error::unavailable("a shutdown came before this");
            self.board().unnamed.condemn(error);
            self.take_next_unnamed(from);
        }
        Taken::Pending
    }

    fn live_until(self: &Arc<Self>, ended: &Receiver<End>, grace: Duration) -> ExitCode {
        let mut code = ExitCode::SUCCESS;
        let (mut asked, mut limit) = (None, never());
        let mut is_open = true;
        loop {
            select! {
                recv(ended) -> end => match end.expect("this thread keeps a sender") {
                    End::ClientGone | End::Input(port::End::ClientGone) => return code,
                    End::Asked(it) => {
                        limit = it.grace.map_or_else(never, after);
                        asked = Some(it);
                    }
                    End::Input(port::End::Closed) if asked.is_some() => (),
                    End::Signal if !is_open => limit = after(Duration::ZERO),
                    End::Signal | End::Input(port::End::Closed) => limit = after(grace),
                    End::Input(port::End::Broken(broken)) => {
                        self.tell_broken(&broken);
                        code = ExitCode::FAILURE;
                        limit = after(grace);
                    }
                },
                recv(limit) -> _ => {
                    limit = never();
                    let cancelled = self.cancel_everything();
                    if let Some(asked) = &mut asked {
                        asked.cancelled = cancelled.min(asked.left);
                    }
                }
                recv(self.quiet.1) -> _ => {
                    // What made it quiet may not have been heard yet.
                    if let Some(End::Asked(it)) = ended.try_iter().find(End::is_asked) {
                        asked = Some(it);
                    }
                    break;
                }
            }
            if is_open {
                is_open = false;
                self.board().close(self.quiet.0.clone());
                self.send_away();
                self.own_steps.close();
            }
        }
        self.say_goodbye(asked, grace);
        code
    }

    fn say_goodbye(self: &Arc<Self>, asked: Option<Asked>, grace: Duration) {
        self.schedule.end();
        self.own_steps.wait();
        self.write_receipts();
        self.store.written().leave(Instant::now() + grace.max(LAST_WORDS));
        let until = Instant::now() + grace.max(LAST_WORDS);
        // What was off the board when it closed may not be with the output yet.
        while 0 < self.replying.load(SeqCst) && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(1));
        }
        if let Some(Asked { key, left, cancelled, .. }) = asked {
            let reply = ShutdownReply { finished: left - cancelled, cancelled };
            self.reply(key.id(), Ok(envelope::encoded(&reply)), From::Clock);
        }
        self.output.drain(until);
    }

    /// Says why nothing more can be read, in a frame that belongs to no request.
    fn tell_broken(&self, broken: &Broken) {
        let limit = u64::from(self.settings.request_bytes_max);
        let error = match broken {
            Broken::TooLong { bytes } if is_text(*bytes) => {
                { Error::too_large("this is text and no frame; `gitport shell` takes JSON lines") }
                    .with("bytes", *bytes as u64)
                    .with("limit", limit)
            }
            Broken::TooLong { bytes } => Error::too_large("the frame is longer than allowed")
                .with("bytes", *bytes as u64)
                .with("limit", limit),
            Broken::Truncated => Error::bad_request("stdin ended in the middle of a frame"),
            Broken::Input(error) => Error::unavailable(format!("stdin cannot be read: {error}")),
        };
        log::error!("{error}");
        self.reply(None, Err(error), From::Clock);
    }

    fn cancel_everything(self: &Arc<Self>) -> u64 {
        let error = Error::cancelled("the daemon ended before this was done");
        let live: Vec<Arc<Ticket>> = {
            let mut board = self.board();
            board.unnamed.condemn(error.clone());
            board.live().cloned().collect()
        };
        for ticket in &live {
            self.give_up(ticket, error.clone(), From::Clock);
        }
        live.len() as u64
    }

    /// Lets those whose children were killed clean up after them.
    fn wait_for_network(&self) {
        let until = Instant::now() + CLEAN_UP;
        while 0 < self.stats.network.running.load(Relaxed) && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    fn stop_everything(&self) {
        self.schedule.end();
        self.board().live().for_each(|it| it.watch.stop());
    }
}

/// As many files may be open as the system allows: each repository in use has some.
fn raise_limit_of_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        log::debug!("no more files can be open than {:?}: {error}", limit.current);
    }
}

/// Whether a length is what the start of a line of text would be as one.
fn is_text(bytes: usize) -> bool {
    u32::try_from(bytes).is_ok_and(|it| it.to_be_bytes().iter().all(|it| (b' '..0x7f).contains(it)))
}
