//! JSON Schemas of what comes in and out, compiled, within bounds.
//!
//! A schema is complete by itself: it reads no file and asks no server. What it says of data is
//! the same each time, to the letter, since it becomes a part of the state.

mod cost;
mod pattern;

use std::{error::Error, fmt};

use boon::{
    CompileError, Compiler, Draft, ErrorKind, InstanceToken, SchemaIndex, Schemas, UrlLoader,
    ValidationError,
};
use serde_json::Value;

pub use self::cost::size;

/// What the schema is called while it is compiled.
const NAME: &str = "schema:/definition";
const MESSAGE_CHARS_MAX: usize = 200;

pub struct Schema {
    source: Value,
    anchors: cost::Anchors,
    schemas: Schemas,
    index: SchemaIndex,
}

/// Why a schema is none, and where in it: keys and numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    pub place: Vec<String>,
    pub message: String,
}

impl Schema {
    pub fn compile(source: &Value) -> Result<Schema, Invalid> {
        let anchors = cost::anchors(source)?;
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.use_loader(Box::new(Nowhere));
        let mut schemas = Schemas::new();
        let compiled = match compiler.add_resource(NAME, source.clone()) {
            Ok(()) => compiler.compile(NAME, &mut schemas),
            Err(error) => Err(error),
        };
        let index = compiled.map_err(|error| invalid(&error))?;
        Ok(Schema { source: source.clone(), anchors, schemas, index })
    }

    /// Whether data is as the schema says, or what is wrong with it, with its JSON pointer.
    pub fn check(&self, data: &Value) -> Result<(), String> {
        cost::check(&self.source, &self.anchors, data)?;
        self.schemas.validate(data, self.index).map_err(|error| {
            let leaf = leaf(&error);
            let at = leaf.instance_location.to_string();
            let message = if at.is_empty() { String::new() } else { format!("`{at}`: ") };
            short(&(message + &leaf.kind.to_string()))
        })
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

fn invalid(error: &CompileError) -> Invalid {
    let name = |it: &str| short(it.strip_prefix(NAME).unwrap_or(it));
    let (mut place, mut message) = (Vec::new(), String::new());
    match error {
        CompileError::ValidationError { src, .. } => {
            let leaf = leaf(src);
            place.extend(leaf.instance_location.tokens.iter().map(|it| match it {
                InstanceToken::Item(no) => no.to_string(),
                InstanceToken::Prop(name) => name.to_string(),
            }));
            message = short(&leaf.kind.to_string());
        }
        CompileError::JsonPointerNotFound(it) => message = format!("`{}` leads nowhere", name(it)),
        CompileError::AnchorNotFound { reference, .. } => {
            message = format!("`{}` leads nowhere", name(reference));
        }
        CompileError::LoadUrlError { url, .. } => {
            message = format!("`{}` is somewhere else: put it under `$defs`", short(url));
        }
        CompileError::InvalidRegex { regex, .. } => {
            message = format!("`{}` is no regular expression", short(regex));
        }
        error => message.push_str(&short(&error.to_string())),
    }
    Invalid { place, message }
}

/// The innermost reason of a failure: the one that is farthest in, and of several the first.
fn leaf<'a>(error: &'a ValidationError<'a, 'a>) -> &'a ValidationError<'a, 'a> {
    let leaves = error.causes.iter().map(leaf);
    let is_telling = |it: &ValidationError| !matches!(it.kind, ErrorKind::Type { .. });
    // The validator goes through some of the causes in an order of its own.
    let rank = |it: &&ValidationError| {
        let said = (it.instance_location.to_string(), it.kind.to_string());
        (it.instance_location.tokens.len(), is_telling(it), std::cmp::Reverse(said))
    };
    leaves.max_by_key(rank).unwrap_or(error)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, _: &str) -> Result<Value, Box<dyn Error>> {
        Err("a definition is complete by itself".into())
    }
}

#[cfg(test)]
mod tests;
