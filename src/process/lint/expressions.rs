//! Expressions: whether they can be read, and name steps that there are.

use std::{cell::RefCell, collections::HashMap, ops::Range, rc::Rc};

use cel::parser::Parser;

use super::{Everything, Report, Scope, names::is_above};
use crate::{
    engine::{
        definition::{
            Definition, Step,
            flow::{Join, Quorum},
            work::{Await, Count, EachJoin, Emit, EmitRule, Repeat, Values},
        },
        expression::{NAMES, Program, Unknown},
    },
    process::diagnostic::{Rule, brief, nearest},
};

pub const RULES: &[Rule] = &[INVALID_EXPRESSION, UNKNOWN_FUNCTION, UNKNOWN_STEP];

const INVALID_EXPRESSION: Rule = Rule::error(
    "invalid-expression",
    "An expression is one of the Common Expression Language, within bounds.",
);
const UNKNOWN_FUNCTION: Rule =
    Rule::error("unknown-function", "The functions that an expression calls are there.");
const UNKNOWN_STEP: Rule = Rule::error(
    "unknown-step",
    "What `waiting`, `running` and `done` name is a step here or around.",
);

/// How a name of the data itself is asked for, which `has` does not take.
const OF_NAMES: &str = "of a name of the data itself: begin with `data: {total: null}`, and ask \
                        `total != null`";

/// What functions are called elsewhere.
const SYNONYMS: &[(&str, &str)] =
    &[("count", "size"), ("len", "size"), ("length", "size"), ("any", "exists"), ("str", "string")];

/// What operators are called elsewhere, and what is said of them.
const OPERATORS: &[(&str, &str)] = &[
    (" and ", "write `&&` for and"),
    (" or ", "write `||` for or"),
    ("not ", "write `!` for not"),
    (" is ", "write `==` for is"),
    ("<>", "write `!=` for not equal"),
    (" = ", "write `==` for equal"),
];

/// What is known of expressions that were looked at already.
#[derive(Default)]
pub struct Known(RefCell<HashMap<String, Rc<Verdict>>>);

enum Verdict {
    /// The steps that it names, and what it calls though there is no such function.
    Fine {
        steps: Vec<String>,
        unknown: Vec<Unknown>,
    },
    Wrong {
        message: String,
        help: Option<&'static str>,
        bytes: Option<Range<usize>>,
    },
}

/// What all expressions of a definition may come to: reading them takes long.
pub const BYTES_MAX: usize = 32 << 10;

/// How long the expressions of a definition are.
pub fn bytes(scopes: &[Scope]) -> usize {
    let steps = scopes.iter().flat_map(|it| it.steps);
    steps.map(|it| Found::of(String::new(), it)).map(|it| it.bytes()).sum()
}

pub fn check(
    everything: &Everything,
    definition: &Definition,
    scopes: &[Scope],
    report: &mut Report,
) {
    for scope in scopes {
        for (no, step) in scope.steps.iter().enumerate() {
            let found = Found::of(scope.at(no, ""), step);
            for (path, source) in &found.here {
                look(everything, Some((scope, scopes)), path, source, report);
            }
            for (path, source) in &found.called {
                look(everything, None, path, source, report);
            }
        }
    }
    for (at, trigger) in definition.triggers.iter().enumerate() {
        let mut found = Found { at: String::new(), here: Vec::new(), called: Vec::new() };
        found.values(&format!("triggers[{at}].with"), trigger.with.as_ref());
        for (path, source) in &found.here {
            look(everything, None, path, source, report);
        }
    }
}

fn look(
    everything: &Everything,
    scopes: Option<(&Scope, &[Scope])>,
    path: &str,
    source: &str,
    report: &mut Report,
) {
    match &*everything.expressions.verdict(source) {
        Verdict::Wrong { message, help, bytes } => {
            let mut said = report.say(&INVALID_EXPRESSION, path, &**message);
            if let Some(help) = help {
                said = said.help(*help);
            }
            if let Some(bytes) = bytes {
                said.within(bytes.clone());
            }
        }
        Verdict::Fine { steps, unknown } => {
            let mut from = HashMap::new();
            unknown.iter().for_each(|it| function(it, path, source, &mut from, report));
            let Some((scope, scopes)) = scopes else { return };
            for name in steps.iter().filter(|it| !is_above(scope, scopes, it)) {
                let message = format!("no step here is `{}`: name one that there is", brief(name));
                let near = nearest(name, scope.by_name.keys().copied());
                let said = report.say(&UNKNOWN_STEP, path, message).meant(near);
                let mut quoted = ['\'', '"'].map(|it| format!("{it}{name}{it}")).into_iter();
                let at = quoted.find_map(|it| Some((called(source, &it)? + 1, it.len() - 2)));
                if let Some((at, length)) = at {
                    said.within(at..at + length);
                }
            }
        }
    }
}

