//! The policies that apply in a repository, read again whenever their refs are elsewhere.

use std::collections::BTreeMap;

use super::{
    decide::{Asked, Rules, Somebody},
    model::{Action, FILE, Policy},
    pattern::Who,
};
use crate::{
    error::{Code, Error, Result},
    git::{ObjectId, Transaction},
};

#[derive(Debug, Default)]
pub struct Standing {
    /// Where each was when it was read.
    refs: BTreeMap<String, Option<ObjectId>>,
    rules: Rules,
    /// Those that cannot be read, and why.
    damaged: BTreeMap<String, String>,
}

impl Standing {
    /// Reads what is not as it was; whether anything was.
    pub fn refresh(&mut self, transaction: &mut Transaction) -> Result<bool> {
        let refs = transaction.policies()?;
        if refs == self.refs {
            return Ok(false);
        }
        let (mut rules, mut damaged) = (Rules::default(), BTreeMap::new());
        for (name, commit) in &refs {
            match read(*commit, transaction) {
                Ok(policy) => rules.0.push((name.clone(), policy)),
                Err(error) if is_damage(&error) => {
                    log::error!("the policy {name} cannot be read: {error}");
                    damaged.insert(name.clone(), error.message);
                }
                // It may be read in a moment.
                Err(error) => return Err(error),
            }
        }
        *self = Standing { refs, rules, damaged };
        Ok(true)
    }

    /// What all of them say. Where one cannot be read nobody knows what it forbids.
    pub fn rules(&self) -> Result<&Rules> {
        match self.damaged.iter().next() {
            None => Ok(&self.rules),
            Some((name, why)) => Err(Error::corrupt(format!(
                "the policy `{name}` cannot be read, and may forbid it: {why}; move its ref back \
                 to a commit that has one, or remove it, with `git update-ref`"
            ))
            .with("rule", name.as_str())),
        }
    }

    /// Where each is, by their names.
    pub fn refs(&self) -> &BTreeMap<String, Option<ObjectId>> {
        &self.refs
    }

    /// The names of those that nobody can change, as far as names in policies tell: an actor
    /// that they name, or one that they do not.
    pub fn locked(&self) -> Vec<String> {
        let candidates = self.rules.candidates();
        let names = self.rules.0.iter().map(|it| &it.0);
        let is_locked = |policy: &&String| {
            !candidates.iter().any(|name| {
                let who = Somebody { name, mail: None, said: &Default::default() };
                let asked = Asked {
                    who,
                    action: Action::Policy,
                    process: None,
                    run: None,
                    step: None,
                    policy: Some(policy),
                    doers: None,
                    holds: &[],
                    reason: None,
                };
                self.rules.decide(&asked).is_allowed
            })
        };
        names.filter(is_locked).cloned().collect()
    }
}

impl Rules {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Actors that policies name, as far as they can be told, and one that none does.
    fn candidates(&self) -> Vec<String> {
        let mut all = vec!["somebody".to_owned()];
        for (_, it) in &self.0 {
            let roles = it.roles.iter().flat_map(|it| it.values().flatten());
            all.extend(roles.map(|it| it.example()));
            let rules = it.rules.iter().filter(|it| it.on.contains(&Action::Policy));
            let who = rules.filter_map(|it| it.allow.as_ref()).flat_map(|it| it.all());
            all.extend(who.filter_map(|it| match it {
                Who::Actor(it) => Some(it.example()),
                Who::Role(_) => None,
            }));
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn read(commit: Option<ObjectId>, transaction: &mut Transaction) -> Result<Policy> {
    let commit = commit.ok_or_else(|| Error::corrupt("its ref leads nowhere"))?;
    Policy::read(&text(commit, transaction)?)
}

/// The text of a policy in its commit.
pub fn text(commit: ObjectId, transaction: &mut Transaction) -> Result<Vec<u8>> {
    let tree = transaction.execution_at(commit)?.tree;
    let none = || Error::corrupt(format!("the commit {commit} has no `{FILE}`"));
    transaction.file(tree, FILE)?.ok_or_else(none)
}

/// Whether it will be the same the next time.
fn is_damage(error: &Error) -> bool {
    !matches!(
        error.code,
        Code::Unavailable | Code::Timeout | Code::Cancelled | Code::Busy | Code::Internal
    )
}
