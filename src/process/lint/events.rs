//! Events: whether somebody waits for what is sent.

use std::collections::HashSet;

use super::{Everything, Report, Scope};
use crate::{
    engine::definition::{
        Definition, Step,
        work::{Await, Emit},
    },
    process::diagnostic::{Rule, brief, nearest},
};

pub const RULES: &[Rule] = &[UNAWAITED_EMIT];

const UNAWAITED_EMIT: Rule =
    Rule::warning("unawaited-emit", "Some step waits for each event that is sent.");

pub fn check(everything: &Everything, scope: &Scope, report: &mut Report) {
    for (no, step) in scope.steps.iter().enumerate() {
        if let Some(emit) = &step.emit {
            sent(everything, &scope.at(no, "emit"), emit, report);
        }
        let rule = step.deadline.as_ref().map(|it| it.rule());
        if let Some(emit) = rule.and_then(|it| it.escalate).and_then(|it| it.emit) {
            sent(everything, &scope.at(no, "deadline.escalate.emit"), &emit, report);
        }
    }
}

fn sent(everything: &Everything, path: &str, emit: &Emit, report: &mut Report) {
    match emit {
        Emit::Event(event) => unawaited(everything, path, event, report),
        Emit::Rule(rule) => unawaited(everything, &format!("{path}.event"), &rule.event, report),
        Emit::Many(many) => {
            for (at, it) in many.iter().enumerate() {
                sent(everything, &format!("{path}[{at}]"), it, report);
            }
        }
    }
}

fn unawaited(everything: &Everything, path: &str, event: &str, report: &mut Report) {
    if !everything.events.contains(event) {
        let message =
            format!("no step waits for `{}`: add one with `await`, or take it away", brief(event));
        let mut known: Vec<&str> = everything.events.iter().copied().collect();
        known.sort_unstable();
        report.say(&UNAWAITED_EMIT, path, message).meant(nearest(event, known));
    }
}

/// The events that any step waits for.
pub fn awaited<'a>(definitions: impl Iterator<Item = &'a Definition>) -> HashSet<&'a str> {
    let mut events = HashSet::new();
    definitions.for_each(|it| collect(&it.steps, &mut events));
    events
}

fn collect<'a>(steps: &'a [Step], events: &mut HashSet<&'a str>) {
    for step in steps {
        match &step.awaits {
            Some(Await::Event(event)) => drop(events.insert(event)),
            Some(Await::Rule(rule)) => events.extend(rule.event.as_deref()),
            None => (),
        }
        if let Some(each) = &step.each {
            events.extend(each.add.as_deref());
            events.extend(each.finish.as_deref());
        }
        collect(step.steps.as_deref().unwrap_or_default(), events);
    }
}