/// Where a counter asks for this, which is in quotes.
fn called(source: &str, quoted: &str) -> Option<usize> {
    let is_asked = |at: &usize| {
        let before = source[..*at].trim_end().strip_suffix('(').map(str::trim_end);
        before
            .is_some_and(|it| ["waiting", "running", "done"].iter().any(|name| it.ends_with(name)))
    };
    source.match_indices(quoted).map(|it| it.0).find(is_asked)
}

/// Where functions of this name are called in this way, in the order of the source.
fn calls<'a>(source: &'a str, unknown: &'a Unknown) -> impl Iterator<Item = usize> {
    let name = unknown.name.trim_start_matches('.');
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    let is_call = move |at: &usize| {
        let (before, behind) = (&source[..*at], &source[at + name.len()..]);
        let is_quoted = ['\'', '"'].iter().any(|it| before.matches(*it).count() % 2 == 1);
        let is_of_value = before.trim_end().ends_with('.');
        !is_quoted
            && !before.ends_with(is_part)
            && behind.trim_start().starts_with('(')
            && is_of_value == unknown.is_of_value
    };
    source.match_indices(name).map(|it| it.0).filter(is_call)
}

fn function<'a>(
    unknown: &'a Unknown,
    path: &str,
    source: &str,
    from: &mut HashMap<&'a str, usize>,
    report: &mut Report,
) {
    let name = brief(&unknown.name);
    let said = match &unknown.shape {
        Some(shape) => {
            let message = format!("`{name}` is not called so: write it as in `{shape}`");
            report.say(&UNKNOWN_FUNCTION, path, message)
        }
        None => {
            let message = format!("no function is `{name}`: call one that there is");
            let same = SYNONYMS.iter().find(|it| it.0 == unknown.name).map(|it| it.1);
            let near = same.or_else(|| nearest(&unknown.name, NAMES.iter().copied()));
            let said = report.say(&UNKNOWN_FUNCTION, path, message);
            match near {
                Some(_) => said.meant(near),
                None => said.help(format!("the functions: `{}`", NAMES.join("`, `"))),
            }
        }
    };
    // One of the same name was told of before.
    let from = from.entry(&unknown.name).or_default();
    if let Some(at) = calls(source, unknown).find(|it| *from <= *it) {
        *from = at + unknown.name.len();
        said.within(at..at + unknown.name.len());
    }
}

impl Known {
    fn verdict(&self, source: &str) -> Rc<Verdict> {
        let mut known = self.0.borrow_mut();
        if let Some(verdict) = known.get(source) {
            return Rc::clone(verdict);
        }
        let verdict = Rc::new(match Program::compile(source) {
            Ok(program) => Verdict::Fine {
                steps: program.counts().iter().map(|it| it.step.clone()).collect(),
                unknown: program.unknown_functions(),
            },
            Err(message) => wrong(source, message),
        });
        known.insert(source.to_owned(), Rc::clone(&verdict));
        verdict
    }
}

/// Why an expression is refused, and by which of its bytes.
fn wrong(source: &str, message: String) -> Verdict {
    // The parser says it in so many words, with a drawing; the place is in its first error.
    let is_syntax = message.starts_with("ERROR: ");
    if source.trim().is_empty() {
        let message = "write an expression here, or take the key away".to_owned();
        return Verdict::Wrong { message, help: None, bytes: None };
    }
    let first = match is_syntax {
        true => Parser::new().max_recursion_depth(32).parse(source).err(),
        false => None,
    };
    let Some(error) = first.and_then(|it| it.errors.into_iter().next()) else {
        return Verdict::Wrong {
            message: format!("change the expression: {message}"),
            help: None,
            bytes: None,
        };
    };
    let (line, column) = (error.pos.0.max(1) as usize - 1, error.pos.1.max(1) as usize - 1);
    let before: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    let within = rest.char_indices().nth(column).map_or(rest.len(), |it| it.0);
    let at = before + within;
    let end = source[at..].chars().next().map_or(at, |it| at + it.len_utf8());
    let (message, help) = match error.msg.contains("has()") {
        true => ("let `has` take a member, such as `has(order.total)`".to_owned(), Some(OF_NAMES)),
        false => {
            let help = OPERATORS.iter().find(|it| source.contains(it.0)).map(|it| it.1);
            (format!("correct the expression: {}", brief(&error.msg)), help)
        }
    };
    Verdict::Wrong { message, help, bytes: Some(at..end) }
}

