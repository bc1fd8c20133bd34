//! Whether a thread can still come to a place without a join firing: what `any` has to know, and
//! a join of a number of branches before it is reset.
//!
//! A search for paths settles nearly every case. Where the only paths lead through joins of all
//! branches, the net itself is explored from where it is, without data, as an over-approximation:
//! what is not decided keeps waiting.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    definition::flow::Split,
    net::{Cancelled, Join, Net, NetNo, PlaceKind, PlaceNo, Step, StepNo, WEIGHT_MAX},
    state::{Id, ItemStatus, Problem},
    work::Work,
};

/// Markings that are looked at before it is said that a thread may come.
pub const STATES_MAX: usize = 20_000;
/// Of a large net fewer, so that all of them take no more memory than this many counts.
const COUNTS_MAX: usize = 8 << 20;
/// What all questions of one event may come to, in counts.
const EVENT_COUNTS_MAX: usize = 40 << 20;
/// How many counts it takes as long to look at as to try one more marking.
const TRY_COUNTS: usize = 200;
const ANSWERS_MAX: usize = 10_000;

/// Answers for markings: the caller keeps them for as long as the processes.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    answers: BTreeMap<Question, Answer>,
    /// How much was looked at for all of them.
    pub counts: usize,
    /// What all that was asked of the engine with these came to, in cost.
    pub spent: usize,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    verdict: Verdict,
    /// How much was looked at for it.
    counts: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Comes,
    Never,
    /// It could not be told within the bounds.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    net: NetNo,
    join: StepNo,
    goals: Vec<PlaceNo>,
    marking: Marking,
}

/// How many threads rest in each place, and then how many are busy in each step.
type Marking = Vec<u16>;

impl Work<'_> {
    /// Whether one of the places before a join can get a thread without the join firing.
    pub fn can_come(&mut self, frame: Id, join: StepNo, goals: &[PlaceNo]) -> bool {
        let Some((no, net)) = self.net_of(frame) else { return false };
        let most = net.weight_max as u16 + 1;
        let mut marking = vec![0_u16; net.places.len() + net.steps.len()];
        let everything = (frame, 0, 0)..=(frame, u32::MAX, Id::MAX);
        for ((_, place, _), _) in self.rows.tokens.range(everything.clone()) {
            let count = &mut marking[*place as usize];
            *count = most.min(*count + 1);
        }
        for ((_, step, id), ()) in self.rows.at_step.range(everything) {
            let is_busy = |it: &super::state::Item| {
                it.tokens.is_empty()
                    && it.status != ItemStatus::Offered
                    && it.instance.is_none()
                    && it.group.as_ref().is_none_or(|it| !it.went_on)
            };
            if self.item(*id).is_some_and(is_busy) {
                let count = &mut marking[net.places.len() + *step as usize];
                *count = most.min(*count + 1);
            }
        }
        // What cannot come to the join makes no difference to it.
        for (at, count) in marking.iter_mut().enumerate() {
            if !matters(net, join, at) {
                *count = 0;
            }
        }
        let question = Question { net: no, join, goals: goals.to_vec(), marking };
        match by_paths(net, &question).unwrap_or_else(|| self.explored(question)) {
            Verdict::Comes => true,
            Verdict::Never => false,
            Verdict::Unknown => {
                let path = self.step_path(frame, join);
                let message = format!("`{path}` waits: too much can happen to tell what comes");
                self.note(Problem { kind: "undecided".to_owned(), message });
                true
            }
        }
    }

    /// What is known already counts like what is found out: nobody sees who else has asked.
    fn explored(&mut self, question: Question) -> Verdict {
        if self.looked_at >= EVENT_COUNTS_MAX {
            return Verdict::Unknown;
        }
        if let Some(answer) = self.cache.answers.get(&question) {
            self.looked_at += answer.counts;
            return answer.verdict;
        }
        let answer = explore(self.processes.net(question.net), &question);
        if self.cache.answers.len() >= ANSWERS_MAX {
            self.cache.answers.clear();
        }
        self.cache.counts += answer.counts;
        self.cache.answers.insert(question, answer);
        self.looked_at += answer.counts;
        answer.verdict
    }
}

