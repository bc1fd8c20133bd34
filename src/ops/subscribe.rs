//! `subscribe`: which events the client wants to hear of.

use serde::{Deserialize, Serialize};

use super::{Call, Control};
use crate::{error::Result, port::envelope::Arguments};

/// The kinds of events there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    Progress,
}

impl Event {
    pub const ALL: &[Event] = &[Event::Progress];
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    pub events: Vec<Event>,
}

pub fn decode(arguments: &Arguments) -> Result<Call> {
    Ok(Call::Control(Control::Subscribe(arguments.decode()?)))
}
