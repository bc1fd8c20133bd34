//! From a definition to what its picture shows.

use crate::{
    engine::definition::{Definition, Step, flow::Cancel, flow::Transition},
    process::graph::{
        marking::Marking,
        model::{Arrow, ArrowKind, Kind, Node, Picture, Scope},
        words,
    },
};

/// Processes that are called are shown inside of the step until there are so many nodes.
const NODES_WITH_CALLED_MAX: usize = 2000;

pub fn picture(
    definition: &Definition,
    called: &[Definition],
    marking: Option<&Marking>,
) -> Picture {
    let mut build = Build { called, marking, open: vec![&definition.process_name], keys: 0 };
    let initial = definition.initial_step.as_deref();
    let mut scope = build.scope(&definition.steps, initial, "");
    for cancel in std::mem::take(&mut scope.outside) {
        let to = build.missing(&mut scope.scope, cancel.target);
        scope.scope.draw(cancel.from, to, ArrowKind::Cancel, None);
    }
    let name = definition.title.as_ref().unwrap_or(&definition.process_name);
    let version = definition.process_version.as_ref().map(|it| format!(" {it}"));
    Picture { title: format!("{name}{}", version.unwrap_or_default()), scope: scope.scope }
}

struct Build<'a> {
    called: &'a [Definition],
    marking: Option<&'a Marking>,
    /// The processes around this scope: one that calls itself is not drawn without end.
    open: Vec<&'a str>,
    keys: usize,
}

/// A scope, and what its steps cancel that is not in it.
struct Open<'a> {
    scope: Scope,
    outside: Vec<Outside<'a>>,
}

struct Outside<'a> {
    from: usize,
    target: &'a str,
}

