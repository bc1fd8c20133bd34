//! Policies: who may do what to runs, to published processes, to refs and to policies themselves.
//!
//! Each lies in a ref of its own, and all that are there apply together. Whoever carries something
//! out asks [`Keeper::expect_allowed`] first, in the same transaction, so that what somebody
//! changed a moment ago counts, whether by this process, another one or stock git.

mod check;
mod decide;
mod denials;
mod doers;
mod guard;
mod lists;
mod model;
mod pattern;
mod standing;
mod steps;

use std::collections::BTreeSet;

pub use self::{
    check::{Checked, Query},
    denials::{Denial, Refusal, read as read_denial},
    doers::Doers,
    lists::Motion,
    model::{Action, Deed, FILE, Policy},
    standing::{Standing, text as text_of},
};
use self::{
    decide::{Asked, Somebody},
    denials::Denials,
    model::SignedKind,
    pattern::bare,
};
use super::{keeper::Keeper, message::Overrode, work::Ask};
use crate::{
    engine::state::Id,
    error::{Error, Result},
    git::{ObjectId, PolicyName, RunId, Transaction},
};

/// What a keeper knows of the policies of its repository.
#[derive(Debug, Default)]
pub struct Policing {
    pub standing: Standing,
    pub denials: Denials,
    /// What stands against what is done next, and is done all the same.
    overrode: Option<Overrode>,
}

/// What somebody is about to do.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    action: Action,
    actor: &'a str,
    mail: Option<&'a str>,
    run: Option<&'a RunId>,
    item: Option<Id>,
    process: Option<&'a str>,
    policy: Option<&'a str>,
    reason: Option<&'a str>,
    said: Option<&'a BTreeSet<String>>,
}

