//! Expressions: what they come to, and that none takes long.

use serde_json::{Value, json};

use super::{Count, Program, Variables};

struct Data(Value);

impl Variables for Data {
    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn count(&self, _: &Count) -> i64 {
        3
    }
}

fn evaluated(source: &str) -> Result<Value, String> {
    let lines: Vec<Value> = (0..2000).map(|it| json!({"id": it, "text": "x"})).collect();
    let data = json!({
        "n": 1, "ok": true, "lines": lines, "m": {"b": 1, "c": 3, "a": 2}, "s": "x".repeat(100_000),
    });
    Program::compile(source)?.evaluate(&Data(data))
}

#[test]
fn an_expression_has_a_value() {
    let check = |source: &str, expected: Value| {
        assert_eq!(evaluated(source).unwrap(), expected, "{source}");
    };
    check("n < 2 && ok", json!(true));
    check("waiting('a.b') + done('c')", json!(6));
    // The keys of a map have one order.
    check("m.map(k, k)", json!(["a", "b", "c"]));
    check("{'z': 1, 'a': n}", json!({"a": 1, "z": 1}));
    check("size(lines)", json!(2000));
    check("lines.filter(it, it.id > 1998)", json!([{"id": 1999, "text": "x"}]));
    check("lines[3].id", json!(3));
    check("has(m.a) && !has(m.q)", json!(true));
    check("[1, 2, 3].exists_one(it, it == 2)", json!(true));
    check("n > 0 ? 'yes' : 'no'", json!("yes"));
    check("'a' in m", json!(true));
    check("2.0 * 2.5", json!(5.0));
}

#[test]
fn what_cannot_be_evaluated_is_an_error() {
    let check = |source: &str, expected: &str| {
        let error = evaluated(source).unwrap_err();
        assert!(error.contains(expected), "{source}: {error}");
    };
    check("missing", "missing");
    check("1 / 0", "zero");
    check("9223372036854775807 + n", "verflow");
    check("n ? 1 : 2", "bool");
    check("a b", "Syntax");
    check("waiting(n)", "quotes");
    check("1.0 / 0.0", "no number");
}

#[test]
fn what_costs_too_much_is_an_error() {
    let check = |source: &str| {
        let error = evaluated(source).unwrap_err();
        let is_told = ["costs too much", "operators at most", "at most 4096"];
        assert!(is_told.iter().any(|it| error.contains(it)), "{error}");
    };
    check("lines.map(a, lines.map(b, b))");
    check("lines.exists(a, lines.exists(b, a == b && b.id < 0))");
    check("lines.map(a, s + s)");
    check(&format!("s{}", " + s".repeat(150)));
    check(&"(".repeat(200));
    check(&"!".repeat(500));
    check(&format!("1{}", "+1".repeat(1500)));
    check(&format!("a{}", ".b".repeat(1500)));
    check(&format!("{}1{}", "[".repeat(40), "]".repeat(40)));
    check(&"x".repeat(5000));
}
