//! Processes as code: definitions are read from YAML, whatever is wrong with one is said with its
//! place, and they are tested and drawn.
//!
//! Nothing in here reads a file or knows the time: files come as bytes.

pub mod cron;
pub mod diagnostic;
pub mod graph;
pub mod lint;
pub mod load;
pub mod render;
pub mod schema;
pub mod source;
pub mod test;
pub mod yaml;
