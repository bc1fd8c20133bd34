//! A daemon that is asked several things.

use std::{env, ffi::OsString, io, process::ExitCode, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use serde_json::Value as Json;

use super::{
    NO_REPLY, REFUSED, complain, end,
    interrupt::Interrupt,
    supervisor::{self, Supervisor},
    text::shown,
};
use crate::config::Settings;

/// As long as a request can be: who gives a folder at the command line knows how much is in it.
const REQUEST_BYTES_MAX: u32 = 1 << 30;

/// How much a daemon logs.
const LOG: &str = "GITPORT_LOG";

/// Why there is no outcome.
pub enum Failure {
    /// The daemon says no.
    Refused(Json),
    /// It cannot be asked.
    Mistaken(String),
    Broken(io::Error),
}

pub type Outcome<T> = Result<T, Failure>;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Broken(error)
    }
}

impl Failure {
    /// Tells it, and ends with 1 where the daemon refused and 2 where there was no reply.
    pub fn told(self) -> ExitCode {
        match self {
            Failure::Refused(reply) => {
                refused(&reply);
                ExitCode::from(REFUSED)
            }
            Failure::Mistaken(what) => {
                complain(what);
                ExitCode::from(NO_REPLY)
            }
            Failure::Broken(error) => end(&error),
        }
    }
}

/// Says why, with everything that is wrong.
pub fn refused(reply: &Json) {
    complain(shown(reply["err"].as_str().unwrap_or_default()));
    // The first of them is the message.
    for it in reply["diagnostics"].as_array().into_iter().flatten().skip(1) {
        let text = |key: &str| it[key].as_str().unwrap_or_default();
        let (file, rule, message) = (text("file"), text("rule"), text("message"));
        let line = format!("{file}:{}:{}: error[{rule}]: {message}", it["line"], it["column"]);
        complain(shown(&line));
    }
}

pub struct Session {
    daemon: Supervisor,
    interrupt: Interrupt,
    farewell: String,
}

impl Session {
    pub fn start(settings: &Settings) -> io::Result<Session> {
        Session::start_with(&Session::flags(settings), Vec::new())
    }

    /// With other flags than those of the settings, and with variables.
    pub fn start_with(
        flags: &[OsString],
        mut variables: Vec<(&str, OsString)>,
    ) -> io::Result<Session> {
        // What an operator is warned of would be written over what a person looks at.
        if env::var_os(LOG).is_none() {
            variables.push((LOG, "error".into()));
        }
        let daemon = Supervisor::start_with(flags, variables)?;
        let interrupt = Interrupt::watch(&daemon.process)?;
        Ok(Session { daemon, interrupt, farewell: String::new() })
    }

    pub fn flags(settings: &Settings) -> Vec<OsString> {
        let settings = Settings { request_bytes_max: REQUEST_BYTES_MAX, ..settings.clone() };
        supervisor::flags(&settings)
    }

    /// What is said where a signal ends all this.
    pub fn set_farewell(&mut self, text: String) {
        self.farewell = text;
    }

    /// What is `ok` in the reply.
    pub fn ask(&mut self, request: &Json) -> Outcome<Json> {
        let reply = self.daemon.ask(request, |_| ());
        self.obey();
        let mut reply = reply?;
        match reply.get_mut("ok") {
            Some(value) => Ok(value.take()),
            None => Err(Failure::Refused(reply)),
        }
    }

    /// Lets some time pass, or less where there is something to read; tells whether there is.
    pub fn pause(&self, time: Duration, mut readable: Option<PollFd<'_>>) -> io::Result<bool> {
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        let polled = poll(readable.as_mut_slice(), Some(&time));
        self.obey();
        match polled {
            Ok(_) => Ok(readable.is_some_and(|it| !it.revents().is_empty())),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub fn finish(self) -> io::Result<()> {
        let Session { daemon, interrupt, farewell } = self;
        let finished = daemon.finish().map(drop);
        obey(&interrupt, &farewell);
        finished
    }

    fn obey(&self) {
        obey(&self.interrupt, &self.farewell);
    }
}

fn obey(interrupt: &Interrupt, farewell: &str) {
    if interrupt.came() && !farewell.is_empty() {
        complain(farewell);
    }
    interrupt.obey();
}

/// What is to be read, for [`Session::pause`].
pub fn readable(input: &io::Stdin) -> PollFd<'_> {
    PollFd::new(input, PollFlags::IN)
}
