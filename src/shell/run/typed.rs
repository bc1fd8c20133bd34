//! Lines that somebody types, waited for while other things go on.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use crate::shell::session::{Outcome, Session, readable};

/// How often it is looked whether the question is still one.
const EVERY: Duration = Duration::from_millis(500);
/// Nobody types a longer line.
const LINE_BYTES_MAX: usize = 1 << 20;

#[derive(Default)]
pub struct Typed {
    /// What was typed and not taken yet.
    bytes: VecDeque<u8>,
}

pub enum Line {
    Said(String),
    /// Nobody says anything more.
    End,
    /// The question is none any more.
    Gone,
}

impl Typed {
    pub fn can_ask() -> bool {
        io::stdin().is_terminal()
    }

    /// Asks, and waits for a line as long as the question is one.
    pub fn ask(
        &mut self,
        session: &mut Session,
        question: &str,
        mut is_open: impl FnMut(&mut Session) -> Outcome<bool>,
    ) -> Outcome<Line> {
        say(question)?;
        loop {
            if let Some(at) = self.bytes.iter().position(|it| *it == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=at).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(Line::Said(line.trim().to_owned()));
            }
            let input = io::stdin();
            if session.pause(EVERY, Some(readable(&input)))? {
                let mut bytes = [0; 4096];
                let count = match rustix::io::read(&input, &mut bytes) {
                    Err(rustix::io::Errno::INTR) => continue,
                    count => count.map_err(io::Error::from)?,
                };
                if count == 0 || LINE_BYTES_MAX < self.bytes.len() {
                    say("\n")?;
                    return Ok(Line::End);
                }
                self.bytes.extend(&bytes[..count]);
            } else if !is_open(session)? {
                say("\n")?;
                return Ok(Line::Gone);
            }
        }
    }
}

/// Says something to whoever types, and to nobody else.
pub fn say(text: &str) -> io::Result<()> {
    io::stderr().lock().write_all(text.as_bytes())
}
