//! Whether a run can get stuck, and which steps never start: by running the definition.
//!
//! The engine itself plays it, without data: each way that a step can end is an outcome of its
//! own, and all of them are tried, up to a bound. So what is found may be ruled out by data that
//! goes together, and is said as a warning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Report, Scope};
use crate::{
    engine::{
        decide::{apply, decide},
        definition::{
            Data, Definition, Step,
            flow::{Join, JoinWord, Quorum, Split, Transition},
            work::{Count, Each, EachJoin},
        },
        event::{Event, What},
        net::{NetNo, Processes, StepNo},
        or_join::Cache,
        state::{Id, ItemStatus, State, Status},
    },
    process::diagnostic::{Rule, brief},
};

pub const RULES: &[Rule] = &[STUCK, DEAD_STEP];

const STUCK: Rule = Rule::warning("stuck", "Whatever is decided, a run comes to its end.");
const DEAD_STEP: Rule = Rule::warning("dead-step", "Each step can start in some run.");

/// As many completions are tried.
const TRIES_MAX: usize = 200;
/// How much joins may look at meanwhile, in counts of threads.
const COUNTS_MAX: usize = 4 << 20;
/// Of more steps than this the states are too large to try many.
const STEPS_MAX: usize = 100;
/// Nor are more threads of one transition.
const THREADS_MAX: u32 = 20;
const TRACE_SHOWN_MAX: usize = 12;
/// What is behind the name of a step that decides how another one ended.
const DECIDES: &str = "..ended";

pub fn check(scopes: &[Scope], report: &mut Report) {
    let steps: usize = scopes.iter().map(|it| it.steps.len()).sum();
    if !is_worth_it(scopes) || steps > STEPS_MAX || super::has_errors(&report.diagnostics) {
        return;
    }
    let Some(abstracted) = abstracted(report.definition()) else { return };
    let Ok(processes) = Processes::compile(&[abstracted]) else { return };
    let Some(found) = explore(&processes) else { return };
    let nets = nets(&processes, scopes);
    if let Some(trace) = &found.stuck {
        let shown = trace.len().min(TRACE_SHOWN_MAX);
        let names: Vec<String> =
            trace[trace.len() - shown..].iter().map(|it| format!("`{it}`")).collect();
        let more = if shown < trace.len() { "…, " } else { "" };
        let message = "a run can get stuck, with threads that wait for others that never come: \
            let these ways not meet in a join, or use `join: any`";
        let at = waiting(scopes, &nets, &found.waiting).unwrap_or_else(|| "steps".to_owned());
        let help = format!("it is stuck after {more}{}", names.join(", "));
        report.say(&STUCK, &at, message).help(help);
    }
    // What was not looked at to its end may come later.
    if found.is_complete {
        for (scope, net) in scopes.iter().zip(&nets) {
            dead(scope, *net, &found.started, report);
        }
    }
}

/// Whether threads can wait for each other at all: in joins, or with a lock for another lock.
fn is_worth_it(scopes: &[Scope]) -> bool {
    let synchronizes = |it: &Step| !matches!(it.join, None | Some(Join::Word(JoinWord::One)));
    let is_locked = |scope: &Scope| {
        let (above, no) = scope.parent?;
        scopes[above].steps[no].mutex.as_ref()
    };
    scopes.iter().any(|scope| {
        let has_lock = |it: &Step| it.mutex.is_some() && is_locked(scope).is_some();
        scope.steps.iter().any(|it| synchronizes(it) || has_lock(it))
    })
}

/// The net that each scope became.
fn nets(processes: &Processes, scopes: &[Scope]) -> Vec<NetNo> {
    let mut nets = Vec::new();
    for scope in scopes {
        let parent = scope.parent.map(|(above, no)| (nets[above], no as StepNo));
        let net = processes.nets.iter().position(|it| it.parent == parent).unwrap_or_default();
        nets.push(net as NetNo);
    }
    nets
}

/// The join of the first step that a thread waits before.
fn waiting(scopes: &[Scope], nets: &[NetNo], steps: &[(NetNo, StepNo)]) -> Option<String> {
    let (net, no) = steps.first()?;
    let scope = nets.iter().position(|it| it == net)?;
    Some(scopes[scope].at(*no as usize, "join"))
}

