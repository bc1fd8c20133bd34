//! From the parser's events to trees.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, ScalarStyle, Tag};

use super::{
    ALIASES_BYTES_MAX, DEPTH_MAX, DUPLICATE_KEY, Entry, Fault, Kind, Node, TOO_LARGE, YAML,
    in_quotes, scalar,
};
use crate::process::{diagnostic::brief, source::Span};

/// About what a node needs besides its text.
const NODE_BYTES: usize = 80;

#[derive(Default)]
pub struct Builder {
    pub documents: Vec<Node>,
    pub faults: Vec<Fault>,
    open: Vec<Open>,
    /// What an alias stands for, with its size.
    anchors: HashMap<usize, (Node, usize)>,
    copied: usize,
}

/// A list or map whose end was not seen yet.
struct Open {
    span: Span,
    anchor: usize,
    bytes: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashSet<String>, key: Option<(String, Span)> },
}

impl Builder {
    pub fn add(&mut self, event: Event, span: Span) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let bytes = NODE_BYTES + text.len();
                if self.is_at_key() {
                    if let Some(tag) = tag.as_deref().filter(|it| is_foreign(it)) {
                        self.refuse_tag(tag, span);
                    }
                    self.keep(anchor, || (text_node(&text, span), bytes))?;
                    return self.key(text.into_owned(), span);
                }
                let kind = self.scalar(&text, style, tag.as_deref(), span);
                self.value(Node { span, kind }, anchor, bytes)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", span);
                self.open(Open { span, anchor, bytes: 0, inside: Inside::List(Vec::new()) })
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", span);
                let (entries, seen) = (Vec::new(), HashSet::new());
                let inside = Inside::Map { entries, seen, key: None };
                self.open(Open { span, anchor, bytes: 0, inside })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Kind {
        let is_plain = style == ScalarStyle::Plain;
        let as_text = || Kind::Text(text.to_owned());
        let wanted = match tag {
            None if !is_plain => return as_text(),
            None => None,
            Some(tag) => match tag.core_suffix() {
                Some("str") => return as_text(),
                Some(name @ ("null" | "bool" | "int" | "float")) => Some(name.to_owned()),
                _ if tag.original() == "!" => return as_text(),
                _ => {
                    self.refuse_tag(tag, span);
                    return as_text();
                }
            },
        };
        let kind = scalar::plain(text).unwrap_or_else(|message| {
            self.faults.push(Fault::new(&YAML, span, message));
            as_text()
        });
        let is_right = match (wanted.as_deref(), &kind) {
            (None, _) | (Some("null"), Kind::Null) | (Some("bool"), Kind::Bool(_)) => true,
            (Some("int"), Kind::Number(it)) => !it.is_f64(),
            (Some("float"), Kind::Number(_)) => true,
            _ => false,
        };
        if !is_right {
            let message = format!("`{}` is not what its tag says", brief(text));
            self.faults.push(Fault::new(&YAML, span, message));
        }
        kind
    }

    fn check_tag(&mut self, tag: Option<&Tag>, fine: &str, span: Span) {
        if let Some(tag) = tag
            && tag.core_suffix() != Some(fine)
        {
            self.refuse_tag(tag, span);
        }
    }

    fn refuse_tag(&mut self, tag: &Tag, span: Span) {
        let tag_text = tag.original();
        let message = format!("take the tag `{}` away", brief(&tag_text));
        // Nothing behind a tag begins where it ends.
        let start = match span.range().is_empty() {
            true => span.range().start.saturating_sub(tag_text.len()),
            false => span.range().start,
        };
        let fault = Fault::new(&YAML, Span::new(start, span.range().end), message);
        self.faults.push(match is_foreign(tag) {
            true => fault.help(in_quotes('!')),
            false => fault,
        });
    }

    fn is_at_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Map { key: None, .. }, .. }))
    }

    fn open(&mut self, open: Open) -> Result<(), Fault> {
        if self.is_at_key() {
            return Err(Fault::new(
                &YAML,
                open.span,
                "a key is text: a list or map cannot be \
                one",
            ));
        }
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nest at most {DEPTH_MAX} lists and maps");
            return Err(Fault::new(&TOO_LARGE, open.span, message));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let span = Span { start: open.span.start, end: end.end.max(open.span.end) };
        let kind = match open.inside {
            Inside::List(items) => Kind::List(items),
            Inside::Map { entries, .. } => Kind::Map(entries),
        };
        self.value(Node { span, kind }, open.anchor, open.bytes + NODE_BYTES)
    }

    fn key(&mut self, text: String, span: Span) -> Result<(), Fault> {
        if let Some(Open { inside: Inside::Map { key, .. }, bytes, .. }) = self.open.last_mut() {
            *bytes += text.len();
            *key = Some((text, span));
        }
        Ok(())
    }

    fn value(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Fault> {
        self.keep(anchor, || (node.clone(), size))?;
        let Some(open) = self.open.last_mut() else {
            if node.kind != Kind::Null {
                self.documents.push(node);
            }
            return Ok(());
        };
        open.bytes += size;
        match &mut open.inside {
            Inside::List(items) => items.push(node),
            Inside::Map { entries, seen, key } => {
                let Some((key, key_span)) = key.take() else { return Ok(()) };
                if seen.insert(key.clone()) {
                    entries.push(Entry { key, key_span, value: node });
                } else {
                    let message = format!("`{}` is in this map already: keep one", brief(&key));
                    self.faults.push(Fault::new(&DUPLICATE_KEY, key_span, message));
                }
            }
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        let Some((node, bytes)) = self.anchors.get(&anchor) else {
            return Err(Fault::new(&YAML, span, "an alias inside of what it stands for"));
        };
        let bytes = *bytes;
        self.copied += bytes;
        if self.copied > ALIASES_BYTES_MAX {
            return Err(Fault::new(&TOO_LARGE, span, "the aliases stand for too much: use fewer"));
        }
        let node = node.clone();
        if self.depth(&node) + self.open.len() > DEPTH_MAX {
            let message = format!("nest at most {DEPTH_MAX} lists and maps");
            return Err(Fault::new(&TOO_LARGE, span, message));
        }
        match (self.is_at_key(), node.kind) {
            (false, kind) => self.value(Node { span, kind }, 0, bytes),
            (true, Kind::Text(text)) => self.key(text, span),
            (true, _) => Err(Fault::new(&YAML, span, "a key is text")),
        }
    }

    /// Remembers what an alias may ask for.
    fn keep(&mut self, anchor: usize, it: impl Fn() -> (Node, usize)) -> Result<(), Fault> {
        if anchor == 0 {
            return Ok(());
        }
        let (node, bytes) = it();
        self.copied += bytes;
        if self.copied > ALIASES_BYTES_MAX {
            let message = "the aliases stand for too much: use fewer";
            return Err(Fault::new(&TOO_LARGE, node.span, message));
        }
        self.anchors.insert(anchor, (node, bytes));
        Ok(())
    }

    fn depth(&self, node: &Node) -> usize {
        match &node.kind {
            Kind::List(items) => 1 + items.iter().map(|it| self.depth(it)).max().unwrap_or(0),
            Kind::Map(entries) => {
                1 + entries.iter().map(|it| self.depth(&it.value)).max().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// Whether it is one of nobody's, as the name of an event behind `!` is.
fn is_foreign(tag: &Tag) -> bool {
    tag.core_suffix().is_none() && tag.original() != "!"
}

fn text_node(text: &str, span: Span) -> Node {
    Node { span, kind: Kind::Text(text.to_owned()) }
}
