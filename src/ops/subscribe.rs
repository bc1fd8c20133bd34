//! `subscribe`: which events the client wants to hear of.

use serde::{Deserialize, Serialize};

use super::{Call, Control};
use crate::{error::Result, port::envelope::Arguments};

/// The kinds of events there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum Event {
    Progress,
}

impl Event {
    pub const ALL: &[Event] = &[Event::Progress];
}

impl TryFrom<String> for Event {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Event, &'static str> {
        match &*name {
            "progress" => Ok(Event::Progress),
            _ => Err("the only kind of event is `progress`"),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    pub events: Vec<Event>,
}

pub fn decode(arguments: &Arguments) -> Result<Call> {
    Ok(Call::Control(Control::Subscribe(arguments.decode()?)))
}
