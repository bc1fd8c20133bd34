//! YAML 1.2 as a tree in which everything has its place.
//!
//! Scalars mean what the core schema of YAML 1.2 says, so `on`, `yes`, `no` and `off` are text. A
//! tree is never larger or deeper than the bounds here, whatever aliases come to; a key that is
//! said twice is a fault.

mod build;
mod scalar;

use granit_parser::{Parser, ScanError, Span as Marks};
use serde_json::{Number, Value};

use self::build::Builder;
use super::{
    diagnostic::{Diagnostic, Rule, Spot},
    source::{Source, Span},
};

/// More than any person writes.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// How deep lists and maps may be nested.
pub const DEPTH_MAX: usize = 64;
const DOCUMENTS_MAX: usize = 1000;
const FAULTS_MAX: usize = 50;
/// What all aliases of a file may come to, about.
const ALIASES_BYTES_MAX: usize = 8 << 20;
/// What the parser says, and what is mostly the reason.
const HINTS: &[(&str, &str)] = &[
    ("mapping values are not allowed", "put text that has `: ` in it in quotes, and indent alike"),
    ("expected '-' indicator", "indent the items of a list alike"),
    ("did not find expected key", "indent the keys of a map alike"),
    ("simple key expected ':'", "write a blank behind the `:` of a key"),
    ("placement of ':' indicator", "put text that has ` #` or `: ` in it in quotes"),
];
/// No text begins with these unless it is in quotes.
const SIGNS: &str = "@`%>|*&!#";

pub const YAML: Rule = Rule::error("yaml", "A file is YAML 1.2 in UTF-8.");
pub const DUPLICATE_KEY: Rule = Rule::error("duplicate-key", "A key is in a map once.");
pub const TOO_LARGE: Rule = Rule::error("too-large", "Files, depth and aliases have bounds.");

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Span,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

/// What is wrong with a file as YAML, or a definition as it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub rule: &'static Rule,
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
    pub path: String,
}

impl Fault {
    pub fn new(rule: &'static Rule, span: Span, message: impl Into<String>) -> Fault {
        Fault { rule, span, message: message.into(), help: None, path: String::new() }
    }

    pub fn help(self, help: impl Into<String>) -> Fault {
        Fault { help: Some(help.into()), ..self }
    }

    /// The same with the place, for who wrote the file.
    pub fn told(&self, source: &Source, process_name: Option<String>) -> Diagnostic {
        Diagnostic {
            rule: self.rule,
            severity: self.rule.severity,
            message: self.message.clone(),
            help: self.help.clone(),
            process_name,
            path: self.path.clone(),
            spot: Spot::new(source, self.span),
            related: Vec::new(),
        }
    }
}

/// The text of a file, without a byte order mark.
pub fn decode(name: &str, bytes: &[u8]) -> (Source, Option<Fault>) {
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("make files of at most {FILE_BYTES_MAX} bytes of this one");
        let fault = Fault::new(&TOO_LARGE, Span::default(), message);
        return (Source::new(name, String::new()), Some(fault));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let fault = match std::str::from_utf8(bytes) {
        Ok(_) => None,
        Err(error) => {
            let at = error.valid_up_to();
            let message = match bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                true => "this is UTF-16: save the file as UTF-8".to_owned(),
                false => format!("byte 0x{:02x} is no UTF-8: save the file as UTF-8", bytes[at]),
            };
            Some(Fault::new(&YAML, Span::new(at, at + 1), message))
        }
    };
    (Source::new(name, String::from_utf8_lossy(bytes).into_owned()), fault)
}

/// A file: its text, its documents, and what is wrong with it.
pub fn read(name: &str, bytes: &[u8]) -> (Source, Vec<Node>, Vec<Fault>) {
    let (source, fault) = decode(name, bytes);
    let (documents, faults) = match fault {
        Some(fault) => (Vec::new(), vec![fault]),
        None => parse(&source.text),
    };
    (source, documents, faults)
}

