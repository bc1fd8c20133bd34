//! `run.retry`: a run that failed, was cancelled or is stuck goes on from an earlier commit.

use serde::Deserialize;

use super::{Rewound, actor, reason, run_id, with_run};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation, plain::Plain},
    runs::policy::{Act, Action},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    path: RepositoryPath,
    run: Plain,
    /// The number of the commit; without it, the last before what made it end.
    seq: Option<u64>,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Retry {
    const NAME: &'static str = "run.retry";

    type Reply = Rewound;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Rewound> {
        let run = run_id(&self.run)?;
        let reason = reason(self.reason.as_ref())?;
        with_run(context, &run, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_allowed(Act::of(Action::Retry, &actor).on(&run).because(reason))?;
            let (happened, again) = keeper.retry(&run, &actor, self.seq, transaction)?;
            transaction.be_durable();
            Rewound::of(&run, &happened, again, keeper)
        })
    }
}
