//! JSON Schemas of what comes in and out: whether they are schemas.

use std::error::Error;

use boon::{
    CompileError, Compiler, Draft, ErrorKind, InstanceToken, Schemas, UrlLoader, ValidationError,
};
use serde_json::Value;

use super::{Report, Scope, place};
use crate::{
    engine::definition::Definition,
    process::diagnostic::{Rule, brief},
};

pub const RULES: &[Rule] = &[INVALID_SCHEMA];

const INVALID_SCHEMA: Rule =
    Rule::error("invalid-schema", "`input` and `output` are JSON Schemas that need no others.");

/// What the schema is called while it is looked at.
const NAME: &str = "schema:/definition";

pub fn check(definition: &Definition, scopes: &[Scope], report: &mut Report) {
    for (path, it) in [("input", &definition.input), ("output", &definition.output)] {
        schema(path, it.as_ref(), report);
    }
    for scope in scopes {
        for (no, step) in scope.steps.iter().enumerate() {
            schema(&scope.at(no, "input"), step.input.as_ref(), report);
            schema(&scope.at(no, "output"), step.output.as_ref(), report);
        }
    }
}

fn schema(path: &str, schema: Option<&Value>, report: &mut Report) {
    let Some(schema) = schema else { return };
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    // A schema of a definition reads no file and asks no server.
    compiler.use_loader(Box::new(Nowhere));
    let compiled = match compiler.add_resource(NAME, schema.clone()) {
        Ok(()) => compiler.compile(NAME, &mut Schemas::new()).map(drop),
        Err(error) => Err(error),
    };
    match compiled {
        Ok(()) => (),
        Err(CompileError::ValidationError { src, .. }) => {
            let leaf = leaf(&src);
            let (mut at, mut node) = (path.to_owned(), schema);
            for turn in &leaf.instance_location.tokens {
                let behind = match turn {
                    InstanceToken::Item(no) => node.get(no).map(|it| (format!("{at}[{no}]"), it)),
                    InstanceToken::Prop(name) => {
                        node.get(&**name).map(|it| (place::join(&at, name), it))
                    }
                };
                let Some(behind) = behind else { break };
                (at, node) = behind;
            }
            let message = format!("correct the schema: {}", brief(&leaf.kind.to_string()));
            report.say(&INVALID_SCHEMA, &at, message);
        }
        Err(error) => {
            let message = format!("correct the schema: {}", told(&error));
            report.say(&INVALID_SCHEMA, path, message);
        }
    }
}

fn told(error: &CompileError) -> String {
    let name = |it: &str| brief(it.strip_prefix(NAME).unwrap_or(it));
    match error {
        CompileError::JsonPointerNotFound(it) => format!("`{}` leads nowhere", name(it)),
        CompileError::AnchorNotFound { reference, .. } => {
            format!("`{}` leads nowhere", name(reference))
        }
        CompileError::LoadUrlError { url, .. } => {
            format!("`{}` is somewhere else: put it under `$defs`", brief(url))
        }
        CompileError::InvalidRegex { regex, .. } => {
            format!("`{}` is no regular expression", brief(regex))
        }
        error => brief(&error.to_string()),
    }
}

/// The innermost reason of a failure: the one that is farthest in the schema.
fn leaf<'a>(error: &'a ValidationError<'a, 'a>) -> &'a ValidationError<'a, 'a> {
    let leaves = error.causes.iter().map(leaf);
    let is_telling = |it: &ValidationError| !matches!(it.kind, ErrorKind::Type { .. });
    let rank = |it: &&ValidationError| (it.instance_location.tokens.len(), is_telling(it));
    leaves.max_by_key(rank).unwrap_or(error)
}

struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, _: &str) -> Result<Value, Box<dyn Error>> {
        Err("a definition is complete by itself".into())
    }
}
