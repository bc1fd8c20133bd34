//! `batch`: several requests in one frame, carried out one after the other.

use std::collections::VecDeque;

use serde::Deserialize;

use super::{Call, Control};
use crate::{
    error::{Error, Result},
    port::envelope::{Arguments, encoded},
};

/// How many requests one batch may have.
pub const ENTRIES_MAX: usize = 1000;

/// Operations that are about other requests have no place among them.
const FORBIDDEN: &[&str] =
    &["batch", "cancel", "shutdown", "subscribe", "task.credit", "task.subscribe"];

/// The requests of a batch, each one encoded as it would be in a frame of its own.
pub struct Batch {
    pub requests: VecDeque<Vec<u8>>,
    pub stop_on_error: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    requests: rmpv::Value,
    #[serde(default)]
    stop_on_error: bool,
}

pub fn decode(arguments: &Arguments) -> Result<Call> {
    let Fields { requests, stop_on_error } = arguments.decode()?;
    let rmpv::Value::Array(requests) = requests else {
        return Err(Error::bad_request("`requests` is a list").with("field", "requests"));
    };
    if requests.is_empty() || ENTRIES_MAX < requests.len() {
        let message = format!("a batch has 1 to {ENTRIES_MAX} requests, not {}", requests.len());
        return Err(Error::bad_request(message).with("field", "requests"));
    }
    let requests = requests.iter().map(encoded).collect();
    Ok(Call::Control(Control::Batch(Batch { requests, stop_on_error })))
}

impl Batch {
    /// Whether a request with this operation and envelope may be in a batch.
    pub fn admits(op: &str, has_id: bool, has_timeout: bool) -> Result<()> {
        if FORBIDDEN.contains(&op) {
            return Err(
                Error::bad_request(format!("`{op}` cannot be in a batch")).with("field", "op")
            );
        }
        for (field, is_there) in [("id", has_id), ("timeout_ms", has_timeout)] {
            if is_there {
                let message = format!("`{field}` is for the whole batch, not for one of it");
                return Err(Error::bad_request(message).with("field", field));
            }
        }
        Ok(())
    }
}
