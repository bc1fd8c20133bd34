//! `run.verify`: whether a run is what its commits say.

use serde::Deserialize;

use super::{run_id, with};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain},
    runs::verify::Verified,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    path: RepositoryPath,
    run: Plain,
}

impl Operation for Verify {
    const NAME: &'static str = "run.verify";

    type Reply = Verified;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Verified> {
        let run = run_id(&self.run)?;
        with(context, |keeper, transaction| {
            transaction.be_durable();
            keeper.verify(&run, transaction)
        })
    }
}
