//! Definitions out of YAML: whatever cannot be read is said, each thing with its place.
//!
//! Reading goes on after an error without what was wrong, so that one look at a file tells all of
//! it; but a definition counts as read only when nothing was.

mod read;

use serde::de::DeserializeOwned;

use self::read::{Failure, Reason, Turn};
use super::{
    diagnostic::{Diagnostic, Rule, brief, nearest},
    source::{Source, Span},
    yaml::{self, Fault, Kind, Node},
};
use crate::{
    engine::definition::Definition,
    error::{Detail, Error, Result},
};

pub const UNKNOWN_KEY: Rule = Rule::error("unknown-key", "Keys are those of the language.");
pub const MISSING_KEY: Rule = Rule::error("missing-key", "What has to be said is said.");
pub const WRONG_VALUE: Rule =
    Rule::error("wrong-value", "A value has one of the forms that its key takes.");
pub const NO_PROCESS: Rule = Rule::error("no-process", "A file has a definition in it.");
pub const ON_SIGNAL: Rule =
    Rule::warning("on-signal", "The key of an outcome is `on`; `on_signal` is its old name.");

/// As many things are said of a definition at most.
const FAULTS_MAX: usize = 50;
/// Of what is longer, fewer: it is read once more for each.
const LONG_BYTES: usize = 100_000;

/// A longer list of keys helps nobody.
const KEYS_SHOWN_MAX: usize = 12;

/// Words that people try, and the keys that may be meant.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("name", &["process_name", "step_id"]),
    ("version", &["process_version"]),
    ("id", &["step_id"]),
    ("type", &["step_type"]),
    ("start", &["initial_step"]),
    ("then", &["next", "next_step"]),
    ("goto", &["next", "next_step"]),
    ("to", &["next", "next_step"]),
    ("next", &["next_step"]),
    ("next_step", &["next"]),
    ("on", &["transitions"]),
    ("when", &["transitions"]),
    ("else", &["transitions"]),
    ("if", &["when"]),
    ("condition", &["when"]),
    ("foreach", &["each"]),
    ("for_each", &["each"]),
    ("subprocess", &["call"]),
    ("invoke", &["call"]),
    ("wait", &["await"]),
    ("retries", &["retry"]),
    ("schedule", &["cron", "triggers"]),
    ("cron", &["triggers"]),
];

/// A definition and where each part of it stands.
#[derive(Debug)]
pub struct Loaded {
    pub definition: Definition,
    pub tree: Node,
}

/// A file: its definitions, and what could not be read.
#[derive(Debug)]
pub struct File {
    pub source: Source,
    pub loaded: Vec<Loaded>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads all definitions of a file.
pub fn read(name: &str, bytes: &[u8]) -> File {
    let (source, documents, mut faults) = yaml::read(name, bytes);
    let is_empty = documents.is_empty() && faults.is_empty();
    if is_empty {
        let message = "write a definition here: `process_name` and `steps`";
        faults.push(Fault::new(&NO_PROCESS, Span::default(), message));
    }
    let mut diagnostics: Vec<_> = faults.iter().map(|it| it.told(&source, None)).collect();
    let is_sound = faults.is_empty();
    let mut loaded = Vec::new();
    for tree in documents {
        let process_name = process_name(&tree);
        match read_as(&tree) {
            Ok(definition) if is_sound => loaded.push(Loaded { definition, tree }),
            Ok(_) => (),
            Err(faults) => {
                diagnostics
                    .extend(faults.iter().map(|it| it.told(&source, process_name.map(brief))));
            }
        }
    }
    File { source, loaded, diagnostics }
}

/// The definitions of a file, or everything that is wrong with it.
pub fn definitions(name: &str, bytes: &[u8]) -> Result<Vec<Definition>> {
    let file = read(name, bytes);
    match file.diagnostics.is_empty() {
        true => Ok(file.loaded.into_iter().map(|it| it.definition).collect()),
        false => Err(refused(&file.diagnostics)),
    }
}

/// The one document of a file that is none of definitions, or everything that is wrong with it.
pub fn document<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T> {
    let (source, documents, mut faults) = yaml::read(name, bytes);
    match &*documents {
        [tree] if faults.is_empty() => match read_as(tree) {
            Ok(document) => return Ok(document),
            Err(more) => faults = more,
        },
        _ if faults.is_empty() => {
            faults.push(Fault::new(&WRONG_VALUE, Span::default(), "write one document here"));
        }
        _ => (),
    }
    let told: Vec<Diagnostic> = faults.iter().map(|it| it.told(&source, None)).collect();
    Err(refused(&told))
}

/// The error that a request gets for what is wrong with its files.
pub fn refused(diagnostics: &[Diagnostic]) -> Error {
    let message = diagnostics.first().map(ToString::to_string).unwrap_or_default();
    let error = match diagnostics.iter().any(|it| *it.rule == yaml::TOO_LARGE) {
        true => Error::too_large(message),
        false => Error::invalid(message),
    };
    let fact = |it: &Diagnostic| {
        Detail::map([
            ("file", it.spot.file.as_str().into()),
            ("line", (it.spot.place.line as u64).into()),
            ("column", (it.spot.place.column as u64).into()),
            ("rule", it.rule.name.into()),
            ("path", it.path.as_str().into()),
            ("message", it.message.as_str().into()),
        ])
    };
    error.with("diagnostics", diagnostics.iter().map(fact).collect::<Vec<_>>())
}

fn process_name(tree: &Node) -> Option<&str> {
    match &tree.entry("process_name")?.value.kind {
        Kind::Text(name) => Some(name),
        _ => None,
    }
}

fn read_as<T: DeserializeOwned>(tree: &Node) -> Result<T, Vec<Fault>> {
    let mut faults = Vec::new();
    let most = match tree.span.range().len() > LONG_BYTES {
        true => FAULTS_MAX / 10,
        false => FAULTS_MAX,
    };
    let mut thinned: Option<Node> = None;
    // Maps that lack something because it was taken away here.
    let mut pruned: Vec<Span> = Vec::new();
    loop {
        let rest = thinned.as_ref().unwrap_or(tree);
        let failure = match T::deserialize(read::Reader::new(rest)) {
            Ok(document) if faults.is_empty() => return Ok(document),
            Ok(_) => return Err(faults),
            Err(failure) => failure,
        };
        let turns: Vec<Turn> = failure.turns.iter().rev().copied().collect();
        let at = walk(rest, &turns);
        let is_known = failure.is_missing() && pruned.contains(&at.span);
        if !is_known {
            faults.push(fault(rest, &turns, &failure));
        }
        let Some((_, above)) = turns.split_last() else { return Err(faults) };
        if faults.len() >= most {
            return Err(faults);
        }
        pruned.push(walk(rest, above).span);
        let mut rest = thinned.take().unwrap_or_else(|| tree.clone());
        prune(&mut rest, &turns);
        thinned = Some(rest);
    }
}

/// What is behind the turns; behind an entry, its value.
fn walk<'a>(tree: &'a Node, turns: &[Turn]) -> &'a Node {
    let mut node = tree;
    for turn in turns {
        node = match &node.kind {
            Kind::List(items) => &items[turn.0],
            Kind::Map(entries) => &entries[turn.0].value,
            _ => node,
        };
    }
    node
}

