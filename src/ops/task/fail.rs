//! `task.fail`: a worker could not do what it claimed.

use serde::Deserialize;

use super::{Ended, holding};
use crate::{
    engine::state::Problem,
    error::{Error, Result},
    git::RepositoryPath,
    ops::{
        Context, Lane, Operation,
        plain::Plain,
        run::{reason, with_run},
    },
    runs::policy::Action,
};

const KIND_BYTES_MAX: usize = 200;
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    path: RepositoryPath,
    task: Plain,
    token: Plain,
    worker: Option<Plain>,
    #[serde(rename = "type", default = "failure")]
    kind: Plain,
    message: Plain,
    /// Whether another attempt may help; how many there are the process says.
    #[serde(default = "yes")]
    retry: bool,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

fn failure() -> Plain {
    "failure".into()
}

fn yes() -> bool {
    true
}

impl Operation for Fail {
    const NAME: &'static str = "task.fail";

    type Reply = Ended;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Ended> {
        let holding = holding(&self.task, self.token, self.worker.as_ref())?;
        for (text, most, field) in
            [(&self.kind, KIND_BYTES_MAX, "type"), (&self.message, MESSAGE_BYTES_MAX, "message")]
        {
            if most < text.len() {
                let message = format!("`{field}` has at most {most} bytes");
                return Err(Error::bad_request(message).with("field", field));
            }
        }
        let problem = Problem { kind: self.kind.into(), message: self.message.into() };
        let reason = reason(self.reason.as_ref())?;
        with_run(context, &holding.task.run, |keeper, transaction| {
            keeper.expect_may_end(Action::Fail, &holding, reason)?;
            let commit = keeper.fail(&holding, problem, !self.retry, transaction)?;
            transaction.be_durable();
            Ended::of(&holding, commit, keeper)
        })
    }
}
