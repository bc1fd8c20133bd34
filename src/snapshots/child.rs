//! The child's side of reading a database: an order in, states and files out, and death with the
//! parent.

use std::{
    fs::File as Pipe,
    io::{BufReader, BufWriter, Read, Write},
    os::fd::OwnedFd,
    process::ExitCode,
    thread,
};

use crossbeam_channel::{Receiver, bounded};
use serde::{Deserialize, Serialize};

use super::{Database, File, State};
use crate::error::{Carried, Error, Result};

const BUFFER_BYTES: usize = 256 * 1024;

/// What a child says, in this order: all states, then the files of those that were asked for, each
/// state with its end.
#[derive(Serialize, Deserialize)]
pub(super) enum Said {
    State(State),
    Ready,
    File(File),
    End,
    Failed(Carried),
}

/// Reads the database that is ordered on stdin, as the daemon's child.
pub fn run(input: OwnedFd, output: OwnedFd) -> ExitCode {
    let mut input = BufReader::new(Pipe::from(input));
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, Pipe::from(output));
    let Ok(database) = rmp_serde::from_read::<_, Database>(&mut input) else {
        return ExitCode::FAILURE;
    };
    let wanted = listen(input);
    let read = read(&database, &wanted, &mut output);
    let said = read.or_else(|error| say(&mut output, &Said::Failed(error.into())));
    match said.and_then(|()| output.flush().map_err(unheard)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read(database: &Database, wanted: &Receiver<Vec<u32>>, output: &mut impl Write) -> Result<()> {
    let mut source = database.open()?;
    let states = source.states()?;
    for state in &states {
        say(output, &Said::State(state.clone()))?;
    }
    say(output, &Said::Ready)?;
    output.flush().map_err(unheard)?;
    for index in wanted.recv().map_err(unheard)? {
        let Some(state) = states.get(index as usize) else { break };
        source.files(state, &mut |file| say(output, &Said::File(file)))?;
        say(output, &Said::End)?;
        output.flush().map_err(unheard)?;
    }
    Ok(())
}

/// Hears which states are wanted, and ends the process when the parent is gone: whatever the
/// database is doing.
fn listen(mut input: BufReader<Pipe>) -> Receiver<Vec<u32>> {
    let (wants, wanted) = bounded(1);
    let hear = move || {
        if let Ok(states) = rmp_serde::from_read(&mut input) {
            let _ = wants.send(states);
            let _ = input.read(&mut [0]);
        }
        std::process::exit(1);
    };
    let thread = thread::Builder::new().name("parent".to_owned()).spawn(hear);
    thread.expect("a child needs two threads");
    wanted
}

fn say(output: &mut impl Write, said: &Said) -> Result<()> {
    rmp_serde::encode::write_named(output, said).map_err(unheard)
}

fn unheard(error: impl std::fmt::Display) -> Error {
    Error::unavailable(format!("the parent is gone: {error}"))
}
