//! What a stranger can prove about the built program: nothing here knows a line of its source.
#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]
#![allow(clippy::disallowed_methods, reason = "these rules are about the program's own processes")]

mod daemon;
mod msgpack;
mod processes;
mod repository;
mod servers;
mod terminal;

mod bad_input;
mod bad_luck;
mod contract;
mod defining;
mod durability;
mod exporting;
mod importing;
mod locks;
mod odd;
mod oldest;
mod paths;
mod publishing;
mod reading;
mod remotes;
mod root;
mod running;
mod shell;
mod snapshots;
mod storing;
mod syncing;
mod vectors;
mod workspaces;

/// Says on the terminal what this machine cannot prove, past the capture of output.
fn skipped(what: &str, why: &str) {
    use std::io::Write;
    let mut terminal = std::io::stderr();
    writeln!(terminal, "skipped: {what}: {}", why.trim()).unwrap();
}
