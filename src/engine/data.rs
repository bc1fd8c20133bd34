//! The data of a run: what expressions see, and how what a step brings is laid over it.

use serde_json::Value;

use super::{
    definition::Data,
    expression::{COST_MAX, Count, Counted, Variables},
    net::{Body, Condition, Given, NetNo, RESERVED, Step, StepNo},
    schema::Schema,
    state::{Id, Item, ItemStatus, Problem},
    work::Work,
};

/// What an expression sees at some step.
pub struct Scope<'s, 'w> {
    pub work: &'s Work<'w>,
    pub frame: Id,
    /// The instance it is about.
    pub item: Option<&'s Item>,
    /// What lies over the data.
    pub over: Data,
}

/// An expression that could not be evaluated is an outcome like any other.
pub fn expression_problem(message: String) -> Problem {
    Problem { kind: "expression".to_owned(), message }
}

struct Bound<'s, 'w> {
    scope: &'s Scope<'s, 'w>,
    condition: &'s Condition,
}

impl<'s, 'w> Scope<'s, 'w> {
    pub fn of(work: &'s Work<'w>, item: &'s Item) -> Scope<'s, 'w> {
        Scope { work, frame: item.frame, item: Some(item), over: Data::new() }
    }

    pub fn frame(work: &'s Work<'w>, frame: Id) -> Scope<'s, 'w> {
        Scope { work, frame, item: None, over: Data::new() }
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.over.insert(name.to_owned(), value.into());
        self
    }

    pub fn value(&self, condition: &Condition) -> Result<Value, Problem> {
        let bound = Bound { scope: self, condition };
        condition.program.evaluate(&bound).map_err(expression_problem)
    }

    pub fn holds(&self, condition: &Condition) -> Result<bool, Problem> {
        let bound = Bound { scope: self, condition };
        condition.program.holds(&bound).map_err(expression_problem)
    }

    pub fn number(&self, condition: &Condition) -> Result<u64, Problem> {
        let bound = Bound { scope: self, condition };
        condition.program.number(&bound).map_err(expression_problem)
    }

    pub fn given(&self, values: &[(String, Given)]) -> Result<Data, Problem> {
        let mut data = Data::new();
        for (name, given) in values {
            let value = match given {
                Given::Expression(condition) => self.value(condition)?,
                Given::Value(value) => value.clone(),
            };
            data.insert(name.clone(), value);
        }
        Ok(data)
    }

    /// `item` and `index`, of the innermost instance up to the process.
    fn of_instance(&self, name: &str) -> Option<Value> {
        if name != "item" && name != "index" {
            return None;
        }
        let (mut frame, mut item) = (self.frame, self.item);
        loop {
            if let Some(instance) = item.and_then(|it| it.instance.as_ref()) {
                return Some(match name {
                    "item" => instance.item.clone(),
                    _ => Value::from(instance.index),
                });
            }
            let here = self.work.frame(frame)?;
            if here.process == frame {
                return None;
            }
            item = self.work.item(here.item?);
            frame = here.parent?;
        }
    }

    fn count(&self, what: Counted, up: u32, step: StepNo) -> i64 {
        let mut frame = self.frame;
        for _ in 0..up {
            frame = self.work.frame(frame).and_then(|it| it.parent).unwrap_or(frame);
        }
        let is_waiting = |it: &Item| {
            matches!(it.status, ItemStatus::Offered | ItemStatus::Awaiting) && it.instance.is_none()
        };
        let count_if = |is_meant: &dyn Fn(&Item) -> bool| {
            let (mut seen, mut count) = (0, 0);
            for (_, item) in self.work.items_at(frame, step) {
                seen += 1;
                count += u64::from(is_meant(item));
            }
            self.work.pay(seen);
            count
        };
        let count = match what {
            Counted::Done => self.work.rows.done.get(&(frame, step)).copied().unwrap_or(0),
            Counted::Waiting => count_if(&is_waiting),
            Counted::Running => count_if(&|it| !is_waiting(it) && it.instance.is_none()),
        };
        i64::try_from(count).unwrap_or(i64::MAX)
    }
}

