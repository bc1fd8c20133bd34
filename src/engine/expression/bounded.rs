//! What an expression may cost.
//!
//! The tree of an expression is changed before it is ever evaluated: whatever makes or looks
//! through a value pays for its size, so that the cost of a whole evaluation is bounded, however
//! loops are nested. Maps are gone through in the order of their keys.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use cel::{
    ExecutionError, FunctionContext,
    common::{
        ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators},
        types::{CelBytes, CelList, CelMap, CelString},
        value::{CowVal, Val},
    },
    objects::Key,
};

use super::BYTES_PER_COST;

/// `waiting(step)`, `running(step)` or `done(step)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    pub what: Counted,
    pub step: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    Waiting,
    Running,
    Done,
}

impl Count {
    /// What it is called in the tree; nobody can write that.
    pub fn variable(&self) -> String {
        format!("@{:?} {}", self.what, self.step.replace('.', " "))
    }
}

/// Pays for a value and gives it back.
const PAY: &str = "@pay";
/// Pays for what is gone through; a map becomes its keys in their order.
const RANGE: &str = "@range";

/// More operators than anybody reads; each may be a level of the tree.
const OPERATORS_MAX: usize = 200;

/// Refuses what is nested too deep before the parser sees it.
pub fn check_nesting(source: &str, max: usize) -> Result<(), String> {
    let (mut depth, mut operators, mut quote) = (0_usize, 0_usize, None);
    for byte in source.bytes() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => (),
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => (depth, operators) = (depth + 1, operators + 1),
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, byte) => operators += usize::from(b"+-*/%.?&|<>=!".contains(&byte)),
        }
        if depth > max || operators > OPERATORS_MAX {
            let most = OPERATORS_MAX;
            return Err(format!("an expression has {most} operators at most, {max} deep"));
        }
    }
    Ok(())
}

/// The tree with what it costs in it, and the counts it asks for.
pub fn rewrite(mut tree: IdedExpr) -> Result<(IdedExpr, Vec<Count>), String> {
    let mut counts = Vec::new();
    change(&mut tree, &mut counts)?;
    counts.sort();
    counts.dedup();
    Ok((tree, counts))
}

fn change(node: &mut IdedExpr, counts: &mut Vec<Count>) -> Result<(), String> {
    match &mut node.expr {
        Expr::Call(call) => {
            if let Some(count) = count_of(call)? {
                node.expr = Expr::Ident(count.variable());
                counts.push(count);
                return Ok(());
            }
            change_call(call, counts)?;
            if !is_logical(&call.func_name) {
                wrap(node, PAY);
            }
        }
        Expr::List(list) => {
            list.elements.iter_mut().try_for_each(|it| change(it, counts))?;
            wrap(node, PAY);
        }
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    change(&mut entry.key, counts)?;
                    change(&mut entry.value, counts)?;
                }
            }
            wrap(node, PAY);
        }
        Expr::Select(select) => change(&mut select.operand, counts)?,
        Expr::Comprehension(it) => {
            change(&mut it.iter_range, counts)?;
            wrap(&mut it.iter_range, RANGE);
            change_loop_step(&mut it.loop_step, counts)?;
        }
        Expr::Struct(_) => return Err("messages are not supported".to_owned()),
        Expr::Ident(_) | Expr::Literal(_) => (),
        Expr::Unspecified => return Err("it is incomplete".to_owned()),
    }
    Ok(())
}

fn change_call(call: &mut CallExpr, counts: &mut Vec<Count>) -> Result<(), String> {
    // What takes one thing out of another does not look through it.
    let looks = !is_logical(&call.func_name)
        && !matches!(&*call.func_name, operators::INDEX | "size" | PAY);
    for arg in call.target.as_deref_mut().into_iter().chain(&mut call.args) {
        change(arg, counts)?;
        if looks && matches!(arg.expr, Expr::Ident(_) | Expr::Select(_)) {
            wrap(arg, PAY);
        }
    }
    Ok(())
}

/// What a macro made stays as the evaluator knows it: appending in place is cheap.
fn change_loop_step(node: &mut IdedExpr, counts: &mut Vec<Count>) -> Result<(), String> {
    let Expr::Call(call) = &mut node.expr else { return change(node, counts) };
    match (&*call.func_name, &mut call.args[..]) {
        (operators::ADD, [accumulator, added]) if is_accumulator(accumulator) => {
            match &mut added.expr {
                Expr::List(list) => list.elements.iter_mut().try_for_each(|it| change(it, counts)),
                _ => change(added, counts),
            }
        }
        (operators::CONDITIONAL, [guard, step, other]) if is_accumulator(other) => {
            change(guard, counts)?;
            change_loop_step(step, counts)
        }
        _ => change(node, counts),
    }
}

