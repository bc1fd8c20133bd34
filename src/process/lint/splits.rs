//! Splits: whether each transition can be taken, and one of them always.

use super::{
    Report, Scope,
    scope::{Arc, RESERVED},
};
use crate::{
    engine::definition::{
        Step,
        flow::{Join, JoinWord, Split},
    },
    process::diagnostic::{Rule, brief, nearest},
};

pub const RULES: &[Rule] = &[
    RACE_WITHOUT_WAITERS,
    RACE_CONDITION,
    RACE_TARGET,
    ALL_CONDITION,
    NO_ELSE,
    SHADOWED_TRANSITION,
    MISSPELT_OUTCOME,
];

const RACE_WITHOUT_WAITERS: Rule = Rule::error(
    "race-without-waiters",
    "A race leads to two steps or more that wait for somebody or something.",
);
const RACE_CONDITION: Rule =
    Rule::error("race-condition", "A race has neither conditions nor numbers of threads.");
const RACE_TARGET: Rule =
    Rule::error("race-target", "A race leads to steps that join `one` or `all`.");
const ALL_CONDITION: Rule =
    Rule::error("all-condition", "A split of `all` takes its transitions without conditions.");
const NO_ELSE: Rule =
    Rule::warning("no-else", "A split whose conditions may all be false says what happens then.");
const SHADOWED_TRANSITION: Rule = Rule::warning(
    "shadowed-transition",
    "No transition before another one takes all that the other would take.",
);

const MISSPELT_OUTCOME: Rule = Rule::warning(
    "misspelt-outcome",
    "An outcome that is nearly called like one of the engine's is not one by mistake.",
);

pub fn check(scope: &Scope, report: &mut Report) {
    for no in 0..scope.steps.len() {
        misspelt(scope, no, report);
        match scope.split(no) {
            Split::Race => race(scope, no, report),
            Split::One => {
                no_else(scope, no, report);
                shadowed(scope, no, report);
            }
            Split::Any => no_else(scope, no, report),
            Split::All => all(scope, no, report),
        }
    }
}

fn race(scope: &Scope, no: usize, report: &mut Report) {
    for arc in &scope.arcs[no] {
        let path = scope.at(no, &arc.path);
        if !arc.is_unconditional() || arc.tokens != 1 {
            let message = "take the condition or number away: whoever starts first decides a \
                race";
            report.say(&RACE_CONDITION, &path, message);
        }
        let join = arc.target.and_then(|it| scope.steps[it].join.as_ref());
        if !matches!(join, None | Some(Join::Word(JoinWord::One | JoinWord::All))) {
            let message = "let the race lead to a step before this join, such as a `route`";
            report.say(&RACE_TARGET, &path, message);
        }
    }
    for outcome in scope.outcomes(no) {
        let arcs = scope.arcs[no].iter().filter(|it| it.on == outcome);
        let mut targets: Vec<usize> = arcs.filter_map(|it| it.target).collect();
        targets.sort_unstable();
        targets.dedup();
        let waiters = targets.iter().filter(|it| waits(&scope.steps[**it])).count();
        if waiters >= 2 {
            continue;
        }
        let message = format!(
            "`{}` starts a race of {waiters} that wait for somebody: let it lead to two steps \
                that are claimed, or `await` something",
            scope.id(no)
        );
        let mut said = report.say(&RACE_WITHOUT_WAITERS, &scope.at(no, "split"), message);
        for target in targets.iter().filter(|it| !waits(&scope.steps[**it])) {
            said = said.see(&scope.at(*target, "step_id"), "starts by itself, and so wins");
        }
    }
}

fn all(scope: &Scope, no: usize, report: &mut Report) {
    for arc in scope.arcs[no].iter().filter(|it| !it.is_unconditional()) {
        let (key, message) = match arc.otherwise {
            true => ("else", "take `else` away: `split: all` takes every transition"),
            false => ("when", "take `when` away, or write `split: any`: `all` asks for nothing"),
        };
        let path = scope.at(no, &format!("{}.{key}", arc.path));
        report.say(&ALL_CONDITION, &path, message).see(&scope.at(no, "split"), "takes them all");
    }
}

/// Whether somebody or something has to start a step.
fn waits(step: &Step) -> bool {
    let by_itself = step.each.is_some()
        || step.steps.is_some()
        || step.call.is_some()
        || step.step_type.as_deref() == Some("route");
    !by_itself || step.awaits.is_some() || step.only_while.is_some() || step.mutex.is_some()
}

fn no_else(scope: &Scope, no: usize, report: &mut Report) {
    for outcome in scope.outcomes(no) {
        let taken: Vec<&Arc> = scope.arcs[no].iter().filter(|it| it.takes(outcome)).collect();
        let is_sure = |it: &&Arc| it.when.is_none();
        // Where the outcome has no transition of its own, the one for any outcome tells.
        let is_own = taken.iter().any(|it| it.on == outcome);
        if !is_own || taken.iter().any(is_sure) {
            continue;
        }
        let last = taken[taken.len() - 1];
        let of = outcome.map(|it| format!(" of `{}`", brief(it))).unwrap_or_default();
        let message = format!(
            "all conditions{of} may be false: add a transition with `else: true`, with \
                `next_step`, or without to end the thread"
        );
        report.say(&NO_ELSE, &scope.at(no, &format!("{}.when", last.path)), message);
    }
}

fn misspelt(scope: &Scope, no: usize, report: &mut Report) {
    let outcomes = scope.outcomes(no);
    for (at, it) in scope.steps[no].transitions.iter().flatten().enumerate() {
        let Some(on) = it.on.as_deref().filter(|it| !RESERVED.contains(it)) else { continue };
        // Who takes both means both.
        let free = RESERVED.into_iter().filter(|it| !outcomes.contains(&Some(it)));
        if let Some(near) = nearest(on, free) {
            let message = format!(
                "only who completes the step says `{}`: write `{near}`, if what the engine says is \
                    meant",
                brief(on)
            );
            report.say(&MISSPELT_OUTCOME, &scope.at(no, &format!("transitions[{at}].on")), message);
        }
    }
}

fn shadowed(scope: &Scope, no: usize, report: &mut Report) {
    let arcs = &scope.arcs[no];
    for (index, arc) in arcs.iter().enumerate() {
        let shadows = |it: &&Arc| {
            let is_wider = it.on == arc.on || (it.on.is_none() && it.takes(arc.on));
            let is_same = it.on == arc.on && it.when == arc.when && it.otherwise == arc.otherwise;
            (is_wider && it.is_unconditional()) || is_same
        };
        let Some(before) = arcs[..index].iter().find(shadows) else {
            continue;
        };
        let message = "never taken, since a transition before it takes all of this: change \
            their order, say `when`, or use `split: all`";
        let said = report.say(&SHADOWED_TRANSITION, &scope.at(no, &arc.path), message);
        said.see(&scope.at(no, &before.path), "takes it");
    }
}