impl Variables for Bound<'_, '_> {
    fn variable(&self, name: &str) -> Option<Value> {
        let scope = self.scope;
        if let Some(value) = scope.over.get(name) {
            return Some(value.clone());
        }
        scope.of_instance(name).or_else(|| {
            let process = scope.work.frame(scope.frame)?.process;
            scope.work.rows.data.get(&(process, name.to_owned())).cloned()
        })
    }

    fn allowance(&self) -> i64 {
        self.scope.work.cost_left.get().min(COST_MAX)
    }

    fn spend(&self, cost: i64) {
        let left = &self.scope.work.cost_left;
        left.set(left.get() - cost);
    }

    fn count(&self, count: &Count) -> i64 {
        let counts = self.condition.program.counts();
        let at = counts.iter().position(|it| it == count);
        match at.and_then(|it| self.condition.steps.get(it)) {
            Some((up, step)) => self.scope.count(count.what, *up, *step),
            None => 0,
        }
    }
}

impl Work<'_> {
    /// Lays data over that of the process a frame is in, as RFC 7396 has it.
    pub fn merge(&mut self, frame: Id, patch: &Data) {
        let Some(process) = self.frame(frame).map(|it| it.process) else { return };
        for (name, value) in patch {
            let key = (process, name.clone());
            if value.is_null() {
                self.rows.data.remove(&key);
                continue;
            }
            let mut merged = match value.is_object() {
                true => self.rows.data.get(&key).cloned().unwrap_or_default(),
                false => Value::Null,
            };
            lay_over(&mut merged, value);
            self.rows.data.put(key, merged);
        }
    }
}

/// What does not fit a schema is an outcome, too, where nobody can be told.
fn fits(schema: Option<&Schema>, kind: &str, data: &Data) -> Result<(), Problem> {
    let Some(schema) = schema else { return Ok(()) };
    schema.check(&Value::Object(data.clone())).map_err(|message| {
        let message = format!("what is there does not fit `{kind}`: {message}");
        Problem { kind: kind.to_owned(), message }
    })
}

impl Work<'_> {
    /// Whether a process can be started with this.
    pub fn fits_input(&self, net: NetNo, data: &Data) -> Result<(), Problem> {
        fits(self.processes.net(net).input.as_ref(), "input", data)
    }

    /// Whether a step can be started with the data that there is.
    pub fn fits_step(&self, item: &Item, step: &Step) -> Result<(), Problem> {
        match (&step.input, self.frame(item.frame)) {
            (Some(schema), Some(frame)) => {
                fits(Some(schema), "input", &self.data_of(frame.process))
            }
            _ => Ok(()),
        }
    }

    /// Whether a step may bring this; a failure brings what it wants, and a block nothing.
    pub fn fits_output(&self, item: &Item, outcome: &str, data: &Data) -> Result<(), Problem> {
        let step = self.step_of(item).filter(|_| !RESERVED.contains(&outcome));
        let brings = step.filter(|it| matches!(it.body, Body::Work | Body::Call { .. }));
        fits(brings.and_then(|it| it.output.as_ref()), "output", data)
    }

    /// Whether a process may end with the data that there is.
    pub fn fits_end(&self, frame: Id) -> Result<(), Problem> {
        let schema = self.net_of(frame).and_then(|it| it.1.output.as_ref());
        match schema {
            Some(_) => fits(schema, "output", &self.data_of(frame)),
            None => Ok(()),
        }
    }

    fn data_of(&self, process: Id) -> Data {
        let rows = self.rows.data.range((process, String::new())..(process + 1, String::new()));
        rows.map(|((_, name), value)| (name.clone(), value.clone())).collect()
    }
}

/// RFC 7396.
pub fn lay_over(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Data::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.shift_remove(name);
            }
            _ => lay_over(target.entry(name.clone()).or_insert(Value::Null), value),
        }
    }
}