fn dead(scope: &Scope, net: NetNo, started: &BTreeSet<(NetNo, StepNo)>, report: &mut Report) {
    let reached = scope.reachable(scope.initial, None);
    for (no, step) in scope.steps.iter().enumerate() {
        // What comes after such a step is no other mistake.
        let has_started = |it: usize| started.contains(&(net, it as StepNo));
        let is_first = |it: usize| has_started(it) && scope.next(it).any(|next| next == no);
        let is_next = (0..scope.steps.len()).any(is_first);
        if reached[no] && step.only_while.is_none() && is_next && !has_started(no) {
            let message = format!(
                "`{}` never starts in any run: let what it waits for come together, or take it \
                    away",
                brief(&step.step_id)
            );
            report.say(&DEAD_STEP, &scope.at(no, "step_id"), message);
        }
    }
}

#[derive(Default)]
struct Found {
    stuck: Option<Vec<String>>,
    /// The steps before which threads wait then.
    waiting: Vec<(NetNo, StepNo)>,
    started: BTreeSet<(NetNo, StepNo)>,
    is_complete: bool,
}

/// Tries all ways, the shortest first.
fn explore(processes: &Processes) -> Option<Found> {
    let mut cache = Cache::default();
    let mut first = State::default();
    happen(processes, &mut first, What::Begin { data: Data::new() }, &mut cache)?;
    let mut found = Found { is_complete: true, ..Found::default() };
    let mut seen = BTreeSet::from([key(processes, &first)]);
    let mut todo = VecDeque::from([(first, Vec::new())]);
    let mut tries = 0;
    while let Some((state, trace)) = todo.pop_front() {
        if found.stuck.is_none() && state.status(processes) == Status::Stuck {
            found.stuck = Some(trace.clone());
            found.waiting = before(processes, &state);
        }
        let offers = state.offers(processes);
        let inside = state.items.iter().filter(|it| it.1.status == ItemStatus::Inside);
        let there = inside.map(|it| *it.0).chain(offers.iter().map(|it| it.item));
        found.started.extend(there.filter_map(|it| step_of(&state, it)));
        for offer in offers {
            let outcomes = outcomes(processes, &state, offer.item);
            for outcome in outcomes {
                tries += 1;
                if tries > TRIES_MAX || cache.counts > COUNTS_MAX {
                    found.is_complete = false;
                    return Some(found);
                }
                let mut after = state.clone();
                let item = offer.item;
                if offer.status != ItemStatus::Started {
                    happen(processes, &mut after, What::Start { item }, &mut cache)?;
                }
                let done = told(&offer.path, outcome.as_deref());
                let what = What::Complete { item, outcome, data: Data::new() };
                happen(processes, &mut after, what, &mut cache)?;
                if seen.insert(key(processes, &after)) {
                    let mut trace = trace.clone();
                    trace.push(done);
                    todo.push_back((after, trace));
                }
            }
        }
    }
    Some(found)
}

/// A completion as a person says it.
fn told(path: &str, outcome: Option<&str>) -> String {
    let path = path.strip_suffix(DECIDES).unwrap_or(path);
    let way = outcome.and_then(|it| it.split_once(' ')).map(|it| it.1).unwrap_or_default();
    format!("{path}{way}")
}

fn step_of(state: &State, item: Id) -> Option<(NetNo, StepNo)> {
    let item = state.items.get(&item)?;
    Some((state.frames.get(&item.frame)?.net, item.step))
}

fn happen(processes: &Processes, state: &mut State, what: What, cache: &mut Cache) -> Option<()> {
    let changes = decide(processes, state, &Event { at_ms: 0, what }, cache).ok()?;
    apply(state, &changes);
    Some(())
}

/// A row of a state, told by what it is and not by its number: the net and which of its frames,
/// what kind of row, the place or step, and what else there is to it.
type Told = (NetNo, usize, u8, u32, Vec<u64>);

