//! `shutdown`: finish what is there, say so, and leave.

use serde::{Deserialize, Serialize};

use super::{Call, Control};
use crate::{error::Result, port::envelope::Arguments};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    pub grace_ms: Option<u64>,
}

/// How many requests were finished, and how many cancelled, since the shutdown was asked for.
#[derive(Serialize)]
pub struct Reply {
    pub finished: u64,
    pub cancelled: u64,
}

pub fn decode(arguments: &Arguments) -> Result<Call> {
    Ok(Call::Control(Control::Shutdown(arguments.decode()?)))
}