/// What can be said without counting threads.
fn by_paths(net: &Net, question: &Question) -> Option<Verdict> {
    if has_path(net, question, |step| !needs_several(step)) {
        return Some(Verdict::Comes);
    }
    (!has_path(net, question, |_| true)).then_some(Verdict::Never)
}

fn needs_several(step: &Step) -> bool {
    match &step.join {
        Join::All(k) => step.inputs.len() > 1 || *k > 1,
        Join::Threads(k) => *k > 1,
        _ => false,
    }
}

/// Whether a way leads from a thread to a goal, through steps that it may go through.
fn has_path(net: &Net, question: &Question, may_pass: impl Fn(&Step) -> bool) -> bool {
    let mut seen = vec![false; net.steps.len()];
    let mut todo = Vec::new();
    let enter = |place: PlaceNo, seen: &mut Vec<bool>, todo: &mut Vec<StepNo>| {
        let is_ready = net.place(place).kind == PlaceKind::Ready;
        for target in &net.place(place).targets {
            let is_before_join = *target == question.join && !is_ready;
            let may = is_ready || may_pass(net.step(*target));
            if !is_before_join && may && !std::mem::replace(&mut seen[*target as usize], true) {
                todo.push(*target);
            }
        }
    };
    for (place, count) in question.marking[..net.places.len()].iter().enumerate() {
        if *count > 0 {
            enter(place as PlaceNo, &mut seen, &mut todo);
        }
    }
    for (step, count) in question.marking[net.places.len()..].iter().enumerate() {
        if *count > 0 && !std::mem::replace(&mut seen[step], true) {
            todo.push(step as StepNo);
        }
    }
    while let Some(step) = todo.pop() {
        let step = net.step(step);
        if step.end.is_some() {
            continue;
        }
        for (_, place) in step.arcs.iter().filter_map(|it| it.target) {
            if question.goals.contains(&place) {
                return true;
            }
            enter(place, &mut seen, &mut todo);
        }
    }
    false
}

/// Whether a thread in a place, or busy in a step, can come to the join.
fn matters(net: &Net, join: StepNo, at: usize) -> bool {
    match net.places.get(at) {
        Some(place) => place.targets.iter().any(|it| *it == join || net.reach.has(*it, join)),
        None => net.reach.has((at - net.places.len()) as StepNo, join),
    }
}

/// What can happen in the abstract: what it takes, empties and makes.
struct Move {
    takes: Vec<(usize, u16)>,
    empties: Vec<usize>,
    makes: Vec<(usize, u16)>,
}

/// As much as is counted, of what is needed too: many are enough for everything.
fn weight(tokens: u32) -> u16 {
    tokens.min(WEIGHT_MAX) as u16
}

/// Whether a goal can get a thread where nothing is ever used up: if not, it never can.
fn is_markable(moves: &[Move], question: &Question, is_goal: impl Fn(usize) -> bool) -> bool {
    let mut there: Vec<bool> = question.marking.iter().map(|it| *it > 0).collect();
    loop {
        let mut is_more = false;
        for it in moves {
            let is_possible = it.takes.iter().all(|it| there[it.0]);
            for (at, _) in it.makes.iter().filter(|_| is_possible) {
                if is_goal(*at) {
                    return true;
                }
                is_more |= !std::mem::replace(&mut there[*at], true);
            }
        }
        if !is_more {
            return false;
        }
    }
}

/// Goes through the markings that can be reached.
fn explore(net: &Net, question: &Question) -> Answer {
    let most = net.weight_max as u16 + 1;
    let moves = moves(net, question.join);
    let width = question.marking.len();
    let states_max = STATES_MAX.min(COUNTS_MAX / width.max(1));
    let answer = |verdict, tried: usize| Answer { verdict, counts: tried * (width + TRY_COUNTS) };
    let is_goal = |at: usize| at < net.places.len() && question.goals.contains(&(at as PlaceNo));
    if !is_markable(&moves, question, is_goal) {
        return answer(Verdict::Never, 1);
    }
    let mut tried = 0;
    let mut seen = BTreeSet::from([question.marking.clone()]);
    // One way to its end before the next one: mostly the first comes to the join.
    let mut way = vec![(question.marking.clone(), 0)];
    while let Some((marking, next)) = way.last_mut() {
        let is_possible = |it: &Move| it.takes.iter().all(|(at, count)| *count <= marking[*at]);
        let Some(at) = (*next..moves.len()).find(|it| is_possible(&moves[*it])) else {
            way.pop();
            continue;
        };
        *next = at + 1;
        tried += 1;
        let (it, mut after) = (&moves[at], marking.clone());
        // Many are never used up.
        for (at, count) in &it.takes {
            after[*at] -= if after[*at] == most { 0 } else { *count };
        }
        it.empties.iter().for_each(|at| after[*at] = 0);
        for (at, count) in &it.makes {
            after[*at] = most.min(after[*at].saturating_add(*count));
            if is_goal(*at) {
                return answer(Verdict::Comes, tried);
            }
        }
        if seen.len() >= states_max {
            return answer(Verdict::Unknown, tried);
        }
        if seen.insert(after.clone()) {
            way.push((after, 0));
        }
    }
    answer(Verdict::Never, tried)
}

