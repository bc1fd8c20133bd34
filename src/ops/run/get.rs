//! `run.get`: how a run stands, with its data and what can be done in it.

use serde::Deserialize;

use super::{run_id, with};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain},
    runs::view::Overview,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    path: RepositoryPath,
    run: Plain,
    /// As it was with the commit of this number.
    seq: Option<u64>,
}

impl Operation for Get {
    const NAME: &'static str = "run.get";

    type Reply = Overview;

    fn lane(&self) -> Lane {
        // Together with what is being written: what is told is on disk.
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Overview> {
        let run = run_id(&self.run)?;
        with(context, |keeper, transaction| {
            transaction.be_durable();
            keeper.overview(&run, self.seq, transaction)
        })
    }
}
