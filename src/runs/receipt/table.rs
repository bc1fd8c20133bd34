//! Receipts as a table in the form of RFC 4180, which spreadsheets take as nothing but text.

use serde_json::Value;

use super::Receipt;

/// In this order, for ever; new ones come behind.
const COLUMNS: [&str; 22] = [
    "receipt",
    "run",
    "process",
    "version",
    "definition",
    "step",
    "task",
    "attempt",
    "round",
    "actor",
    "worker",
    "outcome",
    "problem",
    "again",
    "input",
    "output",
    "offered_ms",
    "claimed_ms",
    "finished_ms",
    "commit",
    "seq",
    "signature",
];

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The rows of receipts, below the names of the columns where it is the first page.
pub fn csv<'r>(receipts: impl Iterator<Item = &'r Receipt>, is_first: bool) -> String {
    let mut text = String::new();
    if is_first {
        text.push_str(&COLUMNS.join(","));
        text.push_str("\r\n");
    }
    for receipt in receipts {
        let values = serde_json::to_value(receipt).unwrap_or_default();
        let cells: Vec<String> = COLUMNS.iter().map(|it| cell(&values[*it])).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text,
        number => return number.to_string(),
    };
    let shield = if text.starts_with(FORMULA) { "'" } else { "" };
    match text.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{shield}{}\"", text.replace('"', "\"\"")),
        false => format!("{shield}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_never_a_formula() {
        for (value, wanted) in [
            (json!(null), ""),
            (json!(""), ""),
            (json!("plain"), "plain"),
            (json!(7), "7"),
            (json!(-7), "-7"),
            (json!(true), "true"),
            (json!("a,b"), "\"a,b\""),
            (json!("a \"b\""), "\"a \"\"b\"\"\""),
            (json!("a\r\nb"), "\"a\r\nb\""),
            (json!("=1+1"), "'=1+1"),
            (json!("+1"), "'+1"),
            (json!("-1"), "'-1"),
            (json!("@a"), "'@a"),
            (json!("\ta"), "'\ta"),
            (json!("\ra"), "\"'\ra\""),
            (json!("=a,b"), "\"'=a,b\""),
        ] {
            assert_eq!(cell(&value), wanted, "{value}");
        }
    }
}
