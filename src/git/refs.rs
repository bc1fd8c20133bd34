//! The names of every ref the program reads or writes.

use crate::error::{Error, Result};

pub const BRANCHES: &str = "refs/heads/";
/// The file with the refs that have none of their own.
pub const PACKED: &str = "packed-refs";
/// What is read and written in a Git folder besides objects.
pub const IN_A_GIT_FOLDER: &[&str] =
    &["HEAD", "config", "index", "logs", PACKED, "refs", "refs/heads", "refs/remotes"];
/// The folder of the reflogs.
pub const LOGS: &str = "logs";
pub const NOTES: &str = "refs/notes/";
/// The folder of all refs but `HEAD`.
pub const REFS: &str = "refs/";
pub const REMOTES: &str = "refs/remotes/";
pub const REPLACEMENTS: &str = "refs/replace/";
pub const TAGS: &str = "refs/tags/";
pub const TRACKING: &str = "refs/remotes/origin/";

/// A branch, by the name people use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch(String);

impl Branch {
    pub fn new(name: &str) -> Result<Branch> {
        let name = name.strip_prefix(BRANCHES).unwrap_or(name);
        let is_valid = git2::Reference::is_valid_name(&format!("{BRANCHES}{name}"));
        if !is_valid || name.starts_with('-') {
            let message = format!("`{name}` cannot be the name of a branch");
            return Err(Error::bad_request(message).with("field", "branch"));
        }
        Ok(Branch(name.to_owned()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// The ref here and at the remote.
    pub fn reference(&self) -> String {
        format!("{BRANCHES}{}", self.0)
    }

    /// The ref that remembers where the remote had it.
    pub fn tracking(&self) -> String {
        format!("{TRACKING}{}", self.0)
    }

    /// What a fetch of just this branch writes, also where it was rewritten.
    pub fn refspec(&self) -> String {
        format!("+{}:{}", self.reference(), self.tracking())
    }
}

/// The whole name of a ref; what has none is a branch.
pub fn in_full(name: &str) -> String {
    match name.starts_with("refs/") {
        true => name.to_owned(),
        false => format!("{BRANCHES}{name}"),
    }
}

/// Fails where Git would not take a whole name.
pub fn expect_reference(name: &str) -> Result<()> {
    let is_head = name.strip_prefix(BRANCHES) == Some("HEAD");
    match git2::Reference::is_valid_name(name) && !is_head {
        true => Ok(()),
        false => Err(Error::bad_request(format!("`{name}` cannot be the name of a ref"))),
    }
}

/// The names a remote's ref may have that a person calls `name`.
pub fn candidates(name: &str) -> Vec<String> {
    match name {
        "HEAD" => vec![name.to_owned()],
        _ if name.starts_with("refs/") => vec![name.to_owned()],
        _ => vec![format!("{BRANCHES}{name}")],
    }
}
