//! What the engine does not take, where no rule has said so already.

use super::{Everything, Report};
use crate::{
    engine::{
        definition::{Definition, Step},
        net::Processes,
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
    let name = report.definition().process_name.clone();
    for it in wrong.iter().filter(|it| it.process_name == name) {
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
    let mut all = vec![main.clone()];
    let mut at = 0;
    while at < all.len() {
        for name in called(&all[at]) {
            let is_there = all.iter().any(|it| it.process_name == name);
            let found = everything.named(&name).next().map(|it| it.1.definition.clone());
            if !is_there {
                all.push(found.unwrap_or_else(|| unknown(name)));
            }
        }
        at += 1;
    }
    all
}

/// In place of a process that is somewhere else.
fn unknown(process_name: String) -> Definition {
    let step = Step { step_id: "unknown".to_owned(), ..Step::default() };
    Definition { process_name, steps: vec![step], ..Definition::default() }
}

fn called(definition: &Definition) -> Vec<String> {
    let scopes = super::Scope::all(definition);
    let steps = scopes.iter().flat_map(|it| it.steps);
    steps.filter_map(|it| it.call.as_ref()).map(|it| it.process_name().to_owned()).collect()
}
