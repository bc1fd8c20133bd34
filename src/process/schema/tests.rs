//! The published schema is that of the types, and takes what they take.

use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};

use crate::process::{load, yaml};

const PUBLISHED: &str = include_str!("../../../protocol/process.schema.json");
const PATTERNS: &str = include_str!("../../../protocol/patterns.yaml");

fn accepts(value: &Value) -> Result<(), String> {
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.set_default_draft(Draft::V2020_12);
    let schema = serde_json::from_str(PUBLISHED).unwrap();
    compiler.add_resource("schema:/process", schema).unwrap();
    let no = compiler.compile("schema:/process", &mut schemas).unwrap();
    schemas.validate(value, no).map_err(|it| it.to_string())
}

fn json_of(node: &yaml::Node) -> Value {
    match &node.kind {
        yaml::Kind::Null => Value::Null,
        yaml::Kind::Bool(it) => json!(it),
        yaml::Kind::Number(it) => Value::Number(it.clone()),
        yaml::Kind::Text(it) => json!(it),
        yaml::Kind::List(items) => items.iter().map(json_of).collect(),
        yaml::Kind::Map(entries) => {
            entries.iter().map(|it| (it.key.clone(), json_of(&it.value))).collect()
        }
    }
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    // To publish it anew: set the variable and run this test.
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write("protocol/process.schema.json", super::text()).unwrap();
    }
    let published = std::fs::read_to_string("protocol/process.schema.json").unwrap();
    assert!(super::text() == published, "run this test with UPDATE_EXPECT=1");
}

#[test]
fn the_schema_takes_every_definition_of_the_conformance_set() {
    let file = load::read("patterns.yaml", PATTERNS.as_bytes());
    assert_eq!(file.loaded.len(), 57, "{:?}", file.diagnostics);
    for loaded in &file.loaded {
        let verdict = accepts(&json_of(&loaded.tree));
        assert_eq!(verdict, Ok(()), "{}", loaded.definition.process_name);
    }
}

#[test]
fn the_schema_takes_what_is_read_and_refuses_what_is_not() {
    let step = |step: &str| format!("{{process_name: x, steps: [{{step_id: a, {step}}}]}}");
    let fine = ["join: 2", "join: {from: a}", "await: go", "each: {count: n}", "timeout: 1h30m"];
    let fine = fine.iter().chain(&[
        "transitions: [{on_signal: yes, next_step: a}]",
        "cancel: \
        '*'",
    ]);
    let wrong = ["join: some", "splt: all", "join: {m: 1}", "cancel: a", "step_type: 1"];
    let cases = fine.map(|it| (it, true)).chain(wrong.iter().map(|it| (it, false)));
    for (text, is_fine) in cases {
        let (documents, faults) = yaml::parse(&step(text));
        assert_eq!(faults, []);
        assert_eq!(accepts(&json_of(&documents[0])).is_ok(), is_fine, "{text}");
        let read = load::definitions("x.yaml", step(text).as_bytes());
        assert_eq!(read.is_ok(), is_fine, "{text}");
    }
}
