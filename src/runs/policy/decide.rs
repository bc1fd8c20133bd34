//! Whether somebody may do something, as all policies together say, and why.
//!
//! Nothing said is allowed. Where rules with `allow` are about it, one of them has to name who
//! does it; a `deny` counts more than all of them.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use super::{
    doers::{Doers, plain},
    model::{Action, FourEyes, Override, Policy},
    pattern::{Actors, Glob, Who},
};

/// Who does something.
#[derive(Debug, Clone, Copy)]
pub struct Somebody<'a> {
    pub name: &'a str,
    pub mail: Option<&'a str>,
    /// Roles that it says it has: they count where no policy says who has which.
    pub said: &'a BTreeSet<String>,
}

/// What somebody is about to do.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub who: Somebody<'a>,
    pub action: Action,
    pub process: Option<&'a str>,
    pub run: Option<&'a str>,
    /// The path of the step that it is done to.
    pub step: Option<&'a str>,
    pub policy: Option<&'a str>,
    /// Who completed what in the run, and the steps that who asks holds.
    pub doers: Option<&'a Doers>,
    pub holds: &'a [String],
    /// Why it is done though it may not be.
    pub reason: Option<&'a str>,
}

/// How a rule stands to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allows,
    Denies,
    /// It allows others.
    Forbids,
    /// It has nothing against it.
    Passes,
    /// It is about something else.
    Elsewhere,
    /// Whoever asks may do it all the same.
    Overrides,
}

/// A rule that was looked at.
#[derive(Debug, Clone)]
pub struct Looked<'p> {
    policy: &'p str,
    name: &'p str,
    pub verdict: Verdict,
    because: Because<'p>,
}

#[derive(Debug, Clone)]
enum Because<'p> {
    Actors(&'p Actors),
    /// It was completed, or is held, by who asks.
    Step(String),
    Text(&'static str),
}

#[derive(Debug)]
pub struct Decision<'p> {
    pub is_allowed: bool,
    /// The first of those that stand against it.
    pub rule: Option<String>,
    /// Those that were overridden.
    pub overridden: Vec<String>,
    pub why: Vec<Looked<'p>>,
}

impl<'p> Looked<'p> {
    pub fn new(policy: &'p str, name: &'p str, verdict: Verdict, text: &'static str) -> Looked<'p> {
        Looked { policy, name, verdict, because: Because::Text(text) }
    }

    pub fn of_actors(
        policy: &'p str,
        name: &'p str,
        verdict: Verdict,
        actors: &'p Actors,
    ) -> Looked<'p> {
        Looked { policy, name, verdict, because: Because::Actors(actors) }
    }

    pub fn rule(&self) -> String {
        format!("{}/{}", self.policy, self.name)
    }

    fn stands_against(&self) -> bool {
        matches!(self.verdict, Verdict::Denies | Verdict::Forbids)
    }
}

/// What the rule says, in words that follow its name.
impl fmt::Display for Looked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.because, self.verdict) {
            (Because::Actors(actors), Verdict::Denies | Verdict::Passes) => {
                write!(f, "denies it to {actors}")
            }
            (Because::Actors(actors), Verdict::Overrides) => {
                write!(f, "lets {actors} do what is forbidden, for a reason")
            }
            (Because::Actors(actors), _) => write!(f, "allows {actors}"),
            (Because::Step(step), _) => {
                write!(f, "wants another one than who completed or holds `{step}`")
            }
            (Because::Text(text), _) => f.write_str(text),
        }
    }
}

impl<'p> Decision<'p> {
    /// By rules of which one has to allow it, where there are any.
    pub fn of(why: Vec<Looked<'p>>) -> Decision<'p> {
        let has = |verdict| why.iter().any(|it: &Looked| it.verdict == verdict);
        let is_allowed = !has(Verdict::Denies) && (has(Verdict::Allows) || !has(Verdict::Forbids));
        let first = |verdict| why.iter().find(|it| it.verdict == verdict).map(Looked::rule);
        let against = || first(Verdict::Denies).or_else(|| first(Verdict::Forbids));
        let rule = if is_allowed { first(Verdict::Allows) } else { against() };
        Decision { is_allowed, rule, overridden: Vec::new(), why }
    }

    /// What stands against it, and with that what would allow it.
    pub fn against(&self) -> String {
        let has_denial = self.why.iter().any(|it| it.verdict == Verdict::Denies);
        let counts = if has_denial { Verdict::Denies } else { Verdict::Forbids };
        let all = self.why.iter().filter(|it| it.verdict == counts);
        let all: Vec<String> = all.map(|it| format!("`{}` {it}", it.rule())).collect();
        all.join("; ")
    }
}

/// All policies of a repository that can be read.
#[derive(Debug, Default)]
pub struct Rules(pub Vec<(String, Policy)>);

impl Rules {
    fn all<'p, T: 'p>(
        &'p self,
        of: impl Fn(&'p Policy) -> &'p [T],
    ) -> impl Iterator<Item = (&'p str, &'p T)> {
        self.0.iter().flat_map(move |(name, it)| of(it).iter().map(move |it| (&**name, it)))
    }

    fn says_roles(&self) -> bool {
        self.0.iter().any(|it| it.1.roles.is_some())
    }

    /// Whether somebody has a role: as policies say, or as it says itself where none does.
    pub fn has_role(&self, who: &Somebody, role: &str) -> bool {
        if !self.says_roles() {
            return who.said.contains(role);
        }
        let roles = self.0.iter().filter_map(|it| it.1.roles.as_ref()?.get(role));
        let mut actors = roles.flatten();
        actors.any(|it| it.matches(who.name) || who.mail.is_some_and(|mail| it.matches(mail)))
    }

    pub fn is_among(&self, who: &Somebody, actors: &Actors) -> bool {
        actors.all().iter().any(|it| match it {
            Who::Actor(it) => it.matches(who.name) || who.mail.is_some_and(|mail| it.matches(mail)),
            Who::Role(role) => self.has_role(who, role),
        })
    }

    pub fn decide<'p>(&'p self, asked: &Asked) -> Decision<'p> {
        let step = asked.step.map(plain);
        let step = step.as_deref();
        let mut why = Vec::new();
        for (policy, rule) in self.all(|it| it.rules.as_slice()) {
            if !rule.on.contains(&asked.action) {
                continue;
            }
            let is_about = is_for(&rule.process, asked.process)
                && is_for(&rule.step, step)
                && is_for(&rule.policy, asked.policy);
            let (actors, yes, no) = match (&rule.allow, &rule.deny) {
                (Some(actors), _) => (actors, Verdict::Allows, Verdict::Forbids),
                (None, Some(actors)) => (actors, Verdict::Denies, Verdict::Passes),
                (None, None) => continue,
            };
            let verdict = if self.is_among(&asked.who, actors) { yes } else { no };
            why.push(match is_about {
                true => Looked::of_actors(policy, &rule.name, verdict, actors),
                false => Looked::new(policy, &rule.name, Verdict::Elsewhere, ELSEWHERE),
            });
        }
        if let Some(step) = step
            && matches!(asked.action, Action::Claim | Action::Complete)
        {
            for (policy, it) in self.all(|it| it.four_eyes.as_slice()) {
                why.push(it.looked(policy, step, asked));
            }
        }
        self.overridden(Decision::of(why), step, asked)
    }

