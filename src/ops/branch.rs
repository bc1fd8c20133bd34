//! `branch`: make, move, rename or remove a branch.

use serde::Deserialize;

use super::{
    Context, Lane, Operation, about,
    change::{Durability, Fence, Who},
    plain::Plain,
};
use crate::{
    error::{Error, Result},
    git::{Branch, BranchChange, BranchDraft, BranchMoved, Expect, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branching {
    path: RepositoryPath,
    branch: Plain,
    from: Option<Plain>,
    expect: Option<Plain>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    delete: bool,
    rename: Option<Plain>,
    fence: Option<Fence>,
    #[serde(default)]
    durability: Durability,
}

impl Operation for Branching {
    const NAME: &'static str = "branch";

    type Reply = super::change::Reply<BranchMoved>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let mut transaction = context.transaction();
        Fence::check(self.fence.as_ref(), &mut transaction)?;
        let draft = BranchDraft {
            what: self.what()?,
            branch: match self.delete || self.rename.is_some() {
                // What is there may have any name.
                true => Branch::new(&self.branch)?,
                false => Branch::new_one(&self.branch, "branch")?,
            },
            expect: self.expect.as_deref().map(Expect::new).transpose()?,
            force: self.force,
            who: Who::or_default(None, "committer", &transaction)?,
        };
        let moved = transaction.branch(&draft).map_err(about("from"))?;
        Ok(self.durability.promise(&mut transaction, moved))
    }
}

impl Branching {
    fn what(&self) -> Result<BranchChange> {
        match (&self.from, self.delete, &self.rename) {
            (from, false, None) => {
                let from = from.as_deref().unwrap_or("HEAD").to_owned();
                Ok(BranchChange::Put { from })
            }
            (None, true, None) => Ok(BranchChange::Delete),
            (None, false, Some(to)) => {
                Ok(BranchChange::Rename { to: Branch::new_one(to, "rename")? })
            }
            _ => Err(Error::bad_request("one of `from`, `delete` and `rename` says what to do")
                .with("field", if self.delete { "delete" } else { "rename" })),
        }
    }
}
