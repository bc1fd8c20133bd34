//! Reflogs: a line for each move of a ref, where Git itself would write one.
//!
//! They are a help for people and no part of what is answered for: one that cannot be written is
//! told in the log, and a crash may lose the last lines.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use git2::Oid;
use rustix::fs::OFlags;

use super::{
    Message, Person, Repository,
    folder::remove_empty,
    refs::{BRANCHES, LOGS, NOTES, REMOTES},
};

/// What is to be said of one move.
pub struct Line {
    name: String,
    is_removed: bool,
    who: (String, String),
    text: Vec<u8>,
}

impl Line {
    pub fn new(name: &str, from: Option<Oid>, to: Option<Oid>, who: &Person, why: &[u8]) -> Line {
        let ids = [from, to].map(|it| it.unwrap_or(Oid::ZERO_SHA1).to_string());
        let mut text = ids.join(" ").into_bytes();
        text.extend_from_slice(who.line("").trim_ascii_end());
        text.push(b'\t');
        // One line, as Git makes it.
        let words = why.split(u8::is_ascii_whitespace).filter(|it| !it.is_empty());
        text.extend_from_slice(&words.collect::<Vec<&[u8]>>().join(&b' '));
        text.push(b'\n');
        let said = [&who.name, &who.email].map(|it| String::from_utf8_lossy(it).into_owned());
        Line { name: name.to_owned(), is_removed: to.is_none(), who: said.into(), text }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name and the mail of who moved it.
    pub fn who(&self) -> &(String, String) {
        &self.who
    }
}

/// What was done, and the first line of what was said about it.
pub fn subject(what: &str, message: &Message) -> Vec<u8> {
    let first = message.text.split(|it| *it == b'\n').next().unwrap_or_default();
    [what.as_bytes(), b": ", first].concat()
}

/// Which refs get a log that have none yet.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    None,
    Usual,
    All,
}

pub fn write(repository: &Repository, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    let wanted = wanted(repository);
    let folders = [repository.common_folder(), repository.git_folder()];
    if wanted == Wanted::None && !folders.iter().any(|it| it.join(LOGS).is_dir()) {
        return;
    }
    let head = repository.head_target();
    for line in lines {
        let log = repository.common_folder().join(LOGS).join(&line.name);
        let is_usual = [BRANCHES, REMOTES, NOTES].iter().any(|it| line.name.starts_with(it));
        let written = match line.is_removed {
            true => remove(&log),
            false => {
                append(&log, line, wanted == Wanted::All || is_usual && wanted != Wanted::None)
            }
        };
        let written = written.and_then(|()| match head.as_deref() == Some(line.name.as_bytes()) {
            true => {
                let log = repository.git_folder().join(LOGS).join("HEAD");
                append(&log, line, wanted != Wanted::None)
            }
            false => Ok(()),
        });
        if let Err(error) = written {
            log::warn!("{}: {error}", log.display());
        }
    }
}

fn wanted(repository: &Repository) -> Wanted {
    let usual = if repository.is_bare() { Wanted::None } else { Wanted::Usual };
    let Ok(config) = repository.inner.config() else { return usual };
    match config.get_string("core.logallrefupdates") {
        Ok(value) if value.eq_ignore_ascii_case("always") => Wanted::All,
        Ok(_) => match config.get_bool("core.logallrefupdates") {
            Ok(true) => Wanted::Usual,
            Ok(false) => Wanted::None,
            Err(_) => usual,
        },
        Err(_) => usual,
    }
}

/// A log that is there is always continued.
fn append(log: &Path, line: &Line, is_wanted: bool) -> io::Result<()> {
    // Neither through a link nor into a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let open = || OpenOptions::new().append(true).create(is_wanted).custom_flags(flags).open(log);
    let opened = open().or_else(|error| match error.kind() {
        io::ErrorKind::NotFound if is_wanted => {
            log.parent().map_or(Ok(()), fs::create_dir_all)?;
            open()
        }
        // Folders that the logs of removed refs left behind.
        io::ErrorKind::IsADirectory if is_wanted => {
            remove_empty(log)?;
            open()
        }
        _ => Err(error),
    });
    match opened {
        Ok(mut file) => file.write_all(&line.text),
        Err(_) if !is_wanted => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove(log: &Path) -> io::Result<()> {
    match fs::remove_file(log) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
