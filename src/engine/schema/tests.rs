//! What schemas take, what they cost, and that they say the same each time.

use serde_json::{Value, json};

use super::Schema;

fn said(schema: Value, data: Value) -> String {
    let schema = Schema::compile(&schema).unwrap();
    schema.check(&data).map_or_else(|it| it, |()| "fine".to_owned())
}

#[test]
fn data_fits_a_schema_or_it_is_said_where_not() {
    let schema = json!({
        "type": "object", "required": ["amount"],
        "properties": {"amount": {"type": "integer"}, "lines": {"items": {"$ref": "#/$defs/line"}}},
        "$defs": {"line": {"required": ["id"]}},
    });
    let check = |data: Value, expected: &str| {
        assert_eq!(said(schema.clone(), data.clone()), expected, "{data}");
    };
    check(json!({"amount": 1}), "fine");
    check(json!({}), "missing properties 'amount'");
    check(json!({"amount": "1"}), "`/amount`: want integer, but got string");
    check(json!({"amount": 1, "lines": [{"id": 1}, {}]}), "`/lines/1`: missing properties 'id'");
}

#[test]
fn what_is_wrong_is_said_the_same_each_time() {
    let names: Vec<String> = (0..50).map(|it| format!("n{it}")).collect();
    let data: Value = names.iter().map(|it| (it.clone(), json!(1))).collect();
    let schema = json!({"unevaluatedProperties": false});
    let first = said(schema.clone(), data.clone());
    for _ in 0..20 {
        assert_eq!(said(schema.clone(), data.clone()), first);
    }
}

#[test]
fn what_refers_to_other_schemas_is_none() {
    let check = |schema: Value, place: &[&str]| {
        let invalid = Schema::compile(&schema).map(drop).unwrap_err();
        assert_eq!(invalid.place, place, "{schema}: {}", invalid.message);
    };
    check(json!({"$ref": "https://example.org/x"}), &["$ref"]);
    check(json!({"items": {"$ref": "#/$defs/none"}}), &["items", "$ref"]);
    check(
        json!({"properties": {"n": {"pattern": "(a{1000}){1000}"}}}),
        &["properties", "n", "pattern"],
    );
    check(json!({"properties": {"n": {"type": "whole"}}}), &["properties", "n", "type"]);
    let other = json!({"$defs": {"a": {"$id": "https://example.org/x"}}});
    check(other, &["$defs", "a", "$id"]);
    let fine = json!({
        "$defs": {"a": {"$anchor": "it"}, "b": {"$ref": "#it"}},
        "properties": {"$ref": {}, "x": {"$ref": "https://json-schema.org/draft/2020-12/schema"}},
    });
    assert!(Schema::compile(&fine).is_ok());
}

#[test]
fn what_takes_too_long_to_check_does_not_fit() {
    let too_long = "it takes too long to check";
    // Twice as much with each definition.
    let double = |to: usize| json!({"allOf": [{"$ref": format!("#/$defs/{to}")}, {"$ref": format!("#/$defs/{to}")}]});
    let mut defs: serde_json::Map<String, Value> =
        (0..40).map(|it| (it.to_string(), double(it + 1))).collect();
    defs.insert("40".to_owned(), json!({"type": "integer"}));
    assert_eq!(said(json!({"$ref": "#/$defs/0", "$defs": defs}), json!(1)), too_long);
    // Twice as much with each level of the data.
    let mut data = json!(1);
    (0..40).for_each(|_| data = json!({"x": data}));
    let twice = json!({"properties": {"x": {"$ref": "#"}}});
    assert_eq!(said(json!({"allOf": [twice, twice]}), data.clone()), too_long);
    let once = json!({"properties": {"x": {"$ref": "#"}}});
    assert_eq!(said(once, data), "fine");
}

#[test]
fn what_is_nested_too_deep_to_be_checked_does_not_fit() {
    let too_deep = "it is nested too deep to be checked: at most 128";
    let next = |to: usize| json!({"$ref": format!("#/$defs/{to}")});
    let mut defs: serde_json::Map<String, Value> =
        (0..5000).map(|it| (it.to_string(), next(it + 1))).collect();
    defs.insert("5000".to_owned(), json!(true));
    assert_eq!(said(json!({"$ref": "#/$defs/0", "$defs": defs}), json!(1)), too_deep);
    assert_eq!(said(json!({"$ref": "#"}), json!(1)), too_deep);
}
