//! `run.suspend`: nothing more of a run is started, and no time counts, until it is resumed.

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
pub struct Suspend(Plainly);

impl Operation for Suspend {
    const NAME: &'static str = "run.suspend";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        Lane::Change(self.0.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Taken> {
        self.0.happen(Action::Suspend, What::Suspend, context)
    }
}
