//! `policy.remove`: a policy is no more.

use serde::{Deserialize, Serialize};

use super::{expect_no_lockout, locked};
use crate::{
    error::{Error, Result},
    git::{Expect, PolicyName, RepositoryPath},
    ops::{
        Context, Lane, Operation,
        plain::Plain,
        run::{actor, with_some},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    path: RepositoryPath,
    name: Plain,
    actor: Option<Plain>,
    expect: Option<Plain>,
    /// Whether nobody may be left who can change those that stay.
    #[serde(default)]
    force: bool,
}

#[derive(Serialize)]
pub struct Reply {
    name: String,
    /// Where it was: its history is there for as long as nobody clears it away.
    was: String,
}

impl Operation for Remove {
    const NAME: &'static str = "policy.remove";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let name = PolicyName::new(&self.name)?;
        let expect = self.expect.as_deref().map(Expect::new).transpose()?;
        with_some(context, |keeper, transaction| {
            let actor = actor(self.actor.as_ref(), "actor", transaction)?;
            keeper.expect_may_change_policy(&name, &actor)?;
            let was = transaction.policy(&name, expect)?.ok_or_else(|| {
                Error::not_found(format!("no policy is called `{}`", name.as_str()))
            })?;
            let before = locked(keeper);
            transaction.remove_policy(&name)?;
            keeper.expect_signed_policy(&name, &actor, None, transaction)?;
            expect_no_lockout(&before, self.force, keeper, transaction)?;
            transaction.be_durable();
            Ok(Reply { name: name.as_str().to_owned(), was: was.to_string() })
        })
    }
}