fn prune(tree: &mut Node, turns: &[Turn]) {
    let Some((first, rest)) = turns.split_first() else { return };
    match (&mut tree.kind, rest.is_empty()) {
        (Kind::List(items), true) => drop(items.remove(first.0)),
        (Kind::Map(entries), true) => drop(entries.remove(first.0)),
        (Kind::List(items), false) => prune(&mut items[first.0], rest),
        (Kind::Map(entries), false) => prune(&mut entries[first.0].value, rest),
        _ => (),
    }
}

fn path_of(tree: &Node, turns: &[Turn]) -> String {
    let (mut node, mut path) = (tree, String::new());
    for turn in turns {
        node = match &node.kind {
            Kind::List(items) => {
                path.push_str(&format!("[{}]", turn.0));
                &items[turn.0]
            }
            Kind::Map(entries) => {
                path = super::lint::place::join(&path, &entries[turn.0].key);
                &entries[turn.0].value
            }
            _ => node,
        };
    }
    path
}

/// The key that a word of other languages stands for, where it is known.
fn synonym<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let (_, meant) = SYNONYMS.iter().find(|it| word.eq_ignore_ascii_case(it.0))?;
    meant.iter().find_map(|meant| known.clone().find(|it| it == meant))
}

fn fault(tree: &Node, turns: &[Turn], failure: &Failure) -> Fault {
    let node = walk(tree, turns);
    let span = failure.span.unwrap_or(node.span);
    let told = match &failure.reason {
        Reason::UnknownKey(key, known) => {
            let known = known.iter().copied().filter(|it| *it != "on_signal");
            let near = synonym(key, known.clone()).or_else(|| nearest(key, known.clone()));
            let message = match near {
                Some(near) => format!("`{}` is no key here: `{near}` is meant?", brief(key)),
                None => format!("`{}` is no key here: take it away", brief(key)),
            };
            let list: Vec<String> = known.map(|it| format!("`{it}`")).collect();
            let fault = Fault::new(&UNKNOWN_KEY, span, message);
            match list.len() <= KEYS_SHOWN_MAX {
                true => fault.help(format!("the keys: {}", list.join(", "))),
                false => fault,
            }
        }
        Reason::MissingKey(key) => {
            Fault::new(&MISSING_KEY, span, format!("say `{key}` here: it is missing"))
        }
        Reason::TwoKeys(key) => {
            Fault::new(&yaml::DUPLICATE_KEY, span, format!("`{key}` is said twice: keep one"))
        }
        Reason::UnknownWord(word, known) => {
            let list: Vec<String> = known.iter().map(|it| format!("`{it}`")).collect();
            let message = format!("write one of {} instead of `{}`", list.join(", "), brief(word));
            let fault = Fault::new(&WRONG_VALUE, span, message);
            match nearest(word, known.iter().copied()) {
                Some(near) => fault.help(format!("`{near}` is meant?")),
                None => fault,
            }
        }
        Reason::Wrong(expected) => {
            let what = node.what();
            let fault =
                Fault::new(&WRONG_VALUE, span, format!("write {expected} instead of {what}"));
            match node.kind {
                Kind::Number(_) | Kind::Bool(_) if expected.contains("text") => {
                    fault.help("put it in quotes")
                }
                Kind::Null if expected.contains("a line") => fault.help(yaml::NO_LINE),
                _ => fault,
            }
        }
    };
    Fault { path: path_of(tree, turns), ..told }
}
