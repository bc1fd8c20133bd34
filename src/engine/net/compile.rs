//! From definitions to nets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Cancelled, Join, Net, NetNo, Processes, Reach, Step, StepNo, Wrong};
use crate::engine::{
    definition::{self, Definition, flow::Cancel},
    schema::{self, Schema},
};

/// More processes, blocks and steps than this are a mistake, or an attack.
const STEPS_MAX: usize = 5_000;
const DEPTH_MAX: usize = 32;
/// Nor does anybody draw more transitions.
pub const WAYS_MAX: usize = 20_000;
/// Nor does a step end in more ways, each of which is compared with the others.
pub const STEP_WAYS_MAX: usize = 500;
/// What all schemas may have in them: to compile one takes long, even a small one.
pub const SCHEMAS_MAX: usize = 20_000;
pub const SCHEMA_VALUES_LEAST: usize = 10;

pub struct Compiler<'a> {
    pub definitions: &'a [Definition],
    pub nets: Vec<Net>,
    /// Where each net stands in its definition.
    paths: Vec<String>,
    sources: Vec<&'a [definition::Step]>,
    /// The net of each definition.
    pub roots: Vec<NetNo>,
    /// How many values all schemas have.
    schemas: usize,
    ways: usize,
    pub wrong: Vec<Wrong>,
}

impl Processes {
    /// Compiles the first process and those that it calls, by their names and versions.
    pub fn compile(definitions: &[Definition]) -> Result<Processes, Vec<Wrong>> {
        let mut compiler = Compiler {
            definitions,
            nets: Vec::new(),
            paths: Vec::new(),
            sources: Vec::new(),
            roots: Vec::new(),
            schemas: 0,
            ways: 0,
            wrong: Vec::new(),
        };
        let mut names = BTreeSet::new();
        for definition in definitions {
            let no = compiler.enter(definition);
            if !names.insert((&definition.process_name, &definition.process_version)) {
                compiler.wrong::<()>(no, "process_name", "another process has this name");
            }
        }
        if compiler.wrong.is_empty() {
            (0..compiler.nets.len() as NetNo).for_each(|it| compiler.fill(it));
        }
        match compiler.wrong.is_empty() && !compiler.nets.is_empty() {
            true => Ok(Processes { nets: compiler.nets, main: 0 }),
            false => Err(compiler.wrong),
        }
    }
}

impl<'a> Compiler<'a> {
    /// Notes what is wrong at `path` inside of a net.
    pub fn wrong<T>(&mut self, net: NetNo, path: &str, message: impl Into<String>) -> Option<T> {
        let at = &self.paths[net as usize];
        let path = format!("{at}{path}");
        let Net { definition, process_name, .. } = &self.nets[net as usize];
        let (definition, process_name) = (*definition, process_name.clone());
        self.wrong.push(Wrong { definition, process_name, path, message: message.into() });
        None
    }

    fn enter(&mut self, definition: &'a Definition) -> NetNo {
        let no = self.nets.len() as NetNo;
        self.roots.push(no);
        let initial = definition.initial_step.as_deref();
        self.enter_steps(&definition.process_name, &definition.steps, initial, None, "");
        let input = self.schema(no, "input", definition.input.as_ref());
        let output = self.schema(no, "output", definition.output.as_ref());
        let net = &mut self.nets[no as usize];
        (net.data, net.input, net.output) = (definition.data.clone(), input, output);
        if definition.schema.is_some_and(|it| it != 1) {
            self.wrong::<()>(no, "schema", "the only schema is 1");
        }
        no
    }

    pub fn schema(&mut self, net: NetNo, path: &str, source: Option<&Value>) -> Option<Schema> {
        let source = source?;
        self.schemas += SCHEMA_VALUES_LEAST + schema::size(source);
        if self.schemas > SCHEMAS_MAX {
            let message = format!("schemas have at most {SCHEMAS_MAX} values, all together");
            return self.wrong(net, path, message);
        }
        match Schema::compile(source) {
            Ok(schema) => Some(schema),
            Err(invalid) => self.wrong(net, path, format!("no schema: {}", invalid.message)),
        }
    }