impl<'a> Act<'a> {
    pub fn of(action: Action, actor: &'a str) -> Act<'a> {
        Act {
            action,
            actor,
            mail: None,
            run: None,
            item: None,
            process: None,
            policy: None,
            reason: None,
            said: None,
        }
    }

    /// To a run, which says the process.
    pub fn on(self, run: &'a RunId) -> Act<'a> {
        Act { run: Some(run), ..self }
    }

    /// To a step of it.
    pub fn at(self, item: Id) -> Act<'a> {
        Act { item: Some(item), ..self }
    }

    /// To a process, of which there need be no run.
    pub fn of_process(self, process: &'a str) -> Act<'a> {
        Act { process: Some(process), ..self }
    }

    pub fn of_policy(self, policy: &'a str) -> Act<'a> {
        Act { policy: Some(policy), ..self }
    }

    /// For a reason that may count more than what forbids it.
    pub fn because(self, reason: Option<&'a str>) -> Act<'a> {
        Act { reason, ..self }
    }

    pub fn with_mail(self, mail: &'a str) -> Act<'a> {
        Act { mail: Some(mail), ..self }
    }

    /// By somebody who says that it has these roles.
    pub fn with_roles(self, said: &'a BTreeSet<String>) -> Act<'a> {
        Act { said: Some(said), ..self }
    }
}

impl Policing {
    /// What was overridden, once.
    pub fn take_overrode(&mut self) -> Option<Overrode> {
        self.overrode.take()
    }

    /// Records a refusal, and says it in these words.
    fn refuse(&mut self, refusal: Refusal, message: String) -> Error {
        let error = Error::denied(message).with("rule", refusal.rule.as_str());
        self.denials.note(refusal);
        error
    }

    /// Brings what is known up to the refs; whether they were others.
    pub fn refresh(&mut self, transaction: &mut Transaction) -> Result<bool> {
        self.overrode = None;
        self.standing.refresh(transaction)
    }
}

impl Keeper {
    /// Fails unless the policies let somebody do something, and records that. Where they would not
    /// and the reason that is given lets them, the next event of the run says so.
    pub fn expect_allowed(&mut self, act: Act) -> Result<()> {
        let rules = self.policy.standing.rules()?;
        if rules.is_empty() {
            return Ok(());
        }
        let Told { process, step, holds } = self.told(&act);
        let none = BTreeSet::new();
        let asked = self.asked(&act, process.as_deref(), step.as_deref(), &holds, &none);
        let decision = rules.decide(&asked);
        if decision.is_allowed {
            let (rules, reason) = (decision.overridden, act.reason.unwrap_or_default().to_owned());
            self.policy.overrode = (!rules.is_empty()).then_some(Overrode { rules, reason });
            return Ok(());
        }
        let rule = decision.rule.clone().unwrap_or_default();
        let message = refused(&asked, &decision.against());
        Err(self.refuse(&act, &rule, message))
    }

    /// Records that a rule stands against something, and says so.
    pub(super) fn refuse(&mut self, act: &Act, rule: &str, message: String) -> Error {
        let Told { process, step, .. } = self.told(act);
        let refusal = Refusal {
            actor: act.actor.to_owned(),
            action: act.action.word().to_owned(),
            run: act.run.map(RunId::to_string),
            policy: act.policy.map(str::to_owned),
            process,
            step,
            reference: None,
            rule: rule.to_owned(),
        };
        self.policy.refuse(refusal, message)
    }

    /// Whether they let somebody claim a task.
    pub(super) fn may_claim(&self, run: &RunId, item: Id, ask: &Ask) -> bool {
        let Ok(rules) = self.policy.standing.rules() else { return false };
        if rules.is_empty() {
            return true;
        }
        let act = Act::of(Action::Claim, &ask.worker).on(run).at(item).with_roles(&ask.roles);
        let Told { process, step, holds } = self.told(&act);
        let none = BTreeSet::new();
        rules
            .decide(&self.asked(&act, process.as_deref(), step.as_deref(), &holds, &none))
            .is_allowed
    }

    /// Whether somebody has one of these roles: those that policies say, or that it says itself.
    pub(super) fn has_role(&self, ask: &Ask, roles: &[String]) -> bool {
        let who = Somebody { name: &ask.worker, mail: None, said: &ask.roles };
        match self.policy.standing.rules() {
            Ok(rules) => roles.iter().any(|it| rules.has_role(&who, it)),
            Err(_) => false,
        }
    }

    /// What has to be known of the run for a decision.
    fn told(&self, act: &Act) -> Told {
        let mut told = Told { process: act.process.map(str::to_owned), ..Told::default() };
        let Some(run) = act.run else { return told };
        let Some(it) = self.open.get(run) else {
            told.process = self.over.get(run).map(|it| it.birth.process.clone()).or(told.process);
            return told;
        };
        told.process = Some(it.birth.process.clone());
        let processes = &it.pinned.processes;
        let path = |item: Id| it.state.path_of(processes, item);
        told.step = act.item.and_then(path);
        let (Some(process), Some(step)) = (&told.process, &told.step) else { return told };
        let is_about = |rules: &decide::Rules| rules.wants_others(process, step);
        if act.action == Action::Claim && self.policy.standing.rules().is_ok_and(is_about) {
            let held = it.claims.iter().filter(|it| bare(&it.1.worker) == bare(act.actor));
            let held = held.filter(|it| Some(*it.0) != act.item && self.is_held(run, *it.0));
            told.holds = held.filter_map(|it| path(*it.0)).collect();
        }
        told
    }

    fn asked<'a>(
        &'a self,
        act: &Act<'a>,
        process: Option<&'a str>,
        step: Option<&'a str>,
        holds: &'a [String],
        none: &'a BTreeSet<String>,
    ) -> Asked<'a> {
        let said = act.said.unwrap_or(none);
        Asked {
            who: Somebody { name: act.actor, mail: act.mail, said },
            action: act.action,
            process,
            run: act.run.map(RunId::as_str),
            step,
            policy: act.policy,
            doers: act.run.and_then(|it| self.open.get(it)).map(|it| &it.doers),
            holds,
            reason: act.reason,
        }
    }

    /// Fails unless a policy may be changed like this, by what applies before it is.
    pub fn expect_may_change_policy(&mut self, name: &PolicyName, actor: &str) -> Result<()> {
        self.expect_allowed(Act::of(Action::Policy, actor).of_policy(name.as_str()))
    }

    /// Fails where a changed policy had to be signed by somebody else than it was; `commit` is
    /// nothing where it is removed.
    pub fn expect_signed_policy(
        &mut self,
        name: &PolicyName,
        actor: &str,
        commit: Option<ObjectId>,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let mut unsigned = None;
        for (rule, signers) in
            self.policy.standing.rules()?.signers_of(SignedKind::Policy, name.as_str())
        {
            let is_signed = match commit {
                Some(commit) => transaction.is_signed(commit, signers)?,
                // Nothing is left that could be signed.
                None => false,
            };
            if !is_signed {
                unsigned = Some(rule);
                break;
            }
        }
        let Some(rule) = unsigned else { return Ok(()) };
        let name = name.as_str();
        let message = format!(
            "`{actor}` may not change the policy `{name}`: `{rule}` wants it signed by one of its \
             `signers`"
        );
        let refusal = Refusal {
            actor: actor.to_owned(),
            action: Action::Policy.word().to_owned(),
            policy: Some(name.to_owned()),
            rule,
            ..Refusal::default()
        };
        Err(self.policy.refuse(refusal, message))
    }
}

#[derive(Default)]
struct Told {
    process: Option<String>,
    step: Option<String>,
    holds: Vec<String>,
}

/// Who may not do what, and what would allow it.
fn refused(asked: &Asked, against: &str) -> String {
    let parts = [
        ("", asked.step),
        ("the run ", asked.run),
        ("the process ", asked.process),
        ("the policy ", asked.policy),
    ];
    let parts = parts.into_iter().filter_map(|(words, it)| Some(format!("{words}`{}`", it?)));
    let (who, parts) = (asked.who.name, parts.collect::<Vec<_>>().join(" of "));
    let what = match asked.action {
        Action::Policy => format!("`{who}` may not change {parts}"),
        action => format!("`{who}` may not {} {parts}", action.word()),
    };
    format!("{what}: {against}")
}
