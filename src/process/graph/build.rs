//! From a definition to what its picture shows.

use std::collections::HashMap;

use crate::{
    engine::{
        definition::{Definition, Step, flow::Cancel, work::Call},
        net::versions,
    },
    process::graph::{
        marking::Marking,
        model::{Arrow, ArrowKind, Kind, Node, Picture, Scope},
        words::{self, Way},
    },
};

/// Processes that are called are shown inside of the step until there are so many nodes.
const NODES_WITH_CALLED_MAX: usize = 2000;

pub fn picture<'a>(
    definition: &'a Definition,
    called: &'a [Definition],
    marking: Option<&'a Marking>,
) -> Picture {
    let mut build = Build { called, marking, open: vec![definition], keys: 0 };
    let initial = definition.initial_step.as_deref();
    let mut open = build.scope(&definition.steps, initial, "");
    for cancel in std::mem::take(&mut open.outside) {
        build.named(&mut open, cancel.id);
        open.cancel(cancel);
    }
    let name = definition.title.as_ref().unwrap_or(&definition.process_name);
    let version = definition.process_version.as_ref().map(|it| format!(" {it}"));
    Picture { title: format!("{name}{}", version.unwrap_or_default()), scope: open.scope }
}

struct Build<'a> {
    called: &'a [Definition],
    marking: Option<&'a Marking>,
    /// The processes around this scope: one that calls itself is not drawn without end.
    open: Vec<&'a Definition>,
    keys: usize,
}

/// A scope that is being drawn.
#[derive(Default)]
struct Open<'a> {
    scope: Scope,
    /// Where each step is: in the list, or inside of which block of the list.
    places: HashMap<&'a str, usize>,
    arrows: HashMap<(usize, usize, ArrowKind), usize>,
    /// What is cancelled and is not in here.
    outside: Vec<Cancelled<'a>>,
}

#[derive(Clone, Copy)]
struct Cancelled<'a> {
    by: usize,
    id: &'a str,
}

impl<'a> Build<'a> {
    fn scope(&mut self, steps: &'a [Step], initial: Option<&'a str>, path: &str) -> Open<'a> {
        let mut open = Open::default();
        open.scope.nodes.push(self.dot(Kind::Start));
        let (mut cancels, mut deeper) = (Vec::new(), Vec::new());
        for step in steps {
            let (node, inside) = self.node(step, path);
            let by = open.scope.nodes.len();
            open.places.entry(&step.step_id).or_insert(by);
            open.scope.nodes.push(node);
            cancels.extend(inside.outside.into_iter().map(|it| Cancelled { by, ..it }));
            deeper.extend(inside.places.into_keys().map(|id| (id, by)));
            if let Some(Cancel::Steps(ids)) = &step.cancel {
                // A step inside of a block is drawn where the block is.
                let ids = ids.iter().filter_map(|it| it.split('/').next());
                cancels.extend(ids.map(|id| Cancelled { by, id }));
            }
        }
        if let Some(first) = initial.or(steps.first().map(|it| it.step_id.as_str())) {
            let to = self.named(&mut open, first);
            open.draw(0, to, ArrowKind::Flow, None);
        }
        for (index, step) in steps.iter().enumerate() {
            self.ways(&mut open, step, index + 1);
        }
        for (id, by) in deeper {
            open.places.entry(id).or_insert(by);
        }
        for cancel in cancels {
            open.cancel(cancel);
        }
        open
    }

    /// A step, and what a block knows of its own steps.
    fn node(&mut self, step: &'a Step, around: &str) -> (Node, Open<'a>) {
        let path = match around {
            "" => step.step_id.clone(),
            _ => format!("{around}/{}", step.step_id),
        };
        let ways = Way::all(step).len();
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
            (Some(steps), _) => Some(self.scope(steps, step.initial_step.as_deref(), &node.path)),
            (None, Some(call)) => self.called(call, &node.path),
            (None, None) => None,
        };
        let Some(mut inside) = inside else { return (node, Open::default()) };
        node.inside = Some(std::mem::take(&mut inside.scope));
        // A process that is called and its caller cancel nothing of each other's.
        (node, if step.steps.is_some() { inside } else { Open::default() })
    }

    fn called(&mut self, call: &Call, path: &str) -> Option<Open<'a>> {
        let known: Vec<&Definition> = self.called.iter().collect();
        let caller = self.open.last().copied()?;
        if call.process_version().is_none() && call.process_name() == caller.process_name {
            return None;
        }
        let definition = &self.called[versions::called(call, caller, &known)?];
        let size = self.keys + definition.steps.len();
        let is_same = |it: &&Definition| {
            let version = &definition.process_version;
            it.process_name == definition.process_name && it.process_version == *version
        };
        if self.open.iter().any(is_same) || size > NODES_WITH_CALLED_MAX {
            return None;
        }
        self.open.push(definition);
        let open = self.scope(&definition.steps, definition.initial_step.as_deref(), path);
        self.open.pop();
        Some(open)
    }

    fn ways(&mut self, open: &mut Open<'a>, step: &'a Step, from: usize) {
        let all = Way::all(step);
        let mut finish = None;
        for (index, transition) in all.iter().enumerate() {
            let to = match transition.next_step {
                Some(target) => self.named(open, target),
                None => *finish.get_or_insert_with(|| open.put(self.dot(Kind::Finish))),
            };
            let label = words::way(&all, index, step.split);
            open.draw(from, to, ArrowKind::Flow, label);
        }
    }

    fn named(&mut self, open: &mut Open<'a>, id: &'a str) -> usize {
        match open.places.get(id) {
            Some(place) => *place,
            None => self.missing(open, id),
        }
    }

    fn missing(&mut self, open: &mut Open<'a>, id: &'a str) -> usize {
        let headline = format!("{id} is not there");
        let node = Node { kind: Kind::Missing, id: id.to_owned(), headline, ..Node::default() };
        let place = open.put(Node { key: self.key(), ..node });
        open.places.insert(id, place);
        place
    }

    fn dot(&mut self, kind: Kind) -> Node {
        Node { key: self.key(), kind, ..Node::default() }
    }

    fn key(&mut self) -> usize {
        self.keys += 1;
        self.keys - 1
    }
}

impl Open<'_> {
    fn put(&mut self, node: Node) -> usize {
        self.scope.nodes.push(node);
        self.scope.nodes.len() - 1
    }

    /// Two ways between the same steps are one arrow with two lines of text.
    fn draw(&mut self, from: usize, to: usize, kind: ArrowKind, label: Option<String>) {
        let arrows = &mut self.scope.arrows;
        let place = *self.arrows.entry((from, to, kind)).or_insert(arrows.len());
        if place == arrows.len() {
            arrows.push(Arrow { from, to, kind, label: Vec::new() });
        }
        let known = &mut arrows[place].label;
        known.extend(label.filter(|it| !known.contains(it)));
    }
}

impl<'a> Open<'a> {
    fn cancel(&mut self, cancel: Cancelled<'a>) {
        let Some(to) = self.places.get(cancel.id).copied() else {
            return self.outside.push(cancel);
        };
        let label = match self.scope.nodes[to].id == cancel.id {
            true => "cancels".to_owned(),
            false => format!("cancels {}", cancel.id),
        };
        self.draw(cancel.by, to, ArrowKind::Cancel, Some(label));
    }
}
