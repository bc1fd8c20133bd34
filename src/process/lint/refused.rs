//! What the engine does not take, where no rule has said so already.

use super::{Everything, Report};
use crate::{
    engine::{
        definition::{Definition, Step, work::Values},
        net::{Processes, versions},
    },
    process::diagnostic::{Rule, Severity},
};

pub const RULES: &[Rule] = &[REFUSED];

pub const REFUSED: Rule = Rule::error("refused", "The keys of a step go together.");

/// Of more versions of one process nobody asks which is called.
const VERSIONS_MAX: usize = 50;

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

/// A definition, and of those that it calls as much as the engine asks for.
fn together(everything: &Everything, main: &Definition) -> Vec<Definition> {
    let mut all = vec![main.clone()];
    let scopes = super::Scope::all(main);
    for step in scopes.iter().flat_map(|it| it.steps) {
        let Some(call) = &step.call else { continue };
        let named = everything.named(call.process_name()).take(VERSIONS_MAX);
        let known: Vec<&Definition> = named.map(|it| &it.1.definition).collect();
        let found = versions::called(call, main, &known).map(|it| known[it]);
        if found.is_some_and(|it| std::ptr::eq(it, main)) {
            continue;
        }
        let version = match found {
            Some(found) => found.process_version.as_deref(),
            // One that is somewhere else.
            None => call.process_version(),
        };
        let counted = found.map(|it| counted(it, step.returns.as_ref())).unwrap_or_default();
        let is_same = |it: &&mut Definition| {
            it.process_name == call.process_name() && it.process_version.as_deref() == version
        };
        match all[1..].iter_mut().find(is_same) {
            Some(stub) => add(&mut stub.steps, counted),
            None => all.push(stub(call.process_name(), version, counted)),
        }
    }
    all
}

/// In place of a process that is called, with a step more than are named.
fn stub(process_name: &str, version: Option<&str>, named: Vec<Step>) -> Definition {
    let mut steps = vec![Step { step_id: "..".to_owned(), ..Step::default() }];
    add(&mut steps, named);
    let (process_name, process_version) = (process_name.to_owned(), version.map(str::to_owned));
    Definition { process_name, process_version, steps, ..Definition::default() }
}

fn add(steps: &mut Vec<Step>, named: Vec<Step>) {
    for step in named {
        if !steps.iter().any(|it| it.step_id == step.step_id) {
            steps.push(step);
        }
    }
}

/// The steps of a process that expressions over its data may name.
fn counted(called: &Definition, returns: Option<&Values>) -> Vec<Step> {
    let sources: Vec<&str> = returns.into_iter().flatten().filter_map(|it| it.1.as_str()).collect();
    let is_counted = |it: &&str| it.contains("('") || it.contains("(\"");
    if !sources.iter().any(is_counted) {
        return Vec::new();
    }
    let is_named = |it: &&Step| sources.iter().any(|source| source.contains(&*it.step_id));
    let stub = |it: &Step| Step { step_id: it.step_id.clone(), ..Step::default() };
    called.steps.iter().filter(is_named).map(stub).collect()
}
