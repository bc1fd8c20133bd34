//! Whether steps can be come to, and whether there is an end.

use super::{Report, Scope};
use crate::{engine::definition::flow::Cancel, process::diagnostic::Rule};

pub const RULES: &[Rule] = &[UNREACHABLE_STEP, NO_END];

const UNREACHABLE_STEP: Rule =
    Rule::warning("unreachable-step", "Some way leads from the start to each step.");
const NO_END: Rule = Rule::error("no-end", "Some way leads from each step to an end.");

pub fn check(scope: &Scope, scopes: &[Scope], report: &mut Report) {
    if scope.steps.is_empty() {
        return;
    }
    let reached = scope.reachable(scope.initial, None);
    for (no, _) in reached.iter().enumerate().filter(|it| !it.1) {
        let message = format!(
            "no way leads to `{}`: name it in a transition of another step, or take it away",
            scope.id(no)
        );
        report.say(&UNREACHABLE_STEP, &scope.at(no, "step_id"), message);
    }
    let can_end = ends(scope);
    let is_ended = (0..reached.len()).any(|it| reached[it] && scope.steps[it].end.is_some());
    let endless = (0..reached.len()).find(|it| {
        reached[*it] && !can_end[*it] && !is_ended && !is_cancelled(scope.id(*it), scopes)
    });
    let Some(no) = endless else { return };
    let message = format!(
        "no way leads from `{}` to an end: add a transition to a step without transitions, or \
            one without `next_step`",
        scope.id(no)
    );
    let said = report.say(&NO_END, &scope.at(no, "step_id"), message);
    if can_end[scope.initial] {
        said.lenient();
    }
}

/// The steps from which a thread can come to its end.
fn ends(scope: &Scope) -> Vec<bool> {
    let mut before = vec![Vec::new(); scope.steps.len()];
    for no in 0..scope.steps.len() {
        scope.next(no).for_each(|it| before[it].push(no));
    }
    let mut can_end = vec![false; scope.steps.len()];
    let mut open: Vec<usize> = (0..can_end.len()).filter(|it| scope.can_end(*it)).collect();
    while let Some(no) = open.pop() {
        if !can_end[no] {
            can_end[no] = true;
            open.extend(&before[no]);
        }
    }
    can_end
}

/// Whether some step of the process withdraws this one.
fn is_cancelled(name: &str, scopes: &[Scope]) -> bool {
    scopes.iter().flat_map(|it| it.steps).any(|it| match &it.cancel {
        Some(Cancel::Everything(_)) => true,
        Some(Cancel::Steps(names)) => names.iter().any(|it| it.rsplit('/').next() == Some(name)),
        None => false,
    })
}
