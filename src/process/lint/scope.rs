//! Definitions as rules look at them: the steps of a process or block, and where each goes.

use std::collections::HashMap;

use crate::engine::definition::{Definition, Step, flow::Split, work::Expression};

/// Outcomes that only a transition which names them takes.
pub const RESERVED: [&str; 3] = ["failed", "timeout", "cancelled"];

/// The steps of a process, or of a block in it.
pub struct Scope<'a> {
    /// What the paths of its steps begin with.
    pub path: String,
    pub steps: &'a [Step],
    pub arcs: Vec<Vec<Arc<'a>>>,
    pub initial: usize,
    pub initial_name: Option<&'a str>,
    pub by_name: HashMap<&'a str, usize>,
    /// Of a block: the scope it is in, and which step it is there.
    pub parent: Option<(usize, usize)>,
}

/// One way on from a step.
pub struct Arc<'a> {
    /// Behind the step's.
    pub path: String,
    pub on: Option<&'a str>,
    pub when: Option<&'a Expression>,
    pub otherwise: bool,
    /// Nothing: the thread ends. What no step is called is nothing too.
    pub target: Option<usize>,
    pub tokens: u32,
}

impl Arc<'_> {
    pub fn takes(&self, outcome: Option<&str>) -> bool {
        match (self.on, outcome) {
            (Some(on), Some(outcome)) => on == outcome,
            (Some(_), None) => false,
            (None, Some(outcome)) => !RESERVED.contains(&outcome),
            (None, None) => true,
        }
    }

    pub fn is_unconditional(&self) -> bool {
        self.when.is_none() && !self.otherwise
    }
}

impl<'a> Scope<'a> {
    /// All scopes of a definition, each after the one it is in.
    pub fn all(definition: &'a Definition) -> Vec<Scope<'a>> {
        let initial = definition.initial_step.as_deref();
        let mut scopes = vec![Scope::of(&definition.steps, initial, String::new(), None)];
        let mut at = 0;
        while at < scopes.len() {
            let (steps, path) = (scopes[at].steps, scopes[at].path.clone());
            for (no, step) in steps.iter().enumerate() {
                if let Some(inner) = &step.steps {
                    let initial = step.initial_step.as_deref();
                    let path = format!("{path}steps[{no}].");
                    scopes.push(Scope::of(inner, initial, path, Some((at, no))));
                }
            }
            at += 1;
        }
        scopes
    }

    fn of(
        steps: &'a [Step],
        initial_name: Option<&'a str>,
        path: String,
        parent: Option<(usize, usize)>,
    ) -> Scope<'a> {
        let mut by_name = HashMap::new();
        for (no, step) in steps.iter().enumerate() {
            by_name.entry(&*step.step_id).or_insert(no);
        }
        let arcs = steps.iter().map(|it| arcs_of(it, &by_name)).collect();
        let initial = initial_name.and_then(|it| by_name.get(it).copied()).unwrap_or(0);
        Scope { path, steps, arcs, initial, initial_name, by_name, parent }
    }

    /// The path of a step's key.
    pub fn at(&self, no: usize, key: &str) -> String {
        format!("{}steps[{no}].{key}", self.path)
    }

    pub fn id(&self, no: usize) -> &'a str {
        &self.steps[no].step_id
    }

    pub fn split(&self, no: usize) -> Split {
        self.steps[no].split.unwrap_or_default()
    }

    pub fn next(&self, no: usize) -> impl Iterator<Item = usize> + '_ {
        self.arcs[no].iter().filter_map(|it| it.target)
    }

    /// Whether a thread can end at a step, or all of them do.
    pub fn can_end(&self, no: usize) -> bool {
        let arcs = &self.arcs[no];
        let has_end = self.steps[no].end.is_some();
        has_end || arcs.is_empty() || arcs.iter().any(|it| it.target.is_none())
    }

    /// What the transitions of a step distinguish; `None` is any other outcome.
    pub fn outcomes(&self, no: usize) -> Vec<Option<&'a str>> {
        let mut outcomes = Vec::new();
        for arc in &self.arcs[no] {
            if !outcomes.contains(&arc.on) {
                outcomes.push(arc.on);
            }
        }
        outcomes
    }

    /// The steps that can be come to from `start`, but not through `without`.
    pub fn reachable(&self, start: usize, without: Option<usize>) -> Vec<bool> {
        let mut seen = vec![false; self.steps.len()];
        let mut open =
            Vec::from_iter((Some(start) != without && start < seen.len()).then_some(start));
        while let Some(no) = open.pop() {
            if seen[no] {
                continue;
            }
            seen[no] = true;
            open.extend(self.next(no).filter(|it| Some(*it) != without));
        }
        seen
    }

    /// The steps on a shortest way, without `without`.
    pub fn way(&self, from: usize, to: usize, without: Option<usize>) -> Vec<usize> {
        let mut before = vec![None; self.steps.len()];
        let mut open = std::collections::VecDeque::from([from]);
        before[from] = Some(from);
        while let Some(no) = open.pop_front() {
            for next in self.next(no).filter(|it| Some(*it) != without) {
                if before[next].is_none() {
                    before[next] = Some(no);
                    open.push_back(next);
                }
            }
        }
        let mut way = vec![to];
        while let Some(no) = before[way[way.len() - 1]].filter(|_| way[way.len() - 1] != from) {
            way.push(no);
        }
        way.reverse();
        way
    }

    /// Names of steps, as a sentence has them.
    pub fn names(&self, steps: &[usize]) -> String {
        let names: Vec<String> = steps.iter().map(|it| format!("`{}`", self.id(*it))).collect();
        names.join(", ")
    }
}

fn arcs_of<'a>(step: &'a Step, by_name: &HashMap<&'a str, usize>) -> Vec<Arc<'a>> {
    let find = |name: &str| by_name.get(name).copied();
    let mut arcs = Vec::new();
    for (at, it) in step.transitions.iter().flatten().enumerate() {
        arcs.push(Arc {
            path: format!("transitions[{at}]"),
            on: it.on.as_deref(),
            when: it.when.as_ref(),
            otherwise: it.otherwise,
            target: it.next_step.as_deref().and_then(find),
            tokens: it.tokens.unwrap_or(1),
        });
    }
    for (at, name) in step.next.iter().flat_map(|it| it.as_slice()).enumerate() {
        let path = format!("next[{at}]");
        let target = find(name);
        arcs.push(Arc { path, on: None, when: None, otherwise: false, target, tokens: 1 });
    }
    arcs
}
