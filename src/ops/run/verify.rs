//! `run.verify`: whether a run is what its commits say, and its receipts are right.

use serde::Deserialize;

use super::run_id;
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{
        Context, Lane, Operation, paging,
        plain::Plain,
        receipt::{alone, opened, with_all},
        verify::Signers,
    },
    runs::{
        receipt::{Checked, Checking, Query, naming},
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
        // Others go on meanwhile, however long it takes.
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Verified> {
        let run = run_id(&self.run)?;
        let signers = Signers { text: self.allowed_signers, file: self.allowed_signers_file };
        let (allowed, limit) = (signers.read()?, paging::thousand());
        let checking = Checking { allowed, limit, query: Query::default() };
        let mut verified = with_all(&self.path, context, |keeper, transaction| {
            keeper.verify(&run, &checking, transaction)
        })?;
        if let Some(known) = verified.known.take() {
            // All receipts that there are: nobody who writes waits for that.
            let repository = opened(&self.path, context)?;
            let notes = naming(&run, &known, &repository, context.watch)?;
            if !notes.is_empty() {
                let mut checked = Checked::default();
                alone(&self.path, context, |keeper, transaction| {
                    keeper.check_lost(notes, &checking, &mut checked, transaction)
                })?;
                verified.add(checked, &checking);
            }
        }
        Ok(verified)
    }
}
