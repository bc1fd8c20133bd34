//! Many instances of a step: whether they can be added to, and come to their end.

use super::{Report, Scope};
use crate::{
    engine::definition::{
        flow::Rest,
        work::{Count, Each, EachJoin, EachWord},
    },
    process::diagnostic::Rule,
};

pub const RULES: &[Rule] = &[EACH_ADD, EACH_JOIN, EACH_REST];

const EACH_ADD: Rule = Rule::error(
    "each-add",
    "Instances are added by an event of its own, while the thread still waits for them.",
);
const EACH_JOIN: Rule =
    Rule::error("each-join", "No more instances are waited for than there can be.");
const EACH_REST: Rule =
    Rule::warning("each-rest", "`rest: cancel` is said where a rest can be left over.");

pub fn check(scope: &Scope, report: &mut Report) {
    for (no, step) in scope.steps.iter().enumerate() {
        if let Some(each) = &step.each {
            add(scope, no, each, report);
            join(scope, no, each, report);
        }
    }
}

fn add(scope: &Scope, no: usize, each: &Each, report: &mut Report) {
    for (key, event) in [("each.add", &each.add), ("each.finish", &each.finish)] {
        if event.as_ref().is_some_and(String::is_empty) {
            let message = "name the event that does it";
            report.say(&EACH_ADD, &scope.at(no, key), message);
        }
    }
    let Some(event) = &each.add else { return };
    let path = scope.at(no, "each.add");
    if matches!(each.join, Some(EachJoin::Word(EachWord::None))) {
        let message = "nothing can be added, since the thread goes on at once: take `add` away, \
            or wait with another `join`";
        report.say(&EACH_ADD, &path, message).see(&scope.at(no, "each.join"), "goes on at once");
    }
    if each.finish.as_ref() == Some(event) {
        let message = format!(
            "`{event}` adds an instance and finishes them all: name two \
            events"
        );
        report.say(&EACH_ADD, &path, message).see(&scope.at(no, "each.finish"), "the same event");
    }
}

fn join(scope: &Scope, no: usize, each: &Each, report: &mut Report) {
    let path = scope.at(no, "each.join");
    if let (Some(EachJoin::Count(n)), Some(Count::Number(count)), None) =
        (&each.join, &each.count, &each.add)
        && u64::from(*n) > *count
    {
        let message = format!(
            "{n} instances are waited for and there are {count}: wait for fewer, or say with \
                `add` which event makes more"
        );
        report.say(&EACH_JOIN, &path, message);
    }
    let is_whole = matches!(each.join, None | Some(EachJoin::Word(_)));
    if is_whole && each.rest == Some(Rest::Cancel) && each.finish.is_none() {
        let message = "no rest is ever left over: take `rest` away, or say with `join` after \
            how many the thread goes on";
        report.say(&EACH_REST, &scope.at(no, "each.rest"), message);
    }
}
