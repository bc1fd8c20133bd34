//! `run.signal`: something that happened outside, for whoever in a run waits for it.

use serde::Deserialize;

use super::{Taken, actor, reason, run_id, with_run};
use crate::{
    engine::event::What,
    error::{Error, Result},
    git::RepositoryPath,
    ops::{
        Context, Lane, Operation,
        json::{Json, Object},
        plain::Plain,
    },
    runs::policy::{Act, Action},
};

const NAME_BYTES_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    path: RepositoryPath,
    run: Plain,
    name: Plain,
    key: Option<Json>,
    #[serde(default)]
    data: Object,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Signal {
    const NAME: &'static str = "run.signal";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Taken> {
        let run = run_id(&self.run)?;
        let (name, key, data) = (String::from(self.name), self.key.map(|it| it.0), self.data.0);
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            let message = format!("`name` has 1 to {NAME_BYTES_MAX} bytes");
            return Err(Error::bad_request(message).with("field", "name"));
        }
        let reason = reason(self.reason.as_ref())?;
        with_run(context, &run, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_allowed(Act::of(Action::Signal, &actor).on(&run).because(reason))?;
            let what = What::Signal { name, key, data };
            let happened = keeper.happen(&run, &actor, what, transaction)?;
            transaction.be_durable();
            Taken::of(&run, &happened, keeper)
        })
    }
}
