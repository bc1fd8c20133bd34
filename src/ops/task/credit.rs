//! `task.credit`: a worker can take more of the tasks that are sent to it.

use serde::Deserialize;

use super::TASKS_MAX;
use crate::{
    error::{Error, Result},
    id::RequestId,
    ops::{Call, Control},
    port::envelope::Arguments,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// The id of the `task.subscribe`.
    pub request: RequestId,
    pub credits: u64,
}

pub fn decode(arguments: &Arguments) -> Result<Call> {
    let credit: Credit = arguments.decode()?;
    expect_credits(credit.credits)?;
    Ok(Call::Control(Control::Credit(credit)))
}

pub fn expect_credits(credits: u64) -> Result<()> {
    match (1..=TASKS_MAX as u64).contains(&credits) {
        true => Ok(()),
        false => Err(Error::bad_request(format!("`credits` is from 1 to {TASKS_MAX}"))
            .with("field", "credits")),
    }
}
