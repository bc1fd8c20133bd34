//! JSON Schemas of what comes in and out: whether they are schemas.

use serde_json::Value;

use super::{Report, Scope, place};
use crate::{
    engine::{
        definition::Definition,
        net::SCHEMA_VALUES_LEAST,
        schema::{self, Schema},
    },
    process::diagnostic::{Rule, brief},
};

pub const RULES: &[Rule] = &[INVALID_SCHEMA];

const INVALID_SCHEMA: Rule =
    Rule::error("invalid-schema", "`input` and `output` are JSON Schemas that need no others.");

/// How much all schemas of a definition are, as the engine counts it.
pub fn values(definition: &Definition, scopes: &[Scope]) -> usize {
    let steps = scopes.iter().flat_map(|it| it.steps);
    let of_steps = steps.flat_map(|it| [&it.input, &it.output]);
    let all = of_steps.chain([&definition.input, &definition.output]).flatten();
    all.map(|it| SCHEMA_VALUES_LEAST + schema::size(it)).sum()
}

pub fn check(definition: &Definition, scopes: &[Scope], report: &mut Report) {
    for (path, it) in [("input", &definition.input), ("output", &definition.output)] {
        look(path, it.as_ref(), report);
    }
    for scope in scopes {
        for (no, step) in scope.steps.iter().enumerate() {
            look(&scope.at(no, "input"), step.input.as_ref(), report);
            look(&scope.at(no, "output"), step.output.as_ref(), report);
        }
    }
}

fn look(path: &str, schema: Option<&Value>, report: &mut Report) {
    let Some(schema) = schema else { return };
    let Err(invalid) = Schema::compile(schema) else { return };
    let (mut at, mut node) = (path.to_owned(), schema);
    for turn in &invalid.place {
        let behind = match node {
            Value::Array(items) => turn.parse().ok().and_then(|no: usize| items.get(no)),
            _ => node.get(turn),
        };
        let Some(behind) = behind else { break };
        at = match node {
            Value::Array(_) => format!("{at}[{turn}]"),
            _ => place::join(&at, turn),
        };
        node = behind;
    }
    report.say(&INVALID_SCHEMA, &at, format!("correct the schema: {}", brief(&invalid.message)));
}
