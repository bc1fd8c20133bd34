//! `ref.update`: move many refs, all of them or none.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    git::{Expect, NO_ID, RawName, RefName, RepositoryPath, Update, Updated},
    ops::{
        Context, Lane, Operation, about,
        change::{self, Durability, Fence, Who, checked, message},
        plain::Plain,
    },
};

const UPDATES_MAX: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefUpdate {
    path: RepositoryPath,
    updates: Vec<One>,
    message: Option<RawName>,
    fence: Option<Fence>,
    #[serde(default)]
    durability: Durability,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {ref, to?, expect?}")]
struct One {
    r#ref: RawName,
    to: Option<Plain>,
    expect: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    refs: Vec<Updated>,
}

impl Operation for RefUpdate {
    const NAME: &'static str = "ref.update";

    type Reply = change::Reply<Reply>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        if !(1..=UPDATES_MAX).contains(&self.updates.len()) {
            let message = format!("there are 1 to {UPDATES_MAX} updates in a request");
            return Err(Error::bad_request(message).with("field", "updates"));
        }
        let updates = checked(self.updates, "updates", One::checked)?;
        let why = match self.message {
            Some(text) => message(text, None)?.text,
            None => b"ref.update".to_vec(),
        };
        let mut transaction = context.transaction();
        Fence::check(self.fence.as_ref(), &mut transaction)?;
        let who = Who::or_default(None, "committer", &transaction)?;
        let refs = transaction.update(updates, &who, &why).map_err(about("updates"))?;
        Ok(self.durability.promise(&mut transaction, Reply { refs }))
    }
}

impl One {
    fn checked(self) -> Result<Update> {
        let name = RefName::new(&self.r#ref.0)?;
        let to = self.to.map(String::from).filter(|it| it != NO_ID);
        // One that is there can be removed.
        to.as_ref().map_or(Ok(()), |_| name.expect_new())?;
        Ok(Update { name, to, expect: self.expect.as_deref().map(Expect::new).transpose()? })
    }
}