    /// Names the steps of a process or block, and those of the blocks in it.
    fn enter_steps(
        &mut self,
        process_name: &str,
        steps: &'a [definition::Step],
        initial: Option<&str>,
        parent: Option<(NetNo, StepNo)>,
        path: &str,
    ) {
        let no = self.nets.len() as NetNo;
        self.nets.push(Net {
            parent,
            definition: self.roots.len() - 1,
            process_name: process_name.to_owned(),
            data: definition::Data::new(),
            input: None,
            output: None,
            steps: Vec::new(),
            by_name: BTreeMap::new(),
            places: Vec::new(),
            initial: 0,
            reach: Reach::default(),
            weight_max: 1,
            joins: Vec::new(),
            lazy: Vec::new(),
        });
        self.paths.push(path.to_owned());
        self.sources.push(steps);
        let total: usize = self.sources.iter().map(|it| it.len()).sum();
        if steps.is_empty() || total > STEPS_MAX || path.matches('.').count() > DEPTH_MAX {
            let message = format!("1 to {STEPS_MAX} steps, {DEPTH_MAX} deep");
            return self.wrong::<()>(no, "steps", message).unwrap_or_default();
        }
        for (index, step) in steps.iter().enumerate() {
            let id = &step.step_id;
            if !is_name(id) {
                self.wrong::<()>(no, &format!("steps[{index}].step_id"), "no name for a step");
            }
            let names = &mut self.nets[no as usize].by_name;
            if names.insert(id.clone(), index as StepNo).is_some() {
                let message = format!("two steps are `{id}`");
                self.wrong::<()>(no, &format!("steps[{index}].step_id"), message);
            }
        }
        match initial.map(|it| (it, self.nets[no as usize].by_name.get(it).copied())) {
            Some((_, Some(step))) => self.nets[no as usize].initial = step,
            Some((name, None)) => {
                self.wrong::<()>(no, "initial_step", format!("no step is `{name}`"));
            }
            None => (),
        }
        for (index, step) in steps.iter().enumerate() {
            if let Some(inner) = &step.steps {
                let parent = Some((no, index as StepNo));
                let path = format!("{path}steps[{index}].");
                let initial = step.initial_step.as_deref();
                self.enter_steps(process_name, inner, initial, parent, &path);
            }
        }
    }

    /// Compiles the steps of a net.
    fn fill(&mut self, no: NetNo) {
        let sources = self.sources[no as usize];
        let next = self.successors(no, sources);
        for (index, source) in sources.iter().enumerate() {
            let step = self.step(no, index as StepNo, source);
            self.nets[no as usize].steps.push(step);
        }
        self.nets[no as usize].reach = Reach::of(&next);
        self.draw(no, sources);
        self.pair(no, sources, &next);
        let net = &mut self.nets[no as usize];
        let is_join = |it: &Step| !matches!(it.join, Join::One) && !it.is_lazy();
        net.lazy = (0..net.steps.len() as StepNo).filter(|it| net.step(*it).is_lazy()).collect();
        net.joins = (0..net.steps.len() as StepNo).filter(|it| is_join(net.step(*it))).collect();
    }

    /// The steps right after each step.
    fn successors(&mut self, no: NetNo, sources: &[definition::Step]) -> Vec<Vec<StepNo>> {
        let mut next = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let mut targets = Vec::new();
            self.ways += ways(source);
            if self.ways > WAYS_MAX || has_many_ways(source) {
                let message =
                    format!("at most {WAYS_MAX} transitions, and {STEP_WAYS_MAX} of one step");
                self.wrong::<()>(no, &format!("steps[{index}].transitions"), message);
                next.resize(sources.len(), Vec::new());
                return next;
            }
            for (path, name) in super::arcs::targets(source) {
                match self.nets[no as usize].by_name.get(name) {
                    Some(step) => targets.push(*step),
                    None => {
                        let path = format!("steps[{index}].{path}");
                        self.wrong::<()>(no, &path, format!("no step is `{name}`"));
                    }
                }
            }
            next.push(targets);
        }
        next
    }

    pub fn cancelled(&mut self, no: NetNo, path: &str, cancel: &Cancel) -> Vec<Cancelled> {
        let names = match cancel {
            Cancel::Everything(_) => return vec![Cancelled::Everything],
            Cancel::Steps(names) => names,
        };
        let mut cancelled = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match self.find_path(no, name) {
                Some((up, path)) => cancelled.push(Cancelled::Step { up, path }),
                None => {
                    let path = format!("{path}[{index}]");
                    self.wrong::<()>(no, &path, format!("no step is `{name}`"));
                }
            }
        }
        cancelled
    }

    /// A step by its name, and on into the blocks of a path such as `blk/p`.
    fn find_path(&self, net: NetNo, path: &str) -> Option<(u32, Vec<StepNo>)> {
        let mut names = path.split('/');
        let (up, first) = self.find(net, names.next()?)?;
        let mut at = net;
        for _ in 0..up {
            at = self.nets[at as usize].parent?.0;
        }
        let mut steps = vec![first];
        for name in names {
            let block = Some((at, *steps.last()?));
            at =
                (0..self.nets.len() as NetNo).find(|it| self.nets[*it as usize].parent == block)?;
            steps.push(*self.nets[at as usize].by_name.get(name)?);
        }
        Some((up, steps))
    }
}

/// How many transitions a step has.
pub fn ways(step: &definition::Step) -> usize {
    let next = step.next.as_ref().map_or(0, |it| it.as_slice().len());
    step.transitions.as_ref().map_or(0, Vec::len) + next
}

/// Whether a step distinguishes more ways to end than anybody would.
pub fn has_many_ways(step: &definition::Step) -> bool {
    step.transitions.as_ref().is_some_and(|it| it.len() > STEP_WAYS_MAX)
}

/// Whether scripts and paths can name it.
fn is_name(name: &str) -> bool {
    let is_fine = |it: char| it.is_alphanumeric() || "_-.".contains(it);
    !name.is_empty() && name.len() <= 128 && name.chars().all(is_fine) && !name.starts_with('-')
}