impl<'a> Build<'a> {
    fn scope(&mut self, steps: &'a [Step], initial: Option<&'a str>, path: &str) -> Open<'a> {
        let mut open = Open { scope: Scope::default(), outside: Vec::new() };
        let start = self.dot(Kind::Start);
        open.scope.nodes.push(start);
        let mut cancels = Vec::new();
        for step in steps {
            let (node, deeper) = self.node(step, path);
            let from = open.scope.nodes.len();
            cancels.extend(deeper.into_iter().map(|target| Outside { from, target }));
            if let Some(Cancel::Steps(targets)) = &step.cancel {
                cancels.extend(targets.iter().map(|target| Outside { from, target }));
            }
            open.scope.nodes.push(node);
        }
        if let Some(first) = initial.or(steps.first().map(|it| it.step_id.as_str())) {
            let to = self.named(&mut open.scope, first);
            open.scope.draw(0, to, ArrowKind::Flow, None);
        }
        for (index, step) in steps.iter().enumerate() {
            self.ways(&mut open.scope, step, index + 1);
        }
        for cancel in cancels {
            match open.scope.place_of(cancel.target) {
                Some(to) => {
                    let is_there = open.scope.nodes[to].id == cancel.target;
                    let label = (!is_there).then(|| format!("cancels {}", cancel.target));
                    let label = label.unwrap_or("cancels".to_owned());
                    open.scope.draw(cancel.from, to, ArrowKind::Cancel, Some(label));
                }
                None => open.outside.push(cancel),
            }
        }
        open
    }

    /// A step, and what is cancelled in it that is not in it.
    fn node(&mut self, step: &'a Step, around: &str) -> (Node, Vec<&'a str>) {
        let path = match around {
            "" => step.step_id.clone(),
            _ => format!("{around}/{}", step.step_id),
        };
        let ways = transitions(step).len();
        let mut node = Node {
            key: self.key(),
            kind: words::kind(step),
            id: step.step_id.clone(),
            headline: words::headline(step),
            notes: words::notes(step),
            join: words::join(step.join.as_ref()),
            split: words::split(step, ways),
            takes: step.split.unwrap_or_default(),
            end: step.end,
            is_many: step.each.is_some(),
            marks: self.marking.map(|it| it.of(&path)).unwrap_or_default(),
            path,
            inside: None,
        };
        let inside = match (&step.steps, &step.call) {
            (Some(steps), _) => {
                Some(self.scope(steps, step.initial_step.as_deref(), &node.path))
            }
            (None, Some(call)) => self.called(call.process_name(), &node.path),
            (None, None) => None,
        };
        let Some(inside) = inside else { return (node, Vec::new()) };
        node.inside = Some(inside.scope);
        // A process that is called cancels nothing of its caller's.
        let is_block = step.steps.is_some();
        let outside = inside.outside.into_iter().filter(|_| is_block).map(|it| it.target);
        (node, outside.collect())
    }

    fn called(&mut self, name: &'a str, path: &str) -> Option<Open<'a>> {
        let called = self.called;
        let definition = called.iter().find(|it| it.process_name == name)?;
        let size = self.keys + definition.steps.len();
        if self.open.contains(&name) || size > NODES_WITH_CALLED_MAX {
            return None;
        }
        self.open.push(name);
        let open = self.scope(&definition.steps, definition.initial_step.as_deref(), path);
        self.open.pop();
        Some(open)
    }

    fn ways(&mut self, scope: &mut Scope, step: &'a Step, from: usize) {
        let all = transitions(step);
        let mut finish = None;
        for (index, transition) in all.iter().enumerate() {
            let to = match &transition.next_step {
                Some(target) => self.named(scope, target),
                None => *finish.get_or_insert_with(|| {
                    scope.nodes.push(self.dot(Kind::Finish));
                    scope.nodes.len() - 1
                }),
            };
            let label = words::way(&all, index, step.split);
            scope.draw(from, to, ArrowKind::Flow, label);
        }
    }

    fn named(&mut self, scope: &mut Scope, id: &str) -> usize {
        match scope.nodes.iter().position(|it| it.id == id && !it.kind.is_dot()) {
            Some(place) => place,
            None => self.missing(scope, id),
        }
    }

    fn missing(&mut self, scope: &mut Scope, id: &str) -> usize {
        let headline = format!("{id} is not there");
        let node = Node { kind: Kind::Missing, id: id.to_owned(), headline, ..Node::default() };
        scope.nodes.push(Node { key: self.key(), ..node });
        scope.nodes.len() - 1
    }

    fn dot(&mut self, kind: Kind) -> Node {
        Node { key: self.key(), kind, ..Node::default() }
    }

    fn key(&mut self) -> usize {
        self.keys += 1;
        self.keys - 1
    }
}

impl Scope {
    /// Two ways between the same steps are one arrow with two lines of text.
    fn draw(&mut self, from: usize, to: usize, kind: ArrowKind, label: Option<String>) {
        let same = |it: &&mut Arrow| it.from == from && it.to == to && it.kind == kind;
        match self.arrows.iter_mut().find(same) {
            Some(known) => known.label.extend(label.filter(|it| !known.label.contains(it))),
            None => self.arrows.push(Arrow { from, to, kind, label: label.into_iter().collect() }),
        }
    }

    /// The node that is the step, or has it inside.
    fn place_of(&self, id: &str) -> Option<usize> {
        let is_here = |it: &Node| it.id == id && !it.kind.is_dot();
        let has = |it: &Node| it.kind == Kind::Block && it.inside.as_ref().is_some_and(|it| it.place_of(id).is_some());
        let nodes = &self.nodes;
        nodes.iter().position(is_here).or_else(|| nodes.iter().position(has))
    }
}

/// What was written as `transitions` and as `next`.
fn transitions(step: &Step) -> Vec<Transition> {
    let mut all = step.transitions.clone().unwrap_or_default();
    let next = step.next.iter().flat_map(|it| it.as_slice());
    all.extend(next.map(|it| Transition { next_step: Some(it.clone()), ..Transition::default() }));
    all
}
