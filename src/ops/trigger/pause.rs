//! `trigger.pause`: a trigger starts nothing until it is resumed.

use serde::Deserialize;

use super::{Paused, Which};
use crate::{
    error::Result,
    ops::{Context, Lane, Operation},
};

#[derive(Deserialize)]
#[serde(transparent)]
pub struct Pause(Which);

impl Operation for Pause {
    const NAME: &'static str = "trigger.pause";

    type Reply = Paused;

    fn lane(&self) -> Lane {
        Lane::Change(self.0.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Paused> {
        self.0.set(true, context)
    }
}
