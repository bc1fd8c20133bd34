//! Expressions of a definition, with the steps that they name.

use super::{Condition, Given, Number, compile::Compiler};
use crate::engine::{
    definition::{
        flow::Quorum,
        work::{Count, Emit, Expression, Values},
    },
    expression::Program,
    net::{Emitted, NetNo, StepNo},
};

impl Compiler<'_> {
    pub fn condition(&mut self, net: NetNo, path: &str, source: &Expression) -> Option<Condition> {
        let program = match Program::compile(&source.0) {
            Ok(program) => program,
            Err(message) => return self.wrong(net, path, message),
        };
        let mut steps = Vec::new();
        for count in program.counts() {
            match self.find(net, &count.step) {
                Some(found) => steps.push(found),
                None => return self.wrong(net, path, format!("no step is `{}`", count.step)),
            }
        }
        Some(Condition { program, steps })
    }

    pub fn maybe(
        &mut self,
        net: NetNo,
        path: &str,
        source: Option<&Expression>,
    ) -> Option<Condition> {
        source.and_then(|it| self.condition(net, path, it))
    }

    pub fn quorum(&mut self, net: NetNo, path: &str, quorum: &Quorum) -> Option<Number> {
        match quorum {
            Quorum::Count(0) => self.wrong(net, path, "a join takes at least one"),
            Quorum::Count(count) => Some(Number::Count(u64::from(*count))),
            Quorum::Expression(it) => self.condition(net, path, it).map(Number::Expression),
        }
    }

    pub fn count(&mut self, net: NetNo, path: &str, count: &Count) -> Option<Number> {
        match count {
            Count::Number(count) => Some(Number::Count(*count)),
            Count::Expression(it) => self.condition(net, path, it).map(Number::Expression),
        }
    }

    pub fn values(
        &mut self,
        net: NetNo,
        path: &str,
        values: Option<&Values>,
    ) -> Vec<(String, Given)> {
        let mut given = Vec::new();
        for (name, value) in values.into_iter().flatten() {
            let value = match value.as_str() {
                Some(source) => {
                    let source = Expression(source.to_owned());
                    self.condition(net, &format!("{path}.{name}"), &source).map(Given::Expression)
                }
                None => Some(Given::Value(value.clone())),
            };
            given.extend(value.map(|it| (name.clone(), it)));
        }
        given
    }

    pub fn emitted(&mut self, net: NetNo, path: &str, emit: Option<&Emit>) -> Vec<Emitted> {
        let mut emitted = Vec::new();
        for rule in emit.map(Emit::rules).unwrap_or_default() {
            let key = self.maybe(net, &format!("{path}.key"), rule.key.as_ref());
            let data = self.values(net, &format!("{path}.data"), rule.data.as_ref());
            emitted.push(Emitted { event: rule.event, key, data });
        }
        emitted
    }

    /// A step by its name: in this block, or in one around it.
    pub fn find(&self, net: NetNo, name: &str) -> Option<(u32, StepNo)> {
        let (mut at, mut up) = (net, 0);
        loop {
            let here = &self.nets[at as usize];
            if let Some(step) = here.by_name.get(name) {
                return Some((up, *step));
            }
            (at, up) = (here.parent?.0, up + 1);
        }
    }
}
