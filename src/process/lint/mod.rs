//! Whether definitions mean something: each rule in a file with its like.
//!
//! What is an error cannot work as it is written, and the engine may refuse it; what is a warning
//! runs, but is hardly meant so. Only definitions that could be read are looked at.

mod builtin;
mod events;
mod expressions;
mod flow;
mod instances;
mod joins;
pub mod names;
pub mod place;
mod reach;
pub mod refused;
mod schemas;
mod scope;
mod soundness;
mod splits;
mod times;
mod triggers;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, ops::Range};

use self::scope::Scope;
use super::{
    diagnostic::{Diagnostic, Related, Rule, Severity, Spot},
    load::{self, File, Loaded},
    source::{Source, Span},
    yaml::{self, Kind, Node},
};
use crate::{
    engine::{
        definition::Definition,
        net::{COLLECTING_MAX, SCHEMAS_MAX, STEP_WAYS_MAX, WAYS_MAX, has_many_ways, ways},
    },
    error::Result,
    watch::Watch,
};

/// As many steps the engine takes.
const STEPS_MAX: usize = 5_000;

/// Every rule there is.
pub static RULES: &[&[Rule]] = &[
    &[yaml::YAML, yaml::DUPLICATE_KEY, yaml::TOO_LARGE],
    &[load::UNKNOWN_KEY, load::MISSING_KEY, load::WRONG_VALUE, load::NO_PROCESS, load::ON_SIGNAL],
    names::RULES,
    reach::RULES,
    joins::RULES,
    splits::RULES,
    instances::RULES,
    builtin::RULES,
    events::RULES,
    expressions::RULES,
    schemas::RULES,
    times::RULES,
    triggers::RULES,
    refused::RULES,
    soundness::RULES,
    super::test::RULES,
];

#[cfg(test)]
pub fn lint(files: &[(&str, &[u8])]) -> Vec<Diagnostic> {
    let files: Vec<File> = files.iter().map(|(name, bytes)| load::read(name, bytes)).collect();
    check(&files, &Watch::default()).unwrap()
}

/// Everything that is wrong with these files, in their order. Fails only when nobody waits for it
/// any more.
pub fn check(files: &[File], watch: &Watch) -> Result<Vec<Diagnostic>> {
    let everything = Everything::new(files);
    let mut diagnostics = Vec::new();
    for file in files {
        let from = diagnostics.len();
        diagnostics.extend(file.diagnostics.iter().cloned());
        for loaded in &file.loaded {
            watch.check()?;
            let mut report = Report { source: &file.source, loaded, diagnostics: Vec::new() };
            let scopes = Scope::all(&loaded.definition);
            if is_too_large(&scopes, &mut report) {
                diagnostics.extend(report.diagnostics);
                continue;
            }
            names::check(&everything, &loaded.definition, &scopes, &mut report);
            for scope in &scopes {
                reach::check(scope, &scopes, &mut report);
                joins::check(scope, &mut report);
                splits::check(scope, &mut report);
                instances::check(scope, &mut report);
                builtin::check(scope, &mut report);
                events::check(&everything, scope, &mut report);
                times::check(scope, &mut report);
            }
            expressions::check(&everything, &loaded.definition, &scopes, &mut report);
            schemas::check(&loaded.definition, &scopes, &mut report);
            triggers::check(&loaded.definition, &mut report);
            refused::check(&everything, &mut report);
            soundness::check(&scopes, &mut report);
            old_names(&loaded.tree, "", &mut report);
            diagnostics.extend(report.diagnostics);
        }
        diagnostics[from..].sort_by_key(|it| (it.spot.place.line, it.spot.place.column));
    }
    Ok(diagnostics)
}

/// Whether a definition is more than the rules and the engine look at.
fn is_too_large(scopes: &[Scope], report: &mut Report) -> bool {
    let all = || scopes.iter().flat_map(|it| it.steps);
    let steps = all().count();
    let bytes = expressions::bytes(scopes) + builtin::bytes(scopes);
    let values = schemas::values(report.definition(), scopes);
    let ways: usize = all().map(ways).sum();
    let collecting = scopes.iter().map(joins::collecting).max().unwrap_or(0);
    let message = if steps > STEPS_MAX {
        format!("make several processes of this one: {STEPS_MAX} steps at most, not {steps}")
    } else if bytes > expressions::BYTES_MAX {
        format!("shorten the expressions: {} bytes at most, not {bytes}", expressions::BYTES_MAX)
    } else if ways > WAYS_MAX {
        format!("make several processes of this one: {WAYS_MAX} transitions at most, not {ways}")
    } else if all().any(has_many_ways) {
        format!("let a step have fewer transitions: {STEP_WAYS_MAX} at most")
    } else if values > SCHEMAS_MAX {
        format!("shorten the schemas: {SCHEMAS_MAX} values at most, about, not {values}")
    } else if collecting > COLLECTING_MAX {
        let most = COLLECTING_MAX;
        format!("make blocks of this: {most} joins with `from` at most beside each other")
    } else {
        return false;
    };
    report.say(&yaml::TOO_LARGE, "steps", message);
    true
}

pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|it| it.severity == Severity::Error)
}

/// All definitions that are looked at together.
pub struct Everything<'a> {
    definitions: Vec<(&'a Source, &'a Loaded)>,
    by_name: HashMap<&'a str, Vec<(&'a Source, &'a Loaded)>>,
    events: std::collections::HashSet<&'a str>,
    expressions: expressions::Known,
}

impl<'a> Everything<'a> {
    fn new(files: &'a [File]) -> Everything<'a> {
        let each = |file: &'a File| file.loaded.iter().map(move |it| (&file.source, it));
        let definitions: Vec<_> = files.iter().flat_map(each).collect();
        let mut by_name: HashMap<&str, Vec<_>> = HashMap::new();
        for it in &definitions {
            by_name.entry(&it.1.definition.process_name).or_default().push(*it);
        }
        let events = events::awaited(definitions.iter().map(|it| &it.1.definition));
        Everything { definitions, by_name, events, expressions: expressions::Known::default() }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &(&'a Source, &'a Loaded)> {
        self.by_name.get(name).into_iter().flatten()
    }

    fn process_names(&self) -> impl Iterator<Item = &'a str> {
        self.definitions.iter().map(|it| &*it.1.definition.process_name)
    }
}

/// What rules found in a definition.
pub struct Report<'a> {
    source: &'a Source,
    loaded: &'a Loaded,
    diagnostics: Vec<Diagnostic>,
}

impl Report<'_> {
    /// Notes what is wrong at a path; more can be said of what comes back.
    fn say(&mut self, rule: &'static Rule, path: &str, message: impl Into<String>) -> Said<'_> {
        let span = place::span_of(&self.loaded.tree, path);
        self.diagnostics.push(Diagnostic {
            rule,
            severity: rule.severity,
            message: message.into(),
            help: None,
            process_name: Some(self.loaded.definition.process_name.clone()),
            path: path.to_owned(),
            spot: Spot::new(self.source, span),
            related: Vec::new(),
        });
        let last = self.diagnostics.len() - 1;
        let Report { source, loaded, diagnostics } = self;
        Said { source, tree: &loaded.tree, diagnostic: &mut diagnostics[last] }
    }

    fn definition(&self) -> &Definition {
        &self.loaded.definition
    }
}

/// A diagnostic that can still be told more.
pub struct Said<'a> {
    source: &'a Source,
    tree: &'a Node,
    diagnostic: &'a mut Diagnostic,
}

impl<'a> Said<'a> {
    fn help(self, help: impl Into<String>) -> Said<'a> {
        self.diagnostic.help = Some(help.into());
        self
    }

    /// Proposes a name that is near.
    fn meant(self, near: Option<&str>) -> Said<'a> {
        match near {
            Some(near) => self.help(format!("`{near}` is meant?")),
            None => self,
        }
    }

    fn lenient(self) -> Said<'a> {
        self.diagnostic.severity = Severity::Warning;
        self
    }

    /// Another place that has to do with it.
    fn see(self, path: &str, message: impl Into<String>) -> Said<'a> {
        let spot = Spot::new(self.source, place::span_of(self.tree, path));
        self.diagnostic.related.push(Related { message: message.into(), spot });
        self
    }

    /// Only some bytes of the text there, if the file has it just as it is read.
    fn within(self, bytes: Range<usize>) -> Said<'a> {
        let (_, node) = place::locate(self.tree, &self.diagnostic.path);
        let Kind::Text(text) = &node.kind else { return self };
        let written = &self.source.text[node.span.range()];
        if let Some(offset) = written.find(&**text) {
            let start = node.span.start as usize + offset;
            let (from, to) = (bytes.start.min(text.len()), bytes.end.min(text.len()));
            let span = Span::new(start + from, start + to);
            self.diagnostic.spot = Spot::new(self.source, span);
        }
        self
    }
}

/// Keys of a transition that have another name now.
fn old_names(tree: &Node, path: &str, report: &mut Report) {
    let Some(steps) = tree.entry("steps") else { return };
    let Kind::List(steps) = &steps.value.kind else { return };
    for (no, step) in steps.iter().enumerate() {
        let path = format!("{path}steps[{no}].");
        if let Some(Kind::List(transitions)) = step.entry("transitions").map(|it| &it.value.kind) {
            for (at, transition) in transitions.iter().enumerate() {
                if transition.entry("on_signal").is_some() {
                    let path = format!("{path}transitions[{at}].on_signal");
                    report.say(&load::ON_SIGNAL, &path, "write `on` instead of `on_signal`");
                }
            }
        }
        old_names(step, &path, report);
    }
}
