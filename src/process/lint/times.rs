//! Times and numbers: whether they are within what they can be.

use super::{Report, Scope};
use crate::{
    engine::definition::{
        Step,
        around::RetryRule,
        flow::{Join, Quorum},
    },
    process::diagnostic::Rule,
};

pub const RULES: &[Rule] = &[OUT_OF_RANGE, LATE];

const OUT_OF_RANGE: Rule = Rule::error("out-of-range", "Numbers are within what they can be.");
const LATE: Rule =
    Rule::warning("late", "A deadline passes before the step is ended by its timeout.");

pub fn check(scope: &Scope, report: &mut Report) {
    for (no, step) in scope.steps.iter().enumerate() {
        for (key, number, least, most) in numbers(step) {
            if !(least..=most).contains(&number) {
                let message = match most == u32::MAX {
                    true => format!("write a number from {least} on instead of {number}"),
                    false => format!("write a number from {least} to {most} instead of {number}"),
                };
                report.say(&OUT_OF_RANGE, &scope.at(no, &key), message);
            }
        }
        let deadline = step.deadline.as_ref().map(|it| it.rule().after.ms());
        if let (Some(deadline), Some(timeout)) = (deadline, &step.timeout)
            && deadline >= timeout.ms()
        {
            let message =
                "write a deadline that is shorter than the timeout: this one never passes";
            let said = report.say(&LATE, &scope.at(no, "deadline"), message);
            said.see(&scope.at(no, "timeout"), "ends the step before");
        }
    }
}

/// The numbers of a step, each with its key, the least and the most it can be.
fn numbers(step: &Step) -> Vec<(String, u32, u32, u32)> {
    let mut numbers = Vec::new();
    for (at, it) in step.transitions.iter().flatten().enumerate() {
        numbers.extend(it.tokens.map(|n| (format!("transitions[{at}].tokens"), n, 1, u32::MAX)));
    }
    match &step.join {
        Some(Join::Count(n)) => numbers.push(("join".to_owned(), *n, 1, u32::MAX)),
        Some(Join::Rule(rule)) => {
            numbers.extend(rule.tokens.map(|n| ("join.tokens".to_owned(), n, 1, u32::MAX)));
            if let Some(Quorum::Count(n)) = rule.n {
                numbers.push(("join.n".to_owned(), n, 1, u32::MAX));
            }
        }
        _ => (),
    }
    let rules = step.retry.as_ref().map(|it| it.rules()).unwrap_or_default();
    for (at, rule) in rules.iter().enumerate() {
        let RetryRule { attempts, factor, jitter_percent, .. } = rule;
        let path = match &step.retry {
            Some(crate::engine::definition::around::Retry::Rules(_)) => format!("retry[{at}]"),
            _ => "retry".to_owned(),
        };
        numbers.push((format!("{path}.attempts"), *attempts, 1, 10_000));
        numbers.extend(factor.map(|n| (format!("{path}.factor"), n, 1, 100)));
        numbers.extend(jitter_percent.map(|n| (format!("{path}.jitter_percent"), n, 0, 100)));
    }
    numbers
}