/// What tells states apart: numbers that only count up do not.
fn key(processes: &Processes, state: &State) -> Vec<Told> {
    let mut counts: BTreeMap<NetNo, usize> = BTreeMap::new();
    let mut frames = BTreeMap::new();
    for (id, frame) in state.frames.iter() {
        let nth = counts.entry(frame.net).or_default();
        frames.insert(*id, (frame.net, *nth));
        *nth += 1;
    }
    let tickets: BTreeMap<Id, u64> = state.tickets.iter().map(|it| *it.0).zip(0..).collect();
    let carried = |it: &[Id]| it.iter().filter_map(|it| tickets.get(it).copied()).collect();
    let told = |frame: &Id, kind: u8, at: u32, more: Vec<u64>| {
        let (net, nth) = frames.get(frame).copied().unwrap_or_default();
        (net, nth, kind, at, more)
    };
    let mut key = Vec::new();
    let tokens = state.tokens.iter();
    key.extend(tokens.map(|((frame, place, _), it)| told(frame, 0, *place, carried(&it.tickets))));
    let items = state.items.iter().map(|it| it.1);
    key.extend(items.map(|it| told(&it.frame, 1 + it.status as u8, it.step, carried(&it.tickets))));
    key.extend(state.rounds.iter().map(|((frame, step), it)| {
        let arrived = it.arrived.iter().map(|it| u64::from(*it)).collect();
        told(frame, 100, *step, arrived)
    }));
    key.extend(tickets.values().zip(state.tickets.iter()).map(|(no, (_, it))| {
        told(&it.frame, 101, it.join, vec![*no, u64::from(it.fired.is_some())])
    }));
    // A condition may ask how often a step was done.
    if processes.nets.iter().flat_map(|it| &it.steps).any(|it| it.only_while.is_some()) {
        let done = state.done.iter();
        key.extend(done.map(|((frame, step), it)| told(frame, 102, *step, vec![*it])));
    }
    key.sort_unstable();
    key
}

fn outcomes(processes: &Processes, state: &State, item: Id) -> Vec<Option<String>> {
    let Some(item) = state.items.get(&item) else { return Vec::new() };
    let net = state.frames.get(&item.frame).map(|it| it.net);
    let Some(net) = net else { return Vec::new() };
    let mut outcomes: Vec<Option<String>> = Vec::new();
    for arc in &processes.step(net, item.step).arcs {
        if !outcomes.contains(&arc.on) {
            outcomes.push(arc.on.clone());
        }
    }
    match outcomes.is_empty() {
        true => vec![None],
        false => outcomes,
    }
}

/// The steps before which threads rest.
fn before(processes: &Processes, state: &State) -> Vec<(NetNo, StepNo)> {
    let mut steps = Vec::new();
    for ((frame, place, _), _) in state.tokens.iter() {
        if let Some(frame) = state.frames.get(frame) {
            let targets = &processes.net(frame.net).place(*place).targets;
            steps.extend(targets.iter().map(|it| (frame.net, *it)));
        }
    }
    steps
}

/// The definition without data; `None` if too much of it depends on that.
fn abstracted(definition: &Definition) -> Option<Definition> {
    let (process_name, initial_step) =
        (definition.process_name.clone(), definition.initial_step.clone());
    let steps = steps(&Scope::all(definition), 0)?;
    Some(Definition { process_name, initial_step, steps, ..Definition::default() })
}

/// The steps of a scope, and behind them those that decide how others of them ended.
fn steps(scopes: &[Scope], at: usize) -> Option<Vec<Step>> {
    let scope = &scopes[at];
    let mut steps = Vec::new();
    for no in 0..scope.steps.len() {
        steps.push(step(scopes, at, no)?);
    }
    for no in 0..scope.steps.len() {
        // How a block or many instances end is not said from outside: a step behind them says it.
        if is_of_many(&steps[no]) && ways(&steps[no]) > 1 {
            let transitions = steps[no].transitions.take();
            let split = steps[no].split.take();
            let decides = format!("{}{DECIDES}", scope.id(no));
            let on = Transition { next_step: Some(decides.clone()), ..Transition::default() };
            steps[no].transitions = Some(vec![on]);
            steps.push(Step { step_id: decides, split, transitions, ..Step::default() });
        }
    }
    Some(steps)
}

fn is_of_many(step: &Step) -> bool {
    step.steps.is_some() || step.each.is_some()
}

/// In how many ways a step can end.
fn ways(step: &Step) -> usize {
    let outcomes = step.transitions.iter().flatten().map(|it| it.on.as_deref());
    outcomes.collect::<BTreeSet<_>>().len()
}