/// The expressions of a step with their paths.
struct Found<'a> {
    at: String,
    here: Vec<(String, &'a str)>,
    /// Those over the data of another process.
    called: Vec<(String, &'a str)>,
}

impl<'a> Found<'a> {
    fn of(at: String, step: &'a Step) -> Found<'a> {
        let mut found = Found { at, here: Vec::new(), called: Vec::new() };
        found.flow(step);
        found.work(step);
        found
    }

    fn bytes(&self) -> usize {
        self.here.iter().chain(&self.called).map(|it| it.1.len()).sum()
    }

    fn add(&mut self, key: &str, source: &'a str) {
        self.here.push((format!("{}{key}", self.at), source));
    }

    fn values(&mut self, key: &str, values: Option<&'a Values>) {
        for (name, value) in values.into_iter().flatten() {
            if let Some(source) = value.as_str() {
                let path = super::place::join(&format!("{}{key}", self.at), name);
                self.here.push((path, source));
            }
        }
    }

    fn flow(&mut self, step: &'a Step) {
        for (at, it) in step.transitions.iter().flatten().enumerate() {
            if let Some(when) = &it.when {
                self.add(&format!("transitions[{at}].when"), &when.0);
            }
        }
        if let Some(Join::Rule(rule)) = &step.join
            && let Some(Quorum::Expression(n)) = &rule.n
        {
            self.add("join.n", &n.0);
        }
        if let Some(only_while) = &step.only_while {
            self.add("only_while", &only_while.0);
        }
        match &step.repeat {
            Some(Repeat::While(it)) => self.add("repeat.while", &it.0),
            Some(Repeat::Until(it)) => self.add("repeat.until", &it.0),
            None => (),
        }
    }

    fn work(&mut self, step: &'a Step) {
        if let Some(each) = &step.each {
            if let Some(Count::Expression(it)) = &each.count {
                self.add("each.count", &it.0);
            }
            if let Some(it) = &each.items {
                self.add("each.in", &it.0);
            }
            if let Some(EachJoin::Expression(it)) = &each.join {
                self.add("each.join", &it.0);
            }
        }
        if let Some(crate::engine::definition::work::Collect::Rule(rule)) = &step.collect
            && let Some(it) = &rule.value
        {
            self.add("collect.value", &it.0);
        }
        if let Some(Await::Rule(rule)) = &step.awaits
            && let Some(it) = &rule.key
        {
            self.add("await.key", &it.0);
        }
        if let Some(emit) = &step.emit {
            self.emit("emit", emit);
        }
        if let Some(crate::engine::definition::around::Deadline::Rule(rule)) = &step.deadline
            && let Some(emit) = rule.escalate.as_ref().and_then(|it| it.emit.as_ref())
        {
            self.emit("deadline.escalate.emit", emit);
        }
        self.values("with", step.with.as_ref());
        let mark = self.here.len();
        self.values("returns", step.returns.as_ref());
        self.called = self.here.split_off(mark);
    }

    fn emit(&mut self, key: &str, emit: &'a Emit) {
        match emit {
            Emit::Event(_) => (),
            Emit::Rule(rule) => self.emit_rule(key, rule),
            Emit::Many(many) => {
                for (at, it) in many.iter().enumerate() {
                    self.emit(&format!("{key}[{at}]"), it);
                }
            }
        }
    }

    fn emit_rule(&mut self, key: &str, rule: &'a EmitRule) {
        if let Some(it) = &rule.key {
            self.add(&format!("{key}.key"), &it.0);
        }
        self.values(&format!("{key}.data"), rule.data.as_ref());
    }
}
