//! `run.cancel`: all that is left of a run is withdrawn.

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
pub struct Cancel(Plainly);

impl Operation for Cancel {
    const NAME: &'static str = "run.cancel";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        Lane::Change(self.0.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Taken> {
        self.0.happen(Action::Cancel, What::Cancel, context)
    }
}
