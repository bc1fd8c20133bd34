//! Steps that gitport does itself: whether their configurations say what.

use super::{Report, Scope};
use crate::{
    engine::definition::Step,
    process::{
        builtin::{Builtin, Wrong, values},
        diagnostic::Rule,
    },
};

pub const RULES: &[Rule] = &[CONFIGURATION, UNTAKEN_OUTCOME];

const CONFIGURATION: Rule = Rule::error(
    "configuration",
    "A step of type `exec` with a `program`, or `git` with `do`, says what gitport understands.",
);
const UNTAKEN_OUTCOME: Rule = Rule::error(
    "untaken-outcome",
    "Some transition takes each outcome that a program's exit code stands for.",
);

pub fn check(scope: &Scope, report: &mut Report) {
    for (no, step) in scope.steps.iter().enumerate() {
        match read(step) {
            None => (),
            Some(Err(wrong)) => {
                for it in wrong {
                    let path = scope.at(no, &format!("configuration.{}", it.path));
                    report.say(&CONFIGURATION, &path, it.message);
                }
            }
            Some(Ok(Builtin::Git(_))) => (),
            Some(Ok(Builtin::Exec(exec))) => {
                let arcs = &scope.arcs[no];
                let is_taken = |it: &&String| {
                    arcs.is_empty() || arcs.iter().any(|arc| arc.takes(Some(it.as_str())))
                };
                for outcome in exec.outcomes.values().filter(|it| !is_taken(it)) {
                    let message = format!("let a transition take the outcome `{outcome}`");
                    let path = match step.configuration.as_ref() {
                        Some(it) if it.contains_key("outcomes") => "configuration.outcomes",
                        _ => "configuration.program",
                    };
                    report.say(&UNTAKEN_OUTCOME, &scope.at(no, path), message);
                }
            }
        }
    }
}

/// How long the expressions in configurations are.
pub fn bytes(scopes: &[Scope]) -> usize {
    let steps = scopes.iter().flat_map(|it| it.steps);
    let of = |step: &Step| {
        let there = read(step).and(step.configuration.as_ref());
        let values = there.into_iter().flat_map(|it| it.values());
        values.flat_map(values::expressions).map(str::len).sum::<usize>()
    };
    steps.map(of).sum()
}

fn read(step: &Step) -> Option<Result<Builtin, Vec<Wrong>>> {
    let step_type = step.step_type.as_deref()?;
    // Who awaits an event, calls or is a block does nothing itself.
    let is_work = step.awaits.is_none() && step.call.is_none() && step.steps.is_none();
    Builtin::read(step_type, step.configuration.as_ref()?).filter(|_| is_work)
}
