//! The places between steps, and which tokens are paired with which split.

use super::{
    Arc, Join, NetNo, Place, PlaceKind, PlaceNo, StepNo, WEIGHT_MAX, compile::Compiler,
    graph::dominators,
};
use crate::engine::definition::{
    self,
    flow::{self, Rest, Split},
};

/// Each thread knows the joins with `from` that it can come to: more of them are a mistake.
pub const COLLECTING_MAX: usize = 250;

/// Where a step goes, with the place in the definition that says so.
pub fn targets(step: &definition::Step) -> Vec<(String, &str)> {
    let mut targets = Vec::new();
    for (index, transition) in step.transitions.iter().flatten().enumerate() {
        if let Some(name) = &transition.next_step {
            targets.push((format!("transitions[{index}].next_step"), &**name));
        }
    }
    for name in step.next.iter().flat_map(|it| it.as_slice()) {
        targets.push(("next".to_owned(), &**name));
    }
    targets
}

impl Compiler<'_> {
    /// Makes the places of a net and the arcs that lead to them.
    pub fn draw(&mut self, no: NetNo, sources: &[definition::Step]) {
        for step in 0..sources.len() as StepNo {
            let ready = self.place(no, None, vec![step], PlaceKind::Ready);
            self.nets[no as usize].steps[step as usize].ready = ready;
        }
        for (index, source) in sources.iter().enumerate() {
            let mut arcs = Vec::new();
            for (at, transition) in source.transitions.iter().flatten().enumerate() {
                let path = format!("steps[{index}].transitions[{at}]");
                arcs.push(self.arc(no, &path, transition));
            }
            for name in source.next.iter().flat_map(|it| it.as_slice()) {
                let next_step = Some(name.clone());
                let transition = flow::Transition { next_step, ..flow::Transition::default() };
                arcs.push(self.arc(no, &format!("steps[{index}].next"), &transition));
            }
            if source.split == Some(Split::Race) {
                self.race(no, index as StepNo, &mut arcs);
            } else {
                self.connect(no, index as StepNo, &mut arcs);
            }
            self.nets[no as usize].steps[index].arcs = arcs;
        }
    }

    fn arc(&mut self, no: NetNo, path: &str, transition: &flow::Transition) -> Arc {
        let when = self.maybe(no, &format!("{path}.when"), transition.when.as_ref());
        let net = &mut self.nets[no as usize];
        let target = transition.next_step.as_ref().and_then(|it| net.by_name.get(it));
        let target = target.map(|it| (*it, 0));
        let tokens = transition.tokens.unwrap_or(1);
        net.weight_max = net.weight_max.max(tokens.min(WEIGHT_MAX));
        if tokens == 0 {
            self.wrong::<()>(no, &format!("{path}.tokens"), "at least one thread");
        }
        let (on, otherwise) = (transition.on.clone(), transition.otherwise);
        Arc { on, when, otherwise, target, tokens }
    }

    fn place(
        &mut self,
        no: NetNo,
        from: Option<StepNo>,
        targets: Vec<StepNo>,
        kind: PlaceKind,
    ) -> PlaceNo {
        let places = &mut self.nets[no as usize].places;
        places.push(Place { from, targets, kind, leads_to: Vec::new() });
        places.len() as PlaceNo - 1
    }

    fn connect(&mut self, no: NetNo, from: StepNo, arcs: &mut [Arc]) {
        for arc in arcs {
            let Some((target, place)) = &mut arc.target else { continue };
            let step = &self.nets[no as usize].steps[*target as usize];
            if matches!(step.join, Join::One) {
                *place = step.ready;
                continue;
            }
            let places = &self.nets[no as usize].places;
            let known = step.inputs.iter().find(|it| places[**it as usize].from == Some(from));
            *place = match known {
                Some(known) => *known,
                None => {
                    let made = self.place(no, Some(from), vec![*target], PlaceKind::Arc);
                    self.nets[no as usize].steps[*target as usize].inputs.push(made);
                    made
                }
            };
        }
    }

    /// One place for all targets of an outcome.
    fn race(&mut self, no: NetNo, from: StepNo, arcs: &mut [Arc]) {
        let mut groups: Vec<(Option<String>, PlaceNo)> = Vec::new();
        for (index, arc) in arcs.iter_mut().enumerate() {
            let path = format!("steps[{from}].transitions[{index}]");
            if arc.when.is_some() || arc.otherwise || arc.tokens != 1 {
                self.wrong::<()>(no, &path, "a race has neither conditions nor numbers");
            }
            let Some((target, _)) = arc.target else { continue };
            let place = match groups.iter().find(|it| it.0 == arc.on) {
                Some(group) => group.1,
                None => {
                    let made = self.place(no, Some(from), Vec::new(), PlaceKind::Race);
                    groups.push((arc.on.clone(), made));
                    made
                }
            };
            let net = &mut self.nets[no as usize];
            net.places[place as usize].targets.push(target);
            let step = &mut net.steps[target as usize];
            step.races.push(place);
            match step.join {
                Join::One => (),
                Join::All(1) => step.inputs.push(place),
                _ => {
                    let message = "a race leads to steps that join `one` or `all`";
                    self.wrong::<()>(no, &path, message);
                }
            }
            arc.target = Some((target, place));
        }
    }

    /// Finds the split of each join that collects tickets, and where tickets lead.
    pub fn pair(&mut self, no: NetNo, sources: &[definition::Step], next: &[Vec<StepNo>]) {
        let net = &self.nets[no as usize];
        let is_from = |it: &usize| matches!(net.steps[*it].join, Join::From { .. });
        let classes: Vec<usize> = (0..net.steps.len()).filter(is_from).collect();
        if let Some(one) = classes.get(COLLECTING_MAX) {
            let message = format!("at most {COLLECTING_MAX} joins beside each other have `from`");
            return self.wrong(no, &format!("steps[{one}].join"), message).unwrap_or_default();
        }
        let before = if classes.is_empty() { Vec::new() } else { dominators(next, net.initial) };
        for index in classes.iter().copied() {
            let (join, source) = (&self.nets[no as usize].steps[index].join, &sources[index]);
            let Join::From { rest, .. } = join else { continue };
            let rest = *rest;
            let path = format!("steps[{index}].join");
            let from = match &source.join {
                Some(flow::Join::Rule(rule)) => rule.from.as_deref(),
                _ => None,
            };
            let split = match from {
                Some(name) => self.nets[no as usize].by_name.get(name).copied(),
                None => before[index],
            };
            match split {
                Some(split) => {
                    let step = &mut self.nets[no as usize].steps[split as usize];
                    step.hands_out.push(index as StepNo);
                }
                None if from.is_some() => {
                    self.wrong::<()>(no, &format!("{path}.from"), "no step has this name");
                }
                None => {
                    debug_assert_eq!(rest, Rest::Cancel);
                    self.wrong::<()>(no, &path, "say with `from` which split is collected");
                }
            }
        }
        let net = &mut self.nets[no as usize];
        for place in &mut net.places {
            for class in &classes {
                let class = *class as StepNo;
                let is_before = |it: &StepNo| {
                    let is_at = *it == class && place.kind != PlaceKind::Ready;
                    is_at || net.reach.has(*it, class)
                };
                if place.targets.iter().any(is_before) {
                    place.leads_to.push(class);
                }
            }
        }
    }
}
