//! Names: of processes and steps, and what is named must be there.

use super::{Everything, Report, Scope};
use crate::{
    engine::{
        definition::{
            Definition,
            flow::{Cancel, Join},
            work::{Call, CallRule},
        },
        net::versions::Wanted,
    },
    process::{
        artifact::Name,
        diagnostic::{Rule, brief, nearest},
    },
};

pub const RULES: &[Rule] = &[
    DUPLICATE_STEP,
    STEP_NAME,
    MISSING_TARGET,
    PROCESS_NAME,
    PROCESS_VERSION,
    DUPLICATE_PROCESS,
    UNKNOWN_PROCESS,
    LANGUAGE,
    NO_STEPS,
];

const DUPLICATE_STEP: Rule =
    Rule::error("duplicate-step", "A step has a name of its own in its process or block.");
const STEP_NAME: Rule = Rule::error(
    "step-name",
    "Scripts and paths can name a step: letters, digits, `_`, `-`, \
        `.`.",
);
const MISSING_TARGET: Rule =
    Rule::error("missing-target", "The steps that a step names are beside it.");
const PROCESS_NAME: Rule =
    Rule::error("process-name", "Files, refs and tags can be called after a process.");
const PROCESS_VERSION: Rule =
    Rule::error("process-version", "A version is three numbers, as Semantic Versioning has it.");
const DUPLICATE_PROCESS: Rule =
    Rule::error("duplicate-process", "A process is defined once in a version.");
pub const UNKNOWN_PROCESS: Rule =
    Rule::error("unknown-process", "The process that is called is there.");
const LANGUAGE: Rule = Rule::error("schema-version", "The version of the language is 1.");
const NO_STEPS: Rule = Rule::error("no-steps", "A process or block has a step.");

/// What helps who calls a process that is in no file.
pub const NAME_ITS_FILE: &str = "name its file too";

const NAME_BYTES_MAX: usize = 128;

pub fn check(
    everything: &Everything,
    definition: &Definition,
    scopes: &[Scope],
    report: &mut Report,
) {
    process(everything, definition, report);
    for scope in scopes {
        steps(scope, report);
        targets(scope, scopes, report);
        calls(everything, scope, report);
    }
}

fn process(everything: &Everything, definition: &Definition, report: &mut Report) {
    let name = &definition.process_name;
    if Name::new(name).is_err() {
        let message = format!(
            "give the process a name of up to 100 letters, digits, `_`, `-` and `.`, not `{}`",
            brief(name)
        );
        report.say(&PROCESS_NAME, "process_name", message);
    }
    let same =
        |it: &&(_, &super::Loaded)| it.1.definition.process_version == definition.process_version;
    let first = everything.named(name).find(same);
    if let Some((source, loaded)) = first
        && !std::ptr::eq(&loaded.definition, definition)
    {
        let at = source.place(super::place::span_of(&loaded.tree, "process_name"));
        let message = format!(
            "`{}` is defined at {}:{} already: give one of them another name or version",
            brief(name),
            source.name,
            at.line
        );
        report.say(&DUPLICATE_PROCESS, "process_name", message);
    }
    if definition.schema.is_some_and(|it| it != 1) {
        report.say(&LANGUAGE, "schema", "write `schema: 1`: there is no other version");
    }
    if let Some(version) = &definition.process_version {
        self::version(version, report);
    }
}

fn version(version: &str, report: &mut Report) {
    if semver::Version::parse(version).is_ok() {
        return;
    }
    let dots = version.matches('.').count();
    let padded = format!("{version}{}", ".0".repeat(2_usize.saturating_sub(dots)));
    let message = "write the version as three numbers, such as `1.0.0`";
    let said = report.say(&PROCESS_VERSION, "process_version", message);
    if dots < 2 && semver::Version::parse(&padded).is_ok() {
        said.help(format!(
            "`{padded}` is the same, and can be asked for by a \
            range"
        ))
        .lenient();
    }
}

fn steps(scope: &Scope, report: &mut Report) {
    if scope.steps.is_empty() {
        report.say(&NO_STEPS, &format!("{}steps", scope.path), "write a step here");
    }
    for (no, step) in scope.steps.iter().enumerate() {
        let path = scope.at(no, "step_id");
        let id = &step.step_id;
        if !is_step_name(id) {
            let message = format!(
                "give the step a name of letters, digits, `_`, `-` and `.`, not `{}`",
                brief(id)
            );
            report.say(&STEP_NAME, &path, message);
        }
        let first = scope.by_name[&**id];
        if first != no {
            let message = format!("another step is `{}`: rename one of them", brief(id));
            let said = report.say(&DUPLICATE_STEP, &path, message);
            said.see(&scope.at(first, "step_id"), "the other one");
        }
    }
}

