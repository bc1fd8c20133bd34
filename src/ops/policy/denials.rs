//! `policy.denials`: what policies refused, newest first.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    git::{ObjectId, RepositoryPath},
    ops::{Context, Lane, Operation, paging, plain::Plain, run::with_some},
    runs::policy::{Denial, read_denial},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denials {
    path: RepositoryPath,
    actor: Option<Plain>,
    #[serde(default = "paging::thousand")]
    limit: usize,
    /// The commit that the page comes after.
    after: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    denials: Vec<Denial>,
    next: Option<String>,
}

impl Operation for Denials {
    const NAME: &'static str = "policy.denials";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let limit = paging::limit(self.limit)?;
        let after = self.after.as_deref().map(commit).transpose()?;
        with_some(context, |_, transaction| {
            transaction.be_durable();
            let mut next = match after {
                Some(after) if !transaction.has(after)? => {
                    return Err(Error::not_found(format!("no commit is {after}")));
                }
                Some(after) => transaction.execution_at(after)?.parents.first().copied(),
                None => transaction.newest_denial()?,
            };
            let mut denials: Vec<Denial> = Vec::new();
            while let Some(id) = next {
                transaction.watch().check()?;
                let commit = transaction.execution_at(id)?;
                let denial = read_denial(&commit)?;
                if self.actor.as_ref().is_none_or(|it| **it == *denial.refusal.actor) {
                    if limit <= denials.len() {
                        let next = denials.last().map(|it| it.commit.clone());
                        return Ok(Reply { denials, next });
                    }
                    denials.push(denial);
                }
                next = commit.parents.first().copied();
            }
            Ok(Reply { denials, next: None })
        })
    }
}

fn commit(id: &str) -> Result<ObjectId> {
    let bad = || Error::bad_request("`after` is the id of a commit").with("field", "after");
    ObjectId::from_str(id).ok().filter(|it| it.to_string() == id).ok_or_else(bad)
}