fn is_accumulator(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name.starts_with('@'))
}

fn is_logical(function: &str) -> bool {
    matches!(
        function,
        operators::CONDITIONAL
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::NOT_STRICTLY_FALSE
    )
}

fn wrap(node: &mut IdedExpr, function: &str) {
    let inner = std::mem::take(node);
    node.id = inner.id;
    let call = CallExpr { func_name: function.to_owned(), target: None, args: vec![inner] };
    node.expr = Expr::Call(call);
}

/// What `waiting('step')` asks for.
fn count_of(call: &CallExpr) -> Result<Option<Count>, String> {
    let what = match &*call.func_name {
        "waiting" => Counted::Waiting,
        "running" => Counted::Running,
        "done" => Counted::Done,
        _ => return Ok(None),
    };
    match (&call.target, &call.args[..]) {
        (None, [IdedExpr { expr: Expr::Literal(LiteralValue::String(step)), .. }]) => {
            Ok(Some(Count { what, step: step.inner().to_owned() }))
        }
        _ => Err(format!("{} takes the name of a step in quotes", call.func_name)),
    }
}

/// What the evaluator calls.
type Function = Box<
    dyn for<'context, 'call> Fn(
            &mut FunctionContext<'context, 'call>,
        ) -> Result<CowVal<'context, 'call>, ExecutionError>
        + Send
        + Sync,
>;

/// The functions that collect what an evaluation costs.
pub fn functions(budget: &Arc<AtomicI64>) -> [(&'static str, Function); 2] {
    let (pay, range) = (Arc::clone(budget), Arc::clone(budget));
    let pay: Function = Box::new(move |call: &mut FunctionContext| {
        let value = call.args.pop().ok_or_else(|| call.error("nothing to pay for"))?;
        charge(&pay, value.as_ref())?;
        Ok(value)
    });
    let range: Function = Box::new(move |call: &mut FunctionContext| {
        let value = call.args.pop().ok_or_else(|| call.error("nothing to go through"))?;
        charge(&range, value.as_ref())?;
        Ok(in_order(value))
    });
    [(PAY, pay), (RANGE, range)]
}

/// A map as a list of its keys, so that no order of hashes is ever seen.
fn in_order<'b, 'v>(value: CowVal<'b, 'v>) -> CowVal<'b, 'v> {
    let Some(map) = value.as_ref().downcast_ref::<CelMap>() else { return value };
    let mut keys: Vec<Key> = map.inner().keys().map(|it| it.clone().into()).collect();
    keys.sort();
    let keys: Vec<cel::Value> = keys.into_iter().map(of_key).collect();
    match cel::Value::List(keys.into()).try_into() {
        Ok(keys) => CowVal::Owned(keys),
        Err(_) => value,
    }
}

fn of_key(key: Key) -> cel::Value {
    match key {
        Key::Int(it) => cel::Value::Int(it),
        Key::Uint(it) => cel::Value::UInt(it),
        Key::Bool(it) => cel::Value::Bool(it),
        Key::String(it) => cel::Value::String(it),
    }
}

fn charge(budget: &AtomicI64, value: &dyn Val) -> Result<(), ExecutionError> {
    let left = budget.load(Ordering::Relaxed);
    let left = left - size(value, left.max(0));
    budget.store(left, Ordering::Relaxed);
    match left < 0 {
        true => Err(ExecutionError::function_error("evaluate", "costs too much")),
        false => Ok(()),
    }
}

/// How much a value is, counted no further than `max`.
fn size(value: &dyn Val, max: i64) -> i64 {
    let mut sum = 1;
    if let Some(text) = value.downcast_ref::<CelString>() {
        sum += (text.inner().len() / BYTES_PER_COST) as i64;
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        sum += (bytes.inner().len() / BYTES_PER_COST) as i64;
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        for item in list.inner() {
            if sum > max {
                break;
            }
            sum += size(item.as_ref(), max - sum);
        }
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        for item in map.inner().values() {
            if sum > max {
                break;
            }
            sum += 1 + size(item.as_ref(), max - sum);
        }
    }
    sum
}