    /// Whether rules that want two people are about a step.
    pub fn wants_others(&self, process: &str, path: &str) -> bool {
        let step = plain(path);
        self.all(|it| it.four_eyes.as_slice())
            .any(|(_, it)| is_for(&it.process, Some(process)) && it.has(&step))
    }

    /// The same decision, or another one where whoever asks may override all that is against it.
    fn overridden<'p>(
        &'p self,
        mut decision: Decision<'p>,
        step: Option<&str>,
        asked: &Asked,
    ) -> Decision<'p> {
        if decision.is_allowed || asked.reason.is_none() {
            return decision;
        }
        let of_who_asks = |(_, it): &(&str, &'p Override)| {
            it.on.contains(&asked.action)
                && is_for(&it.process, asked.process)
                && is_for(&it.step, step)
                && self.is_among(&asked.who, &it.allow)
        };
        let may: Vec<(&str, &Override)> =
            self.all(|it| it.overrides.as_slice()).filter(of_who_asks).collect();
        let is_taken = |rule: &str| {
            let has = |it: &Glob| it.matches(rule);
            may.iter().any(|(_, it)| it.rules.as_ref().is_none_or(|it| it.iter().any(has)))
        };
        // Those that name others do not count where one names who asks.
        let is_named = decision.why.iter().any(|it| it.verdict == Verdict::Allows);
        let counts = |it: &&Looked| it.verdict == Verdict::Denies || !is_named;
        let against = decision.why.iter().filter(|it| it.stands_against()).filter(counts);
        let against: Vec<String> = against.map(Looked::rule).collect();
        if !against.iter().all(|it| is_taken(it)) {
            return decision;
        }
        let overrides = |(policy, it): &(&'p str, &'p Override)| {
            Looked::of_actors(policy, &it.name, Verdict::Overrides, &it.allow)
        };
        decision.rule = may.first().map(|it| overrides(it).rule());
        decision.why.extend(may.iter().map(overrides));
        (decision.is_allowed, decision.overridden) = (true, against);
        decision
    }
}

const ELSEWHERE: &str = "is about something else";

/// Whether a rule that says this is about that; one that says nothing is about anything.
pub fn is_for(said: &Option<Glob>, actual: Option<&str>) -> bool {
    said.as_ref().is_none_or(|it| actual.is_some_and(|actual| it.matches(actual)))
}

impl FourEyes {
    fn has(&self, step: &str) -> bool {
        self.steps.iter().any(|it| it.matches(step))
    }

    fn looked<'p>(&'p self, policy: &'p str, step: &str, asked: &Asked) -> Looked<'p> {
        let look = |verdict, text| Looked::new(policy, &self.name, verdict, text);
        if !is_for(&self.process, asked.process) || !self.has(step) {
            return look(Verdict::Elsewhere, ELSEWHERE);
        }
        let path = asked.step.unwrap_or_default();
        let is_other = |other: &str| match other == step {
            true => false,
            false => self.has(other),
        };
        let done = asked.doers.map(|it| it.of(asked.who.name)).unwrap_or_default();
        let done = done.iter().find(|it| {
            is_other(&it.step) || self.instances && *it.step == *step && it.has_other_than(path)
        });
        let held = || {
            asked.holds.iter().find(|it| {
                let other = plain(it);
                is_other(&other) || self.instances && other == step && **it != path
            })
        };
        match done.map(|it| it.step.to_string()).or_else(|| held().cloned()) {
            Some(step) => Looked {
                policy,
                name: &self.name,
                verdict: Verdict::Denies,
                because: Because::Step(step),
            },
            None => look(Verdict::Passes, "has seen nothing of who asks in this run"),
        }
    }
}

#[cfg(test)]
mod tests;