/// The documents of a file that are not empty, up to the first syntax error, and all faults.
pub fn parse(text: &str) -> (Vec<Node>, Vec<Fault>) {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let added = match event {
            Ok((event, marks)) => builder.add(event, span(&marks)),
            Err(error) => Err(syntax(text, &error)),
        };
        if let Err(fault) = added {
            builder.faults.push(fault);
            break;
        }
        if builder.documents.len() > DOCUMENTS_MAX {
            let message = format!("make files of at most {DOCUMENTS_MAX} documents of this one");
            builder.faults.push(Fault::new(&TOO_LARGE, Span::default(), message));
            break;
        }
        // Nobody reads more of them at once.
        if builder.faults.len() >= FAULTS_MAX {
            break;
        }
    }
    (builder.documents, builder.faults)
}

fn span(marks: &Marks) -> Span {
    let range = marks.byte_range().unwrap_or_default();
    Span::new(range.start, range.end)
}

fn syntax(text: &str, error: &ScanError) -> Fault {
    let at = error.marker().byte_offset().unwrap_or_default().min(text.len());
    let info = error.info();
    let (info, span) = (info.lines().next().unwrap_or_default(), Span::new(at, at + 1));
    if info.contains("nesting") || info.contains("depth") || info.contains("recursion") {
        return Fault::new(&TOO_LARGE, span, format!("nest at most {DEPTH_MAX} lists and maps"));
    }
    let message = format!("this is no YAML: {info}");
    if let Some(tab) = tab_near(text, at).filter(|_| info.contains("tab")) {
        let fault = Fault::new(&YAML, Span::new(tab, tab + 1), message);
        return fault.help("indent with spaces: YAML takes no tabs there");
    }
    let fault = Fault::new(&YAML, span, message);
    match sign_near(text, at) {
        Some(sign) => fault.help(in_quotes(sign)),
        None if has_comment_in_list(text) => fault.help(in_quotes('#')),
        None => match HINTS.iter().find(|it| fault.message.contains(it.0)) {
            Some((_, help)) => fault.help(*help),
            None => fault,
        },
    }
}

/// What is said where a line of a test is nothing.
pub const NO_LINE: &str = "`#` begins a comment and `&` an anchor: put lines of tests that begin \
                           with them in quotes";

/// What is said of a word that YAML takes for something else than text.
pub fn in_quotes(sign: char) -> String {
    match sign {
        '#' => "`#` begins a comment: put lines of tests that begin with it in quotes".to_owned(),
        _ => format!("put text that begins with `{sign}`, as lines of tests do, in quotes"),
    }
}

/// The sign that a fault is about, or that begins the word which it is behind.
fn sign_near(text: &str, at: usize) -> Option<char> {
    let is_between = |it: char| it.is_whitespace() || "[{,".contains(it);
    let here = text.get(at..)?.chars().next();
    let before = || text[..at].rsplit(is_between).next()?.chars().next();
    here.filter(|it| SIGNS.contains(*it)).or_else(|| before().filter(|it| SIGNS.contains(*it)))
}

/// Whether what looks like an item of a list is a comment, behind which the list goes on.
fn has_comment_in_list(text: &str) -> bool {
    text.lines().any(|line| {
        line.match_indices(" #").any(|(at, _)| {
            let is_item = line[..at].trim_end().ends_with(['[', ',']);
            is_item && line[at + 2..].starts_with(|it: char| !it.is_whitespace())
        })
    })
}

/// The tab that a fault is about: the parser says where the text before or behind it begins.
fn tab_near(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let line = bytes[..at].iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
    let before = bytes[line..at].iter().position(|it| *it == b'\t').map(|it| line + it);
    before.or_else(|| bytes[at..].iter().position(|it| *it == b'\t').map(|it| at + it))
}

impl Node {
    /// What it is, for a message.
    pub fn what(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(it) => format!("`{it}`, which is true or false"),
            Kind::Number(it) => format!("the number {it}"),
            Kind::Text(it) => format!("`{}`", super::diagnostic::brief(it)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }

    /// The same as JSON has it, without places.
    pub fn value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(it) => Value::Bool(*it),
            Kind::Number(it) => Value::Number(it.clone()),
            Kind::Text(it) => Value::String(it.clone()),
            Kind::List(items) => items.iter().map(Node::value).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|it| (it.key.clone(), it.value.value())).collect()
            }
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|it| it.key == key),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
