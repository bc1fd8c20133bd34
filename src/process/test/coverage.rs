//! What of a definition its scripts came to: steps, and transitions between them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{play::Moment, script::step_at};
use crate::engine::{
    definition::{Definition, Step, flow::Split},
    event::Kind,
    net::{NetNo, Processes, StepNo},
    state::Id,
};

/// A step: the number of its definition, and its path there.
type Place = (usize, String);

/// What ran in some script.
#[derive(Debug, Default)]
pub struct Seen {
    steps: BTreeSet<Place>,
    transitions: BTreeSet<(Place, u32)>,
}

/// What of a definition ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Coverage {
    pub steps: usize,
    pub steps_run: usize,
    pub transitions: usize,
    pub transitions_run: usize,
    /// What never ran, by its path: `blk/p`, `a -ok-> b`.
    pub never: Vec<Never>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Never {
    pub what: String,
    /// Where it is in the definition.
    #[serde(skip)]
    pub path: String,
    pub line: usize,
}

impl Seen {
    /// Notes what happened in a run.
    pub fn note(&mut self, processes: &Processes, moments: &[Moment]) {
        let mut races: BTreeMap<Id, (NetNo, StepNo, Vec<u32>)> = BTreeMap::new();
        for firing in moments.iter().flat_map(|it| &it.firings) {
            let is_run = matches!(firing.kind, Kind::Start | Kind::Complete | Kind::Cancel);
            let Some((net, no)) = step_at(processes, &firing.path) else { continue };
            if firing.kind != Kind::Absorb {
                for parent in &firing.parents {
                    self.note_race(processes, races.get(parent), no);
                }
            }
            if !is_run && firing.kind != Kind::Join {
                continue;
            }
            let step = processes.step(net, no);
            let place = place(processes, net, no);
            match step.split {
                Split::Race => drop(races.insert(firing.id, (net, no, firing.took.clone()))),
                _ => {
                    let taken = firing.took.iter().map(|it| (place.clone(), *it));
                    self.transitions.extend(taken);
                }
            }
            if is_run {
                self.steps.insert(place);
            }
        }
    }

    /// Whoever starts has taken the transition of a race that leads there.
    fn note_race(
        &mut self,
        processes: &Processes,
        race: Option<&(NetNo, StepNo, Vec<u32>)>,
        target: StepNo,
    ) {
        let Some((net, from, took)) = race else { return };
        let arcs = &processes.step(*net, *from).arcs;
        let place = place(processes, *net, *from);
        let leads = |it: &&u32| arcs[**it as usize].target.is_some_and(|it| it.0 == target);
        let taken = took.iter().filter(leads).map(|it| (place.clone(), *it));
        self.transitions.extend(taken.collect::<Vec<_>>());
    }

    /// What of the definition that is tested was seen.
    pub fn coverage(&self, definition: &Definition) -> Coverage {
        let mut coverage = Coverage::default();
        self.look(&definition.steps, "", "", &mut coverage);
        coverage
    }

    fn look(&self, steps: &[Step], around: &str, at: &str, coverage: &mut Coverage) {
        for (index, step) in steps.iter().enumerate() {
            let path = format!("{around}{}", step.step_id);
            let at = format!("{at}steps[{index}]");
            let place = (0, path.clone());
            let mut never = |what: String, path: String| {
                coverage.never.push(Never { what, path, line: 0 });
            };
            let has_run = self.steps.contains(&place);
            if !has_run {
                never(path.clone(), format!("{at}.step_id"));
            }
            let transitions = transitions(step);
            let mut run = 0;
            for (number, (what, turn)) in transitions.iter().enumerate() {
                let place = (0, path.clone());
                match self.transitions.contains(&(place, number as u32)) {
                    true => run += 1,
                    false => never(format!("{path} {what}"), format!("{at}.{turn}")),
                }
            }
            coverage.steps += 1;
            coverage.steps_run += usize::from(has_run);
            coverage.transitions += transitions.len();
            coverage.transitions_run += run;
            let inside = step.steps.as_deref().unwrap_or_default();
            self.look(inside, &format!("{path}/"), &format!("{at}."), coverage);
        }
    }
}

/// The transitions of a step as the engine numbers them: what they are called, and where they are.
fn transitions(step: &Step) -> Vec<(String, String)> {
    let mut transitions = Vec::new();
    for (index, it) in step.transitions.iter().flatten().enumerate() {
        let on = it.on.as_ref().map(|on| format!("-{on}")).unwrap_or_default();
        let when = it.when.as_ref().map(|when| format!(" if {}", when.0)).unwrap_or_default();
        let target = it.next_step.as_deref().unwrap_or("the end of the thread");
        transitions.push((format!("{on}-> {target}{when}"), format!("transitions[{index}]")));
    }
    for (index, name) in step.next.iter().flat_map(|it| it.as_slice()).enumerate() {
        transitions.push((format!("-> {name}"), format!("next[{index}]")));
    }
    transitions
}

/// The definition and the path of a step, out of the blocks it is in.
fn place(processes: &Processes, net: NetNo, step: StepNo) -> Place {
    let (mut net, mut path) = (net, processes.step(net, step).id.clone());
    while let Some((parent, block)) = processes.net(net).parent {
        path = format!("{}/{path}", processes.step(parent, block).id);
        net = parent;
    }
    (processes.net(net).definition, path)
}
