//! `cancel`: end a request that waits for its reply.

use serde::Deserialize;

use super::{Call, Control};
use crate::{error::Result, id::RequestId, port::envelope::Arguments};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    pub request: RequestId,
}

pub fn decode(arguments: &Arguments) -> Result<Call> {
    Ok(Call::Control(Control::Cancel(arguments.decode()?)))
}
