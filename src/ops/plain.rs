//! Text in arguments that Git, C and the file system can take whole.

use std::{ops::Deref, path::PathBuf};

use serde::Deserialize;

/// Text without a NUL byte: what others stop reading at would make another text of it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Plain(String);

impl TryFrom<String> for Plain {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Plain, &'static str> {
        match text.contains('\0') {
            true => Err("a text cannot have a NUL byte"),
            false => Ok(Plain(text)),
        }
    }
}

impl From<&str> for Plain {
    /// For text that is written in the program.
    fn from(text: &str) -> Plain {
        Plain(text.to_owned())
    }
}

impl From<Plain> for String {
    fn from(Plain(text): Plain) -> String {
        text
    }
}

impl From<Plain> for PathBuf {
    fn from(Plain(text): Plain) -> PathBuf {
        PathBuf::from(text)
    }
}

impl Deref for Plain {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
