//! What policies let steps do that the program carries out by itself.

use super::{Act, Action, Deed, Refusal, Told, decide::Decision};
use crate::{
    error::{Error, Result},
    runs::{
        keeper::{Keeper, MYSELF},
        work::TaskId,
    },
};

/// The rule of who starts the daemon.
const ALLOW_LIST: &str = "--exec-allow";
/// What is refused, in words of its record.
const EXEC: &str = "exec";
const GIT: &str = "git";

impl Keeper {
    /// Fails unless a task may run a program: one that the operator names, and the policies do.
    pub fn expect_may_exec(
        &mut self,
        task: &TaskId,
        program: &str,
        allowed: &[String],
    ) -> Result<()> {
        let (process, path) = self.place_of(task);
        if !allowed.iter().any(|it| it == program) {
            let message = format!(
                "`{program}` is not allowed: whoever runs the daemon names programs with \
                 {ALLOW_LIST}"
            );
            return Err(self.refuse_step(task, EXEC, None, ALLOW_LIST.to_owned(), message));
        }
        let rules = self.policy.standing.rules()?;
        match against(&rules.may_exec(&process, &path, program)) {
            None => Ok(()),
            Some((rule, against)) => {
                let message = format!("`{path}` of `{process}` may not run `{program}`: {against}");
                Err(self.refuse_step(task, EXEC, None, rule, message))
            }
        }
    }

    /// Fails unless a task may do this to a ref.
    pub fn expect_may_git(&mut self, task: &TaskId, deed: Deed, reference: &str) -> Result<()> {
        let (process, path) = self.place_of(task);
        let rules = self.policy.standing.rules()?;
        match against(&rules.may_git(&process, &path, deed, reference)) {
            None => Ok(()),
            Some((rule, against)) => {
                let (deed, name) = (deed.word(), Some(reference));
                let message = format!(
                    "`{path}` of `{process}` may not {deed} where that moves `{reference}`: \
                     {against}"
                );
                Err(self.refuse_step(task, GIT, name, rule, message))
            }
        }
    }

    /// The process of a task's run, and the path of its step.
    fn place_of(&self, TaskId { run, item }: &TaskId) -> (String, String) {
        let Told { process, step, .. } =
            self.told(&Act::of(Action::Claim, MYSELF).on(run).at(*item));
        (process.unwrap_or_default(), step.unwrap_or_default())
    }

    fn refuse_step(
        &mut self,
        task: &TaskId,
        action: &str,
        reference: Option<&str>,
        rule: String,
        message: String,
    ) -> Error {
        let (process, step) = self.place_of(task);
        let refusal = Refusal {
            actor: MYSELF.to_owned(),
            action: action.to_owned(),
            run: Some(task.run.to_string()),
            process: Some(process),
            step: Some(step),
            reference: reference.map(str::to_owned),
            policy: None,
            rule,
        };
        self.policy.refuse(refusal, message)
    }
}

/// The rule that stands against it, and in which words, if any does.
fn against(decision: &Decision) -> Option<(String, String)> {
    let rule = || decision.rule.clone().unwrap_or_default();
    (!decision.is_allowed).then(|| (rule(), decision.against()))
}
