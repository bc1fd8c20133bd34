//! `run.resume`: a run that was suspended goes on.

use serde::Deserialize;

use super::{Plainly, Taken};
use crate::{
    engine::event::What,
    error::Result,
    ops::{Context, Lane, Operation},
    runs::policy::Action,
};

#[derive(Deserialize)]
#[serde(transparent)]
pub struct Resume(Plainly);

impl Operation for Resume {
    const NAME: &'static str = "run.resume";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        Lane::Change(self.0.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Taken> {
        self.0.happen(Action::Resume, What::Resume, context)
    }
}
