//! What a program without the feature `s3` knows of it.

use std::path::PathBuf;

use serde::{Deserialize, de::IgnoredAny};

use super::Store;
use crate::{
    error::{Error, Result},
    git::Transport,
    watch::Watch,
};

/// The argument `s3`, whatever it says.
#[derive(Deserialize)]
pub struct Bucket(#[allow(dead_code, reason = "nobody reads what it says")] IgnoredAny);

pub fn open<'a>(
    _: &'a Bucket,
    _: &[Transport],
    _: Option<PathBuf>,
    _: &'a Watch,
) -> Result<Box<dyn Store + 'a>> {
    let message = "this program was built without the feature `s3`";
    Err(Error::unsupported(message).with("feature", "s3"))
}