fn moves(net: &Net, join: StepNo) -> Vec<Move> {
    let mut moves = Vec::new();
    let steps = net.steps.iter().enumerate();
    for (no, step) in steps.filter(|it| net.reach.has(it.0 as StepNo, join)) {
        let busy = net.places.len() + no;
        let start =
            |takes: Vec<(usize, u16)>| Move { takes, empties: Vec::new(), makes: vec![(busy, 1)] };
        moves.push(start(vec![(step.ready as usize, 1)]));
        if no as StepNo != join {
            match &step.join {
                Join::All(k) => {
                    let takes = step.inputs.iter().map(|it| (*it as usize, weight(*k)));
                    moves.push(start(takes.collect()));
                }
                Join::Threads(k) => {
                    let each = step.inputs.iter();
                    moves.extend(each.map(|it| start(vec![(*it as usize, weight(*k))])));
                }
                _ => moves.extend(step.inputs.iter().map(|it| start(vec![(*it as usize, 1)]))),
            }
            if matches!(step.join, Join::One) {
                moves.extend(step.races.iter().map(|it| start(vec![(*it as usize, 1)])));
            }
        }
        let empties = emptied(net, step);
        for mut makes in outputs(step) {
            makes.retain(|it| matters(net, join, it.0));
            moves.push(Move { takes: vec![(busy, 1)], empties: empties.clone(), makes });
        }
    }
    moves
}

/// What a step can make at its end, once for each way it can end.
fn outputs(step: &Step) -> Vec<Vec<(usize, u16)>> {
    if step.end.is_some() {
        return vec![Vec::new()];
    }
    let made =
        |it: &super::net::Arc| it.target.map(|(_, place)| (place as usize, weight(it.tokens)));
    match step.split {
        Split::One | Split::Race => {
            let each = step.arcs.iter().map(|it| made(it).into_iter().collect());
            each.chain([Vec::new()]).collect()
        }
        // More threads can do whatever fewer can.
        Split::All | Split::Any => {
            let mut outcomes: Vec<Option<&str>> =
                step.arcs.iter().map(|it| it.on.as_deref()).collect();
            outcomes.sort_unstable();
            outcomes.dedup();
            let taken = |on: &Option<&str>| {
                let arcs = step.arcs.iter().filter(|it| it.on.is_none() || it.on.as_deref() == *on);
                arcs.filter_map(made).collect()
            };
            outcomes.iter().map(taken).collect()
        }
    }
}

/// The places and busy steps that a step's `cancel` empties.
fn emptied(net: &Net, step: &Step) -> Vec<usize> {
    let beside = step.cancel.iter().filter_map(|it| match it {
        Cancelled::Step { up: 0, path } if path.len() == 1 => path.first().copied(),
        _ => None,
    });
    let named: Vec<StepNo> = beside.collect();
    if step.cancel.contains(&Cancelled::Everything) {
        return (0..net.places.len() + net.steps.len()).collect();
    }
    let is_named = |it: &StepNo| named.contains(it);
    let places = net.places.iter().enumerate();
    let mut emptied: Vec<usize> = places
        .filter(|(_, it)| !it.targets.is_empty() && it.targets.iter().all(is_named))
        .map(|it| it.0)
        .collect();
    emptied.extend(named.iter().map(|it| net.places.len() + *it as usize));
    emptied
}
