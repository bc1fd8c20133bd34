//! `ping`: whether the daemon reads and writes.

use serde::Deserialize;

use super::{Context, Lane, Operation};
use crate::error::Result;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ping {}

impl Operation for Ping {
    const NAME: &'static str = "ping";

    type Reply = &'static str;

    fn lane(&self) -> Lane {
        Lane::Quick
    }

    fn run(self, _: &Context) -> Result<&'static str> {
        Ok("pong")
    }
}
