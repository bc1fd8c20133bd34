//! `policy.check`: whether somebody may do something, and why.

use std::collections::BTreeSet;

use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

use crate::{
    error::{Error, Result},
    git::{RefName, RepositoryPath, RunId},
    ops::{
        Context, Lane, Operation,
        plain::Plain,
        run::{name, reason, run_id, with},
    },
    runs::policy::{Action, Checked, Deed, Motion, Query},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    path: RepositoryPath,
    actor: Plain,
    /// One of those that rules are about, or `exec`, `git`, `move`, `force` and `delete`.
    action: Plain,
    process: Option<Plain>,
    step: Option<Plain>,
    run: Option<Plain>,
    policy: Option<Plain>,
    #[serde(default)]
    roles: Vec<Plain>,
    r#ref: Option<Plain>,
    program: Option<Plain>,
    /// What a step does in a repository.
    git: Option<Plain>,
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Check {
    const NAME: &'static str = "policy.check";

    type Reply = Checked;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Checked> {
        let actor = name(&self.actor, "actor")?;
        let run = self.run.as_ref().map(run_id).transpose()?;
        let roles: BTreeSet<String> = self.roles.iter().map(|it| it.to_string()).collect();
        let query = self.query(run.as_ref())?;
        with(context, |keeper, transaction| {
            transaction.be_durable();
            keeper.check_policy(&actor, &roles, &query)
        })
    }
}

impl Check {
    fn query<'a>(&'a self, run: Option<&'a RunId>) -> Result<Query<'a>> {
        let process = self.process.as_deref();
        let step = self.step.as_deref();
        let motion = match &*self.action {
            "move" => Some(Motion::Forward),
            "force" => Some(Motion::Force),
            "delete" => Some(Motion::Delete),
            _ => None,
        };
        if let Some(motion) = motion {
            self.expect_no(&[
                ("process", process.is_some()),
                ("step", step.is_some()),
                ("program", self.program.is_some()),
                ("git", self.git.is_some()),
            ])?;
            return Ok(Query::Move { motion, reference: self.reference()? });
        }
        let of_a_run = run.is_some() || self.policy.is_some() || self.reason.is_some();
        match &*self.action {
            "exec" => {
                self.expect_no(&[
                    ("run", of_a_run),
                    ("ref", self.r#ref.is_some()),
                    ("git", self.git.is_some()),
                ])?;
                let program = needed(self.program.as_ref(), "program")?;
                let process = needed(self.process.as_ref(), "process")?;
                let step = needed(self.step.as_ref(), "step")?;
                Ok(Query::Exec { process, step, program })
            }
            "git" => {
                self.expect_no(&[("run", of_a_run), ("program", self.program.is_some())])?;
                let deed = word::<Deed>(needed(self.git.as_ref(), "git")?, "git")?;
                let process = needed(self.process.as_ref(), "process")?;
                let step = needed(self.step.as_ref(), "step")?;
                Ok(Query::Git { process, step, deed, reference: self.reference()? })
            }
            action => {
                let action = word::<Action>(action, "action")?;
                self.expect_no(&[
                    ("ref", self.r#ref.is_some()),
                    ("program", self.program.is_some()),
                    ("git", self.git.is_some()),
                    ("process", process.is_some() && run.is_some()),
                    ("policy", self.policy.is_some() && action != Action::Policy),
                ])?;
                let (policy, reason) = (self.policy.as_deref(), reason(self.reason.as_ref())?);
                Ok(Query::Act { action, process, step, run, policy, reason })
            }
        }
    }

    fn reference(&self) -> Result<&str> {
        let reference = needed(self.r#ref.as_ref(), "ref")?;
        RefName::new(reference.as_bytes())?;
        Ok(reference)
    }

    /// Fails where an argument is given that is not for this action.
    fn expect_no(&self, arguments: &[(&'static str, bool)]) -> Result<()> {
        match arguments.iter().find(|it| it.1) {
            Some((field, _)) => {
                let message = format!("`{field}` is not for `{}` like this", &*self.action);
                Err(Error::bad_request(message).with("field", *field))
            }
            None => Ok(()),
        }
    }
}

fn needed<'a>(it: Option<&'a Plain>, field: &'static str) -> Result<&'a str> {
    let none = || Error::bad_request(format!("`{field}` is missing")).with("field", field);
    it.map(|it| &**it).ok_or_else(none)
}

/// A word of a closed list.
fn word<'a, T: Deserialize<'a>>(word: &'a str, field: &'static str) -> Result<T> {
    let read: Result<T, value::Error> = T::deserialize(word.into_deserializer());
    read.map_err(|error| Error::bad_request(format!("`{field}`: {error}")).with("field", field))
}