fn step(scopes: &[Scope], at: usize, no: usize) -> Option<Step> {
    let scope = &scopes[at];
    let it = &scope.steps[no];
    if matches!(&it.join, Some(Join::Rule(rule)) if matches!(rule.n, Some(Quorum::Expression(_)))) {
        return None;
    }
    let inner = scopes.iter().position(|inner| inner.parent == Some((at, no)));
    let choices = choices(scope, no);
    let is_race = scope.split(no) == Split::Race;
    let only_while = it.only_while.clone().filter(|it| it.0.contains("('") || it.0.contains("(\""));
    let mut transitions = Vec::new();
    for (choice, arcs) in choices.iter().enumerate() {
        let on = (choices.len() > 1).then(|| format!("{choice} {}", way(scope, no, arcs)));
        for arc in arcs {
            // So many threads are too much to try their orders.
            if scope.arcs[no][*arc].tokens > THREADS_MAX {
                return None;
            }
            let next_step = scope.arcs[no][*arc].target.map(|it| scope.id(it).to_owned());
            let tokens = Some(scope.arcs[no][*arc].tokens);
            let on = on.clone();
            transitions.push(Transition { on, next_step, tokens, ..Transition::default() });
        }
    }
    Some(Step {
        step_id: it.step_id.clone(),
        join: it.join.clone(),
        split: Some(if is_race { Split::Race } else { Split::All }),
        transitions: (!transitions.is_empty()).then_some(transitions),
        cancel: it.cancel.clone(),
        end: it.end,
        each: it.each.as_ref().map(one),
        only_while,
        mutex: it.mutex.clone(),
        steps: match inner {
            Some(inner) => Some(steps(scopes, inner)?),
            None => None,
        },
        initial_step: it.initial_step.clone(),
        ..Step::default()
    })
}

/// Which way a step ends, as it stands behind its name.
fn way(scope: &Scope, no: usize, arcs: &[usize]) -> String {
    let arcs: Vec<_> = arcs.iter().map(|it| &scope.arcs[no][*it]).collect();
    let outcome = arcs.iter().find_map(|it| it.on).map(|it| format!(":{it}")).unwrap_or_default();
    let conditions = arcs.iter().filter_map(|it| it.when);
    let conditions: String = conditions.map(|it| format!(" [{}]", brief(&it.0))).collect();
    format!("{outcome}{conditions}")
}

/// One instance instead of however many.
fn one(each: &Each) -> Each {
    let join = match &each.join {
        Some(EachJoin::Word(word)) => Some(EachJoin::Word(*word)),
        _ => None,
    };
    Each { count: Some(Count::Number(1)), join, ..Each::default() }
}

/// The ways that a step can end, each with the transitions that are taken.
fn choices(scope: &Scope, no: usize) -> Vec<Vec<usize>> {
    let arcs = &scope.arcs[no];
    let mut choices: Vec<Vec<usize>> = Vec::new();
    for outcome in scope.outcomes(no) {
        let taken: Vec<usize> = (0..arcs.len()).filter(|it| arcs[*it].takes(outcome)).collect();
        let sure = taken.iter().copied().filter(|it| arcs[*it].is_unconditional());
        match scope.split(no) {
            Split::All | Split::Race => choices.push(taken),
            Split::One => {
                let last = taken.iter().position(|it| arcs[*it].is_unconditional());
                let end = last.map_or(taken.len(), |it| it + 1);
                choices.extend(taken[..end].iter().map(|it| vec![*it]));
            }
            Split::Any => {
                let sure: Vec<usize> = sure.collect();
                let maybe = taken.iter().filter(|it| arcs[**it].when.is_some());
                for one in maybe {
                    choices.push(sure.iter().copied().chain([*one]).collect());
                }
                if !sure.is_empty() {
                    choices.push(sure);
                }
                let is_else = |it: &&usize| arcs[**it].otherwise;
                choices.extend(taken.iter().filter(is_else).map(|it| vec![*it]));
                choices.push(taken.into_iter().filter(|it| !arcs[*it].otherwise).collect());
            }
        }
    }
    choices.retain(|it| !it.is_empty());
    choices.sort();
    choices.dedup();
    choices
}
