//! What the engine does not take, where no rule has said so already.

use super::{Everything, Report};
use crate::{
    engine::{
        definition::{Definition, Step, work::Call},
        net::{Processes, versions},
    },
    process::diagnostic::{Rule, Severity},
};

pub const RULES: &[Rule] = &[REFUSED];

pub const REFUSED: Rule = Rule::error("refused", "The keys of a step go together.");

pub fn check(everything: &Everything, report: &mut Report) {
    let wrong = match Processes::compile(&together(everything, report.definition())) {
        Ok(_) => return,
        Err(wrong) => wrong,
    };
    for it in wrong.iter().filter(|it| it.definition == 0) {
        let is_said = report.diagnostics.iter().any(|said| {
            let near = said.path.starts_with(&it.path) || it.path.starts_with(&said.path);
            near && said.severity == Severity::Error
        });
        if !is_said {
            report.say(&REFUSED, &it.path, &*it.message);
        }
    }
}

/// A definition and those that it calls, as far as they are there.
pub fn together(everything: &Everything, main: &Definition) -> Vec<Definition> {
    let known: Vec<&Definition> = everything.definitions.iter().map(|it| &it.1.definition).collect();
    let (mut found, mut missing, mut next) = (vec![main], Vec::new(), 0);
    while let Some(caller) = found.get(next).copied() {
        for call in called(caller) {
            match versions::called(call, caller, &known).map(|it| known[it]) {
                Some(it) if found.iter().any(|found| std::ptr::eq(*found, it)) => (),
                Some(it) => found.push(it),
                None if missing.contains(&call) => (),
                None => missing.push(call),
            }
        }
        next += 1;
    }
    found.into_iter().cloned().chain(missing.into_iter().map(unknown)).collect()
}

/// In place of a process that is somewhere else.
fn unknown(call: &Call) -> Definition {
    Definition {
        process_name: call.process_name().to_owned(),
        process_version: call.process_version().map(str::to_owned),
        steps: vec![Step { step_id: "unknown".to_owned(), ..Step::default() }],
        ..Definition::default()
    }
}

fn called(definition: &Definition) -> Vec<&Call> {
    let scopes = super::Scope::all(definition);
    let steps = scopes.iter().flat_map(|it| it.steps);
    steps.filter_map(|it| it.call.as_ref()).collect()
}
