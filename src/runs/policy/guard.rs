//! Refs that clients move, as policies have it.

use std::collections::BTreeSet;

use super::{Act, Action, Motion, Refusal, decide::Somebody, model::SignedKind};
use crate::{
    error::{Error, Result},
    git::{
        Guard, Moved, NOTES, Namespace, Namespaces, ObjectId, Savepoint, TAGS, Tag, Transaction,
    },
    runs::{Runs, keeper::Keeper},
};

impl Guard for Runs {
    fn expect(&self, since: &Savepoint, transaction: &mut Transaction) -> Result<()> {
        let keeper = self.keeper(transaction.repository().common_folder());
        let mut keeper =
            keeper.lock().map_err(|_| Error::internal("a bug ended another request"))?;
        keeper.refresh_policies(transaction)?;
        if !keeper.policy.standing.rules()?.guards_refs() {
            return Ok(());
        }
        for moved in transaction.moved_since(since)? {
            keeper.expect_may_move(&moved, transaction)?;
        }
        Ok(())
    }
}

impl Keeper {
    fn expect_may_move(&mut self, moved: &Moved, transaction: &mut Transaction) -> Result<()> {
        let Moved { name, from, to, who: (actor, mail) } = moved;
        if let Some(process) = Tag::process_of(name) {
            // To take a version away is to decide what is published, too.
            self.expect_may_publish(actor, mail, process)?;
            if let Some(to) = to {
                self.expect_signed(SignedKind::Publish, process, moved, *to, transaction)?;
            }
        }
        let motion = match (from, to) {
            (_, None) => Motion::Delete,
            (Some(from), Some(to)) if !transaction.is_forward(*from, *to)? => Motion::Force,
            _ => Motion::Forward,
        };
        self.expect_motion((actor, Some(mail)), name, motion)?;
        let Some(to) = to else { return Ok(()) };
        let mut unsigned = None;
        for (rule, signers) in self.policy.standing.rules()?.signers_of_ref(name) {
            if let Some(commit) = transaction.unsigned_since(*from, *to, signers)? {
                unsigned = Some((rule, commit));
                break;
            }
        }
        match unsigned {
            Some((rule, commit)) => Err(self.unsigned(moved, rule, commit)),
            None => Ok(()),
        }
    }

    /// Fails where somebody, of a name and maybe a mail, may not move a ref like this.
    pub fn expect_motion(
        &mut self,
        (actor, mail): (&str, Option<&str>),
        name: &str,
        motion: Motion,
    ) -> Result<()> {
        let none = BTreeSet::new();
        let who = Somebody { name: actor, mail, said: &none };
        let decision = self.policy.standing.rules()?.may_move(&who, name, motion);
        if decision.is_allowed {
            return Ok(());
        }
        let (rule, against) = (decision.rule.clone().unwrap_or_default(), decision.against());
        let (actor, action) = (actor.to_owned(), motion.word().to_owned());
        let message = format!("`{actor}` may not {action} `{name}`: {against}");
        let reference = Some(name.to_owned());
        let refusal = Refusal { actor, action, reference, rule, ..Refusal::default() };
        Err(self.policy.refuse(refusal, message))
    }

    /// Fails where the remote that a branch follows may move it anywhere, which policies do not
    /// let it: what it will bring nobody knows before.
    pub fn expect_may_sync(&mut self, actor: (&str, Option<&str>), name: &str) -> Result<()> {
        self.expect_motion(actor, name, Motion::Force)?;
        self.expect_unsigned(name)
    }

    /// Whether tags may come along where nobody knows which; fails where notes may not.
    pub fn may_sync_tags(
        &mut self,
        actor: (&str, Option<&str>),
        notes: &Namespaces,
    ) -> Result<bool> {
        let rules = self.policy.standing.rules()?;
        let has_tags = !rules.guards_below(TAGS) && !rules.guards_publications();
        match notes {
            Namespaces::All if rules.guards_below(NOTES) => {
                let message = "policies protect notes here: say which namespaces are to come";
                return Err(Error::denied(message)
                    .with("rule", "protected")
                    .with("field", "notes"));
            }
            Namespaces::All => (),
            Namespaces::Some(names) => {
                for name in names {
                    let name = Namespace::new(name)?.reference();
                    self.expect_motion(actor, &name, Motion::Forward)?;
                    self.expect_unsigned(&name)?;
                }
            }
        }
        Ok(has_tags)
    }

    /// Fails where somebody who pushes from this machine may not move a ref like this.
    pub fn expect_may_receive(
        &mut self,
        actor: (&str, Option<&str>),
        name: &str,
        motion: Motion,
    ) -> Result<()> {
        if let Some(process) = Tag::process_of(name) {
            self.expect_may_publish(actor.0, actor.1.unwrap_or_default(), process)?;
            let signers = self.policy.standing.rules()?.signers_of(SignedKind::Publish, process);
            expect_none(name, signers.into_iter().map(|it| it.0))?;
        }
        self.expect_motion(actor, name, motion)?;
        self.expect_unsigned(name)
    }

    fn expect_may_publish(&mut self, actor: &str, mail: &str, process: &str) -> Result<()> {
        self.expect_allowed(Act::of(Action::Publish, actor).with_mail(mail).of_process(process))
    }

    /// Fails where what a ref comes to has to be signed: nobody here has it yet.
    fn expect_unsigned(&self, name: &str) -> Result<()> {
        let signers = self.policy.standing.rules()?.signers_of_ref(name);
        expect_none(name, signers.into_iter().map(|it| it.0))
    }

    fn expect_signed(
        &mut self,
        kind: SignedKind,
        process: &str,
        moved: &Moved,
        to: ObjectId,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let mut unsigned = None;
        for (rule, signers) in self.policy.standing.rules()?.signers_of(kind, process) {
            if !transaction.is_signed(to, signers)? {
                unsigned = Some(rule);
                break;
            }
        }
        match unsigned {
            Some(rule) => Err(self.unsigned(moved, rule, to)),
            None => Ok(()),
        }
    }

    fn unsigned(&mut self, moved: &Moved, rule: String, id: ObjectId) -> Error {
        let (name, actor) = (&moved.name, &moved.who.0);
        let message = format!(
            "`{actor}` may not move `{name}` to {id}: `{rule}` wants it signed by one of its \
             `signers`"
        );
        let refusal = Refusal {
            actor: actor.clone(),
            action: Motion::Forward.word().to_owned(),
            reference: Some(name.clone()),
            rule,
            ..Refusal::default()
        };
        self.policy.refuse(refusal, message)
    }
}

/// Fails where a rule wants what a ref comes to signed.
fn expect_none(name: &str, mut rules: impl Iterator<Item = String>) -> Result<()> {
    match rules.next() {
        None => Ok(()),
        Some(rule) => {
            let message = format!(
                "`{name}` cannot be brought to where somebody else has it: `{rule}` wants what it \
                 comes to signed, which nobody knows before"
            );
            Err(Error::denied(message).with("rule", rule))
        }
    }
}
