//! A daemon that is asked several things.

use std::io;

use serde_json::Value as Json;

use super::{Failure, Outcome};
use crate::{
    config::Settings,
    shell::{
        interrupt::Interrupt,
        supervisor::{self, Supervisor},
    },
};

/// As long as a request can be: who gives a folder at the command line knows how much is in it.
const REQUEST_BYTES_MAX: u32 = 1 << 30;

pub struct Session {
    daemon: Supervisor,
    interrupt: Interrupt,
}

impl Session {
    pub fn start(settings: &Settings) -> io::Result<Session> {
        let settings = Settings { request_bytes_max: REQUEST_BYTES_MAX, ..settings.clone() };
        let daemon = Supervisor::start(&supervisor::flags(&settings))?;
        let interrupt = Interrupt::watch(&daemon.process)?;
        Ok(Session { daemon, interrupt })
    }

    /// What is `ok` in the reply.
    pub fn ask(&mut self, request: &Json) -> Outcome<Json> {
        let reply = self.daemon.ask(request, |_| ());
        self.interrupt.obey();
        let mut reply = reply?;
        match reply.get_mut("ok") {
            Some(value) => Ok(value.take()),
            None => Err(Failure::Refused(reply)),
        }
    }

    pub fn finish(self) -> io::Result<()> {
        let finished = self.daemon.finish().map(drop);
        self.interrupt.obey();
        finished
    }
}
