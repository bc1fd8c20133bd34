//! What policies say of programs, of what steps do in repositories, and of refs that move.

use super::{
    decide::{Decision, Looked, Rules, Somebody, Verdict, is_for},
    doers::plain,
    model::{Deed, Policy, Protected, Signed, SignedKind},
    pattern::Glob,
};
use crate::git::AllowedSigners;

/// How a ref moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// To what has all that it had, or where there was none.
    Forward,
    Force,
    Delete,
}

impl Motion {
    pub fn word(self) -> &'static str {
        match self {
            Motion::Forward => "move",
            Motion::Force => "force",
            Motion::Delete => "delete",
        }
    }
}

/// Of one list: it allows what it names, where any list is about it.
fn listed<'p>(policy: &'p str, name: &'p str, is_about: bool, has_it: bool) -> Looked<'p> {
    let (verdict, text) = match (is_about, has_it) {
        (false, _) => (Verdict::Elsewhere, "is about something else"),
        (true, true) => (Verdict::Allows, "has it on its list"),
        (true, false) => (Verdict::Forbids, "does not have it on its list"),
    };
    Looked::new(policy, name, verdict, text)
}

fn has(globs: &[Glob], name: &str) -> bool {
    globs.iter().any(|it| it.matches(name))
}

impl Rules {
    /// Whether the step at a path of a process may run a program: one that a list names, where
    /// any list is about the step.
    pub fn may_exec(&self, process: &str, path: &str, program: &str) -> Decision<'_> {
        let step = plain(path);
        let mut why = Vec::new();
        for (policy, it) in &self.0 {
            for it in &it.exec {
                let is_about = is_for(&it.process, Some(process)) && is_for(&it.step, Some(&step));
                why.push(listed(policy, &it.name, is_about, has(&it.programs, program)));
            }
        }
        Decision::of(why)
    }

    /// The same of what a step does to a ref.
    pub fn may_git(&self, process: &str, path: &str, deed: Deed, reference: &str) -> Decision<'_> {
        let step = plain(path);
        let mut why = Vec::new();
        for (policy, it) in &self.0 {
            for it in &it.git {
                let is_about = is_for(&it.process, Some(process)) && is_for(&it.step, Some(&step));
                let has_it = it.actions.contains(&deed) && has(&it.refs, reference);
                why.push(listed(policy, &it.name, is_about, has_it));
            }
        }
        Decision::of(why)
    }

    /// Whether any policy is about refs.
    pub fn guards_refs(&self) -> bool {
        self.guards_publications() || self.0.iter().any(|it| !it.1.protected.is_empty())
    }

    /// Whether any may be about refs below a folder, such as `refs/tags/`.
    pub fn guards_below(&self, folder: &str) -> bool {
        let mut protected = self.0.iter().flat_map(|it| &it.1.protected);
        protected.any(|it| it.refs.iter().any(|it| it.may_match_below(folder)))
    }

    /// Whether any is about what is published.
    pub fn guards_publications(&self) -> bool {
        let of_publishing = |it: &Signed| it.of == SignedKind::Publish;
        self.0.iter().any(|(_, it)| {
            it.signed.iter().any(of_publishing)
                || it.rules.iter().any(|it| it.on.contains(&super::Action::Publish))
        })
    }

    fn protected(&self, reference: &str) -> impl Iterator<Item = (&str, &Policy, &Protected)> {
        let all = self.0.iter().flat_map(|(name, policy)| {
            policy.protected.iter().map(move |it| (name.as_str(), policy, it))
        });
        all.filter(move |it| has(&it.2.refs, reference))
    }

    /// Whether somebody may move a ref like this: what comes may have to be signed besides.
    pub fn may_move(&self, who: &Somebody, reference: &str, motion: Motion) -> Decision<'_> {
        let looked = self.protected(reference).map(|(policy, _, it)| {
            let look = |verdict, text| Looked::new(policy, &it.name, verdict, text);
            match (&it.allow, motion) {
                (_, Motion::Force) if !it.force => {
                    look(Verdict::Denies, "lets nobody move it to what lacks what it had")
                }
                (_, Motion::Delete) if !it.delete => look(Verdict::Denies, "lets nobody delete it"),
                (Some(actors), _) => {
                    let is_one = self.is_among(who, actors);
                    let verdict = if is_one { Verdict::Allows } else { Verdict::Forbids };
                    Looked::of_actors(policy, &it.name, verdict, actors)
                }
                (None, _) => look(Verdict::Passes, "lets everybody move it"),
            }
        });
        Decision::of(looked.collect())
    }

    /// Whose signature what a ref moves to needs, by the rules' names.
    pub fn signers_of_ref(&self, reference: &str) -> Vec<(String, &AllowedSigners)> {
        let signed = self.protected(reference).filter(|it| it.2.signed);
        let signed = signed.filter_map(|(policy, it, rule)| {
            Some((format!("{policy}/{}", rule.name), it.allowed_signers.as_ref()?))
        });
        signed.collect()
    }

    /// The same of a process that is published, or of a policy that is changed.
    pub fn signers_of(&self, kind: SignedKind, name: &str) -> Vec<(String, &AllowedSigners)> {
        let mut found = Vec::new();
        for (policy, it) in &self.0 {
            for rule in it.signed.iter().filter(|it| it.of == kind) {
                let is_about = match kind {
                    SignedKind::Publish => is_for(&rule.process, Some(name)),
                    SignedKind::Policy => is_for(&rule.policy, Some(name)),
                };
                let signers = it.allowed_signers.as_ref().filter(|_| is_about);
                found.extend(signers.map(|it| (format!("{policy}/{}", rule.name), it)));
            }
        }
        found
    }
}
