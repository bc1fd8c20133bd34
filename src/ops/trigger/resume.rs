//! `trigger.resume`: a trigger starts what happens from now on.

use serde::Deserialize;

use super::{Paused, Which};
use crate::{
    error::Result,
    ops::{Context, Lane, Operation},
};

#[derive(Deserialize)]
#[serde(transparent)]
pub struct Resume(Which);

impl Operation for Resume {
    const NAME: &'static str = "trigger.resume";

    type Reply = Paused;

    fn lane(&self) -> Lane {
        Lane::Change(self.0.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Paused> {
        self.0.set(false, context)
    }
}
