//! Processes as code: read, linted, tested and drawn, and published as artifacts that never change.

pub mod get;
pub mod graph;
pub mod lint;
pub mod list;
pub mod publish;
pub mod test;

pub mod files;
pub mod place;
