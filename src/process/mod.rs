//! Processes as code: definitions are read from YAML, whatever is wrong with one is said with its
//! place, they are tested and drawn, and what is published is an artifact for ever.
//!
//! But for the stores, nothing in here reads a file or knows the time: files come as bytes.

pub mod artifact;
pub mod builtin;
#[cfg(feature = "s3")]
pub mod cache;
pub mod called;
pub mod cron;
pub mod diagnostic;
pub mod gate;
pub mod graph;
pub mod lint;
pub mod load;
pub mod render;
#[cfg(test)]
mod schema;
pub mod selector;
pub mod source;
pub mod store;
pub mod test;
pub mod trigger;
pub mod yaml;
