//! `run.graph`: the picture of a run, with where it is.

use serde::{Deserialize, Serialize};

use super::{run_id, with_run};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain},
    process::graph::Format,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    path: RepositoryPath,
    run: Plain,
    #[serde(default)]
    format: Format,
    /// As it was with the commit of this number.
    seq: Option<u64>,
}

#[derive(Serialize)]
pub struct Reply {
    run: String,
    picture: String,
}

impl Operation for Graph {
    const NAME: &'static str = "run.graph";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let run = run_id(&self.run)?;
        let picture = with_run(context, &run, |keeper, transaction| {
            transaction.be_durable();
            keeper.picture(&run, self.seq, self.format, transaction)
        })?;
        Ok(Reply { run: run.to_string(), picture })
    }
}
