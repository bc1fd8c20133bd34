//! `stats`: what the daemon counted about itself since it started.

use serde::Deserialize;

use super::{Context, Lane, Operation};
use crate::{error::Result, stats::Snapshot};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {}

impl Operation for Stats {
    const NAME: &'static str = "stats";

    type Reply = Snapshot;

    fn lane(&self) -> Lane {
        Lane::Quick
    }

    fn run(self, context: &Context) -> Result<Snapshot> {
        Ok(context.stats.snapshot())
    }
}
