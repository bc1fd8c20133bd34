//! `run.verify`: whether a run is what its commits say, and its receipts are right.

use serde::Deserialize;

use super::{run_id, with};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, paging, plain::Plain, verify::Signers},
    runs::{
        receipt::{Checking, Query},
        verify::Verified,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    path: RepositoryPath,
    run: Plain,
    /// Of its receipts.
    allowed_signers: Option<Plain>,
    allowed_signers_file: Option<RepositoryPath>,
}

impl Operation for Verify {
    const NAME: &'static str = "run.verify";

    type Reply = Verified;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Verified> {
        let run = run_id(&self.run)?;
        let signers = Signers { text: self.allowed_signers, file: self.allowed_signers_file };
        let (allowed, limit) = (signers.read()?, paging::thousand());
        let checking = Checking { allowed, limit, query: Query::default() };
        with(context, |keeper, transaction| {
            transaction.be_durable();
            keeper.write_receipts(transaction)?;
            keeper.verify(&run, &checking, transaction)
        })
    }
}
