//! `run.fork`: another run begins as one was with an earlier commit.

use serde::Deserialize;

use super::{Rewound, actor, reason, run_id, with_run};
use crate::{
    error::Result,
    git::{RepositoryPath, RunId},
    ops::{Context, Lane, Operation, plain::Plain},
    runs::policy::{Act, Action},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    path: RepositoryPath,
    run: Plain,
    /// The number of the commit; without it, the newest.
    seq: Option<u64>,
    /// What the other one is called.
    new: Option<Plain>,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Fork {
    const NAME: &'static str = "run.fork";

    type Reply = Rewound;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Rewound> {
        let run = run_id(&self.run)?;
        let reason = reason(self.reason.as_ref())?;
        let named = |it: &Plain| RunId::new(it).map_err(|it| it.with("field", "new"));
        let new = self.new.as_ref().map(named).transpose()?.unwrap_or_else(RunId::new_one);
        with_run(context, &run, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_allowed(Act::of(Action::Fork, &actor).on(&run).because(reason))?;
            keeper.look_for(&new, transaction)?;
            let (happened, again) = keeper.fork((&run, &new), &actor, self.seq, transaction)?;
            transaction.be_durable();
            Rewound::of(&new, &happened, again, keeper)
        })
    }
}
