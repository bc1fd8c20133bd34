//! SARIF 2.1.0.

use serde_json::{Value, json};

use crate::process::{
    diagnostic::{Diagnostic, Related, Rule, Spot},
    lint::RULES,
};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json";

pub fn render(diagnostics: &[Diagnostic]) -> String {
    let rules: Vec<&Rule> = RULES.iter().copied().flatten().collect();
    let of = |it: &Diagnostic| rules.iter().position(|rule| rule.name == it.rule.name);
    let results: Vec<Value> = diagnostics.iter().map(|it| result(it, of(it))).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "gitport",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|it| rule(it)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn rule(it: &Rule) -> Value {
    json!({
        "id": it.name,
        "shortDescription": { "text": it.about },
        "defaultConfiguration": { "level": it.severity.as_str() },
    })
}

fn result(it: &Diagnostic, rule: Option<usize>) -> Value {
    let text = match &it.help {
        Some(help) => format!("{}\n{help}", it.message),
        None => it.message.clone(),
    };
    let mut result = json!({
        "ruleId": it.rule.name,
        "ruleIndex": rule,
        "level": it.severity.as_str(),
        "message": { "text": text },
        "locations": [place(&it.spot)],
    });
    if !it.path.is_empty() {
        let name = it.process_name.as_deref().unwrap_or_default();
        let full = format!("{name}: {}", it.path);
        let logical = json!([{ "name": it.path, "fullyQualifiedName": full }]);
        result["locations"][0]["logicalLocations"] = logical;
    }
    if !it.related.is_empty() {
        result["relatedLocations"] = it.related.iter().map(related).collect();
    }
    result
}

fn related(it: &Related) -> Value {
    let mut place = place(&it.spot);
    place["message"] = json!({ "text": it.message });
    place
}

fn place(spot: &Spot) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&spot.file) },
        "region": {
            "startLine": spot.place.line,
            "startColumn": spot.place.column,
            "endColumn": spot.place.end_column,
        },
    } })
}

/// A path as a relative reference: what is not plain is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
