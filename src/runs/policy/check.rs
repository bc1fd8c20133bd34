//! What would be decided, and why.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Action, Deed, Motion,
    decide::{Asked, Decision, Somebody, Verdict},
    pattern::bare,
};
use crate::{error::Result, git::RunId, runs::keeper::Keeper};

/// What is asked about.
pub enum Query<'a> {
    Act {
        action: Action,
        process: Option<&'a str>,
        /// Its path.
        step: Option<&'a str>,
        run: Option<&'a RunId>,
        policy: Option<&'a str>,
        reason: Option<&'a str>,
    },
    Exec {
        process: &'a str,
        step: &'a str,
        program: &'a str,
    },
    Git {
        process: &'a str,
        step: &'a str,
        deed: Deed,
        reference: &'a str,
    },
    Move {
        motion: Motion,
        reference: &'a str,
    },
}

#[derive(Debug, Serialize)]
pub struct Checked {
    allowed: bool,
    /// What decided it, if any rule did.
    rule: Option<String>,
    /// What a reason overrides.
    overridden: Vec<String>,
    /// All rules that were looked at.
    why: Vec<Why>,
}

#[derive(Debug, Serialize)]
struct Why {
    rule: String,
    verdict: Verdict,
    /// In words that follow the name of the rule.
    says: String,
}

impl Keeper {
    pub fn check_policy(
        &self,
        actor: &str,
        said: &BTreeSet<String>,
        query: &Query,
    ) -> Result<Checked> {
        let rules = self.policy.standing.rules()?;
        let who = Somebody { name: actor, mail: None, said };
        let decision = match query {
            Query::Act { action, process, step, run, policy, reason } => {
                let open = run.and_then(|it| self.open.get(it));
                let over = run.and_then(|it| self.over.get(it));
                if let Some(run) = run.filter(|_| open.is_none() && over.is_none()) {
                    return Err(self.missing(run));
                }
                let birth = open.map(|it| &it.birth).or(over.map(|it| &it.birth));
                let process = birth.map(|it| &*it.process).or(*process);
                let holds = match (open, run, action) {
                    (Some(it), Some(run), Action::Claim) => {
                        let held = it.claims.iter().filter(|it| bare(&it.1.worker) == bare(actor));
                        let held = held.filter(|it| self.is_held(run, *it.0));
                        let path = |item| it.state.path_of(&it.pinned.processes, item);
                        held.filter_map(|it| path(*it.0)).collect()
                    }
                    _ => Vec::new(),
                };
                rules.decide(&Asked {
                    who,
                    action: *action,
                    process,
                    run: run.map(RunId::as_str),
                    step: *step,
                    policy: *policy,
                    doers: open.map(|it| &it.doers),
                    holds: &holds,
                    reason: *reason,
                })
            }
            Query::Exec { process, step, program } => rules.may_exec(process, step, program),
            Query::Git { process, step, deed, reference } => {
                rules.may_git(process, step, *deed, reference)
            }
            Query::Move { motion, reference } => rules.may_move(&who, reference, *motion),
        };
        Ok(Checked::of(decision))
    }
}

impl Checked {
    fn of(decision: Decision) -> Checked {
        let why = decision.why.iter().map(|it| Why {
            rule: it.rule(),
            verdict: it.verdict,
            says: it.to_string(),
        });
        Checked {
            allowed: decision.is_allowed,
            rule: decision.rule.clone(),
            why: why.collect(),
            overridden: decision.overridden,
        }
    }
}