fn targets(scope: &Scope, scopes: &[Scope], report: &mut Report) {
    let mut missing = |path: &str, name: &str| {
        if !scope.by_name.contains_key(name) {
            let message = format!("no step here is `{}`: name one that there is", brief(name));
            let near = nearest(name, scope.by_name.keys().copied());
            let said = report.say(&MISSING_TARGET, path, message);
            match inside(scope, scopes, name) {
                Some(block) => said.help(format!(
                    "`{name}` is inside of the block `{block}`: go to the block, or move the step"
                )),
                None if name.contains(',') => {
                    said.help(format!("a list is in brackets: `[{}]`", brief(name)))
                }
                None => said.meant(near),
            };
        }
    };
    if let Some(name) = scope.initial_name {
        missing(&format!("{}initial_step", scope.path), name);
    }
    for (no, step) in scope.steps.iter().enumerate() {
        for (at, it) in step.transitions.iter().flatten().enumerate() {
            if let Some(name) = &it.next_step {
                missing(&scope.at(no, &format!("transitions[{at}].next_step")), name);
            }
        }
        for (at, name) in step.next.iter().flat_map(|it| it.as_slice()).enumerate() {
            missing(&scope.at(no, &format!("next[{at}]")), name);
        }
        if let Some(Join::Rule(rule)) = &step.join
            && let Some(name) = &rule.from
        {
            missing(&scope.at(no, "join.from"), name);
        }
    }
    for (no, step) in scope.steps.iter().enumerate() {
        let Some(Cancel::Steps(names)) = &step.cancel else { continue };
        for (at, name) in names.iter().enumerate() {
            if !is_path(scope, scopes, name) {
                let message = format!("no step here is `{}`: name one that there is", brief(name));
                let near = nearest(name, scope.by_name.keys().copied());
                let path = scope.at(no, &format!("cancel[{at}]"));
                let said = report.say(&MISSING_TARGET, &path, message);
                match inside(scope, scopes, name) {
                    Some(block) => said.help(format!("`{block}/{name}` is meant?")),
                    None => said.meant(near),
                };
            }
        }
    }
}

/// The scope that a step of this name is in: this one, or one around it.
fn above<'s, 'a>(
    scope: &'s Scope<'a>,
    scopes: &'s [Scope<'a>],
    name: &str,
) -> Option<&'s Scope<'a>> {
    let mut at = Some(scope);
    while let Some(scope) = at.filter(|it| !it.by_name.contains_key(name)) {
        at = scope.parent.map(|it| &scopes[it.0]);
    }
    at
}

/// Whether a step of this name is in the scope or in one around it.
pub fn is_above(scope: &Scope, scopes: &[Scope], name: &str) -> bool {
    above(scope, scopes, name).is_some()
}

/// The same of a path such as `blk/p`, on into blocks.
fn is_path(scope: &Scope, scopes: &[Scope], path: &str) -> bool {
    let mut names = path.split('/');
    let mut name = names.next().unwrap_or_default();
    let Some(mut at) = above(scope, scopes, name) else { return false };
    for next in names {
        let block = (at.path.as_str(), at.by_name[name]);
        let is_inside = |it: &&Scope| {
            let parent = it.parent.map(|(above, no)| (scopes[above].path.as_str(), no));
            parent == Some(block) && it.by_name.contains_key(next)
        };
        let Some(inside) = scopes.iter().find(is_inside) else { return false };
        (at, name) = (inside, next);
    }
    true
}

fn inside<'a>(scope: &Scope, scopes: &[Scope<'a>], name: &str) -> Option<&'a str> {
    let is_below = |it: &&Scope| {
        it.parent.is_some_and(|(above, _)| scopes[above].path == scope.path)
            && it.by_name.contains_key(name)
    };
    let (above, no) = scopes.iter().find(is_below)?.parent?;
    Some(scopes[above].id(no))
}

fn calls(everything: &Everything, scope: &Scope, report: &mut Report) {
    for (no, step) in scope.steps.iter().enumerate() {
        let name = match &step.call {
            None => continue,
            // One that was published is fetched from its store.
            Some(Call::Rule(CallRule { process_version: Some(version), .. })) => {
                wanted(version, &scope.at(no, "call.process_version"), report);
                continue;
            }
            Some(call) => call.process_name(),
        };
        if everything.named(name).next().is_none() {
            let message = format!(
                "no process here is `{}`: {NAME_ITS_FILE}, or say with `process_version` which \
                    published one is meant",
                brief(name)
            );
            let near = nearest(name, everything.process_names());
            report.say(&UNKNOWN_PROCESS, &scope.at(no, "call"), message).meant(near);
        }
    }
}

fn wanted(version: &str, path: &str, report: &mut Report) {
    if Wanted::of(version).is_err() {
        let message = format!(
            "write a version such as `1.0.0`, a range such as `^1.2`, or `latest`, not `{}`",
            brief(version)
        );
        report.say(&PROCESS_VERSION, path, message);
    }
}

fn is_step_name(name: &str) -> bool {
    let is_fine = |it: char| it.is_alphanumeric() || "_-.".contains(it);
    let is_short = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    is_short && name.chars().all(is_fine) && !name.starts_with('-')
}
