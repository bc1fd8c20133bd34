//! `policy.get`: what policies say, and who said so when.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    git::{ObjectId, PolicyName, RepositoryPath, Transaction},
    ops::{Context, Lane, Operation, plain::Plain, run::with_some},
    runs::policy::{Policy, text_of},
};

/// So many commits of each are told.
const COMMITS_MAX: usize = 100;
/// So many are looked through for one.
const LOOKED_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    path: RepositoryPath,
    name: Option<Plain>,
    /// A commit of it, as it was with which it is told.
    rev: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    policies: Vec<One>,
}

#[derive(Serialize)]
struct One {
    name: String,
    /// Where its ref is, or was with `rev`.
    commit: Option<String>,
    /// Its text.
    policy: Option<String>,
    /// Why nothing is allowed that it could be about.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Newest first.
    commits: Vec<Commit>,
}

#[derive(Serialize)]
struct Commit {
    commit: String,
    actor: String,
    at_ms: i64,
}

impl Operation for Get {
    const NAME: &'static str = "policy.get";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let name = self.name.as_ref().map(|it| PolicyName::new(it)).transpose()?;
        if self.rev.is_some() && name.is_none() {
            let message = "`rev` is a commit of one policy: give its `name`";
            return Err(Error::bad_request(message).with("field", "rev"));
        }
        with_some(context, |keeper, transaction| {
            transaction.be_durable();
            let refs = keeper.policy.standing.refs().clone();
            let wanted = |it: &str| name.as_ref().is_none_or(|name| name.as_str() == it);
            let mut policies = Vec::new();
            for (name, at) in refs.into_iter().filter(|it| wanted(&it.0)) {
                let at = match (&self.rev, at) {
                    (Some(rev), Some(at)) => Some(found(&name, at, rev, transaction)?),
                    (_, at) => at,
                };
                policies.push(one(name, at, transaction));
            }
            match name.filter(|_| policies.is_empty()) {
                Some(name) => {
                    Err(Error::not_found(format!("no policy is called `{}`", name.as_str())))
                }
                None => Ok(Reply { policies }),
            }
        })
    }
}

/// The commit of a policy with this id.
fn found(name: &str, at: ObjectId, rev: &str, transaction: &mut Transaction) -> Result<ObjectId> {
    let commits = transaction.policy_commits(at, LOOKED_MAX)?;
    let found = commits.into_iter().find(|it| it.0.to_string() == rev);
    let none = || Error::not_found(format!("`{rev}` is no commit of the policy `{name}`"));
    found.map(|it| it.0).ok_or_else(none)
}

fn one(name: String, at: Option<ObjectId>, transaction: &mut Transaction) -> One {
    let text = at.map(|it| text_of(it, transaction)).transpose();
    let (text, problem) = match text {
        Ok(Some(text)) => {
            let problem = Policy::read(&text).err().map(|it| it.message);
            (Some(String::from_utf8_lossy(&text).into_owned()), problem)
        }
        Ok(None) => (None, Some("its ref leads nowhere".to_owned())),
        Err(error) => (None, Some(error.message)),
    };
    let commits = at.and_then(|it| transaction.policy_commits(it, COMMITS_MAX).ok());
    let commits = commits.unwrap_or_default().into_iter().map(|(id, actor, time)| Commit {
        commit: id.to_string(),
        actor,
        at_ms: time * 1000,
    });
    let commit = at.map(|it| it.to_string());
    One { name, commit, policy: text, problem, commits: commits.collect() }
}
