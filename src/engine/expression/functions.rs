//! Which functions an expression calls, and whether there are such.
//!
//! The evaluator itself is asked: it calls each by its name, with nothing, and tells apart what it
//! does not know and what it would call otherwise.

use std::sync::Arc;

use cel::{
    Context, ExecutionError, Value,
    common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue},
};

use super::ENV;

/// What can be proposed; a name that is not here is no less known.
pub const NAMES: &[&str] = &[
    "all",
    "bool",
    "bytes",
    "contains",
    "done",
    "double",
    "dyn",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "has",
    "int",
    "map",
    "running",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
    "waiting",
];

/// How those are called that the parser makes something else of, and those of the engine.
const SHAPES: &[(&str, &str)] = &[
    ("all", "lines.all(it, it > 0)"),
    ("done", "done('step')"),
    ("exists", "lines.exists(it, it > 0)"),
    ("exists_one", "lines.exists_one(it, it > 0)"),
    ("filter", "lines.filter(it, it > 0)"),
    ("has", "has(order.total)"),
    ("map", "lines.map(it, it + 1)"),
    ("running", "running('step')"),
    ("waiting", "waiting('step')"),
];

/// A call of what is no function, or not in this way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    /// Whether it stands behind a value and a dot.
    pub is_of_value: bool,
    /// How it would be called, if it is known at all.
    pub shape: Option<String>,
}

/// The calls of an expression that cannot be evaluated, whatever the data is.
pub fn unknown(tree: &IdedExpr) -> Vec<Unknown> {
    let mut unknown = Vec::new();
    look(tree, &mut unknown);
    unknown
}

fn look(node: &IdedExpr, unknown: &mut Vec<Unknown>) {
    let mut all = |nodes: &[&IdedExpr]| nodes.iter().for_each(|it| look(it, unknown));
    match &node.expr {
        Expr::Call(call) => {
            call.target.iter().for_each(|it| all(&[it]));
            call.args.iter().for_each(|it| all(&[it]));
            // Operators have signs in their names.
            let is_part = |it: char| it.is_ascii_alphanumeric() || "_.".contains(it);
            let is_name = call.func_name.chars().all(is_part);
            let is_of_value = call.target.is_some();
            if is_name && !is_known(&call.func_name, is_of_value) {
                let name = call.func_name.clone();
                unknown.push(Unknown { shape: shape(call), name, is_of_value });
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|it| all(&[it])),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    all(&[&entry.key, &entry.value]);
                }
            }
        }
        Expr::Select(select) => all(&[&select.operand]),
        Expr::Comprehension(it) => {
            all(&[&it.iter_range, &it.accu_init, &it.loop_cond, &it.loop_step, &it.result]);
        }
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => (),
    }
}

/// Whether the evaluator knows the function, or the one of a value, when it is called with nothing.
fn is_known(name: &str, is_of_value: bool) -> bool {
    let node = |expr: Expr| IdedExpr { id: 0, expr };
    let target = is_of_value.then(|| Box::new(node(Expr::Literal(LiteralValue::Null))));
    let call = CallExpr { func_name: name.to_owned(), target, args: Vec::new() };
    let context = Context::with_env(Arc::clone(&ENV));
    let called = Value::resolve(&node(Expr::Call(call)), &context);
    !matches!(called, Err(ExecutionError::UndeclaredReference(_)))
}

/// How a function is called that is known, but not in this way.
fn shape(call: &CallExpr) -> Option<String> {
    let name = &call.func_name;
    if let Some((_, shape)) = SHAPES.iter().find(|it| it.0 == name) {
        return Some((*shape).to_owned());
    }
    match call.target {
        None if is_known(name, true) => Some(format!("text.{name}(…)")),
        Some(_) if is_known(name, false) => Some(format!("{name}(…)")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{NAMES, is_known, shape};
    use crate::engine::expression::Program;

    #[test]
    fn what_is_proposed_is_known() {
        for name in NAMES {
            let is_there = is_known(name, false) || is_known(name, true);
            let call = cel::common::ast::CallExpr {
                func_name: (*name).to_owned(),
                target: None,
                args: Vec::new(),
            };
            let shape = shape(&call).filter(|_| !is_there);
            let is_shaped = shape.is_some_and(|it| check(&it).is_empty());
            assert!(is_there || is_shaped, "{name}");
        }
    }

    fn check(source: &str) -> Vec<(String, Option<String>)> {
        let unknown = Program::compile(source).unwrap().unknown_functions();
        unknown.into_iter().map(|it| (it.name, it.shape)).collect()
    }

    fn unknown(source: &str, name: &str, shape: Option<&str>) {
        assert_eq!(check(source), [(name.to_owned(), shape.map(str::to_owned))], "{source}");
    }

    #[test]
    fn each_function_of_the_language_is_known() {
        for source in [
            "-n + 1 > 2 && !ok || 'a' in m ? [1][0] == {'a': 1}['a'] : 3 % 2 != 1",
            "size(lines) + lines.size() + s.size() + size({})",
            "s.contains('a') || s.startsWith('b') || s.endsWith('c')",
            "lines.all(a, a.exists(b, b > 0)) && lines.exists_one(a, a.existsOne(b, b > 0))",
            "has(m.a) && type(m) == map",
            "lines.map(a, a.n).filter(n, n > 1) + lines.map(a, a.n > 1, a.n)",
            "int('1') + int(uint('2')) + int(double('3')) > 0 && bool('true')",
            "string(1) + string(bytes('a')) + string(dyn(2))",
            "waiting('a') + running('a.b') + done('c') > 1",
        ] {
            assert_eq!(check(source), [], "{source}");
        }
    }

    #[test]
    fn a_function_that_there_is_not_is_found_wherever_it_is() {
        unknown("sizee(x) > 1", "sizee", None);
        unknown("x.sizee() > 1", "sizee", None);
        unknown("true || lines.exists(a, a.n > foo(a))", "foo", None);
        unknown("{'a': [foo()]}.a[0].b", "foo", None);
        unknown("lines.filter(a, true).map(a, foo(a))", "foo", None);
        unknown("a.b.of(1)", "of", None);
        unknown("optional.of(1) == 1", "of", None);
        unknown("timestamp('2026-01-01T00:00:00Z') > now", "timestamp", None);
        unknown("s.matches('a+')", "matches", None);
        unknown("_foo(1) > 1", "_foo", None);
        unknown("__foo__(1) > 1", "__foo__", None);
        unknown("x._foo() > 1", "_foo", None);
        unknown("contains(s, 'a')", "contains", Some("text.contains(…)"));
        unknown("n.string()", "string", Some("string(…)"));
        unknown("lines.map(1)", "map", Some("lines.map(it, it + 1)"));
        unknown("exists(lines, a, a > 1)", "exists", Some("lines.exists(it, it > 0)"));
        unknown("has(m, a)", "has", Some("has(order.total)"));
        assert_eq!(check("foo(bar(1))").len(), 2);
    }
}
