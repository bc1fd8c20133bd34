//! Runs of processes, kept in Git.
//!
//! What the engine says becomes commits: one for each firing, whose parents are the commits of the
//! firings that made what it took, so that the history of a run is its causal net. The first of an
//! event says what happened, from which the engine makes all of it again: [`replay`] does, and
//! names the first commit that is not what it should be.

mod files;
pub mod message;
pub mod replay;
pub mod run;
#[cfg(test)]
mod tests;
