//! Steps that gitport does itself: what their `configuration` may say.
//!
//! Lint looks at it before anything is published, and a daemon once more before it does a step: a
//! definition may have come from elsewhere.

pub mod exec;
pub mod git;
mod reader;
pub mod values;

use self::{exec::Exec, git::GitStep};
use crate::engine::definition::Data;

/// The key of the name in the data that takes what a step brings; its own where there is none.
const RESULT: &str = "result";

/// What is wrong with a configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where in it: `arguments[0]`.
    pub path: String,
    pub message: String,
}

/// A step that gitport does.
#[derive(Debug, PartialEq)]
pub enum Builtin {
    Exec(Box<Exec>),
    Git(GitStep),
}

impl Builtin {
    /// Of a step's type and configuration; nothing where somebody else is to do it, and all that is
    /// wrong where it cannot be read.
    pub fn read(step_type: &str, configuration: &Data) -> Option<Result<Builtin, Vec<Wrong>>> {
        match step_type {
            exec::TYPE if configuration.contains_key(exec::PROGRAM) => {
                Some(Exec::read(configuration).map(|it| Builtin::Exec(Box::new(it))))
            }
            git::TYPE if configuration.contains_key(git::DO) => {
                Some(GitStep::read(configuration).map(Builtin::Git))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
