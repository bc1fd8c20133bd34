//! Conditions and values in the Common Expression Language, within bounds.
//!
//! An expression sees the data of its scope and what its step adds, and, as `waiting(s)`,
//! `running(s)` and `done(s)`, how often a step is in which state. What it may cost is counted
//! while it is evaluated, so that one which would take too long is an error like any other.

mod bounded;
mod functions;
mod value;

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicI64, Ordering},
};

use cel::{Context, Env, parser::Expression as Tree, parser::Parser};
use serde_json::Value;

pub use self::{
    bounded::{Count, Counted},
    functions::{NAMES, Unknown},
};

/// Longer than anything a person reads.
pub const SOURCE_BYTES_MAX: usize = 4096;
/// How deep an expression may be nested.
const DEPTH_MAX: u16 = 32;
/// What one evaluation may cost: about one for each value that is looked at.
pub const COST_MAX: i64 = 1_000_000;
/// How much text counts as one value.
const BYTES_PER_COST: usize = 16;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// An expression that was understood.
#[derive(Debug)]
pub struct Program {
    source: String,
    tree: Tree,
    variables: Vec<String>,
    counts: Vec<Count>,
}

/// Where the variables of an expression come from.
pub trait Variables {
    fn variable(&self, name: &str) -> Option<Value>;
    fn count(&self, count: &Count) -> i64;

    /// What an evaluation may cost now, and what it did cost.
    fn allowance(&self) -> i64 {
        COST_MAX
    }

    fn spend(&self, _cost: i64) {}
}

impl Program {
    pub fn compile(source: &str) -> Result<Program, String> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(format!("an expression has at most {SOURCE_BYTES_MAX} bytes"));
        }
        bounded::check_nesting(source, usize::from(DEPTH_MAX))?;
        let parser = Parser::new().max_recursion_depth(DEPTH_MAX);
        let tree = parser.parse(source).map_err(|error| one_line(&error.to_string()))?;
        let variables: Vec<String> =
            tree.references().variables().into_iter().map(str::to_owned).collect();
        let (tree, counts) = bounded::rewrite(tree)?;
        let source = source.to_owned();
        Ok(Program { source, tree, variables, counts })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// The steps whose states it asks for.
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// The calls that fail whatever the data is: nothing is called so.
    pub fn unknown_functions(&self) -> Vec<Unknown> {
        functions::unknown(&self.tree)
    }

    pub fn evaluate(&self, variables: &dyn Variables) -> Result<Value, String> {
        let allowance = variables.allowance();
        let budget = Arc::new(AtomicI64::new(allowance));
        let result = self.resolve(variables, &budget);
        let left = budget.load(Ordering::Relaxed);
        // To begin at all costs something, too.
        variables.spend(allowance - left + 1);
        if left < 0 {
            return Err(format!("`{}` costs too much", self.source));
        }
        result
    }

    fn resolve(&self, variables: &dyn Variables, budget: &Arc<AtomicI64>) -> Result<Value, String> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for name in &self.variables {
            if let Some(it) = variables.variable(name) {
                context.add_variable_from_value(name.as_str(), value::of_json(&it, budget)?);
            }
        }
        for count in &self.counts {
            context.add_variable_from_value(count.variable(), variables.count(count));
        }
        for (name, charge) in bounded::functions(budget) {
            context.add_function(name, charge).map_err(|error| error.to_string())?;
        }
        let result = cel::Value::resolve(&self.tree, &context);
        let result = result.map_err(|error| format!("`{}`: {}", self.source, short(&error)))?;
        value::to_json(&result, 0)
    }

    /// Whether a condition holds; what is neither true nor false is an error.
    pub fn holds(&self, variables: &dyn Variables) -> Result<bool, String> {
        match self.evaluate(variables)? {
            Value::Bool(holds) => Ok(holds),
            _ => Err(format!("`{}` is neither true nor false", self.source)),
        }
    }

    /// A whole number that is not negative.
    pub fn number(&self, variables: &dyn Variables) -> Result<u64, String> {
        let result = self.evaluate(variables)?;
        let whole = |it: f64| (it >= 0.0 && it.fract() == 0.0 && it < 9e15).then_some(it as u64);
        let number = result.as_u64().or_else(|| result.as_f64().and_then(whole));
        number.ok_or_else(|| format!("`{}` is no whole number", self.source))
    }
}

/// What the evaluator says, without values that may be long.
fn short(error: &cel::ExecutionError) -> String {
    let text = one_line(&error.to_string());
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
