//! Which threads can be under way at once.
//!
//! The steps of a scope as a Petri net without data: every branch of a choice is possible, joins
//! other than `all` start by any one thread, nothing is withdrawn. What cannot be at once here
//! cannot be at once at all.

use super::scope::{Arc, Scope};
use crate::engine::definition::{
    flow::{Join, JoinWord, Split},
    work::{EachJoin, EachWord},
};

/// More places than this are not looked at.
const PLACES_MAX: usize = 600;

pub struct Flow {
    pub places: Vec<Place>,
    /// For each place, those that can have a thread while it has one.
    at_once: Vec<Vec<u64>>,
    is_marked: Vec<bool>,
}

pub struct Place {
    pub from: Option<usize>,
    pub to: Vec<usize>,
}

/// What a step takes and makes; whether more than one thread is made.
struct Move {
    takes: Vec<usize>,
    makes: Vec<(usize, bool)>,
}

impl Flow {
    /// `None` if there is too much to look at.
    pub fn of(scope: &Scope) -> Option<Flow> {
        let (places, outputs) = places(scope);
        if places.len() > PLACES_MAX {
            return None;
        }
        let words = places.len().div_ceil(64);
        let at_once = vec![vec![0; words]; places.len()];
        let is_marked = vec![false; places.len()];
        let mut flow = Flow { places, at_once, is_marked };
        flow.is_marked[0] = true;
        let moves = flow.moves(scope, &outputs);
        loop {
            // All of them, whatever the first ones change.
            let changing = moves.iter().filter(|it| flow.fire(it)).count();
            if changing == 0 {
                break;
            }
        }
        Some(flow)
    }

    pub fn is_marked(&self, place: usize) -> bool {
        self.is_marked[place]
    }

    pub fn are_at_once(&self, one: usize, other: usize) -> bool {
        self.at_once[one][other / 64] >> (other % 64) & 1 == 1
    }

    /// The places before a step, the start's not among them.
    pub fn before(&self, step: usize) -> Vec<usize> {
        let is_before = |it: &usize| self.places[*it].to.contains(&step);
        (1..self.places.len()).filter(is_before).collect()
    }

    fn moves(&self, scope: &Scope, outputs: &[Vec<Vec<(usize, bool)>>]) -> Vec<Move> {
        let mut moves = Vec::new();
        for (no, step) in scope.steps.iter().enumerate() {
            let before = self.before(no);
            let mut inputs: Vec<Vec<usize>> = match step.join {
                Some(Join::Word(JoinWord::All)) if !before.is_empty() => vec![before],
                _ => before.into_iter().map(|it| vec![it]).collect(),
            };
            if no == scope.initial {
                inputs.push(vec![0]);
            }
            for takes in &inputs {
                for makes in &outputs[no] {
                    moves.push(Move { takes: takes.clone(), makes: makes.clone() });
                }
            }
        }
        moves
    }

    /// Notes what follows from a move; whether that is news.
    fn fire(&mut self, it: &Move) -> bool {
        let is_ready = it.takes.iter().enumerate().all(|(at, one)| {
            let others = &it.takes[at + 1..];
            self.is_marked[*one] && others.iter().all(|other| self.are_at_once(*one, *other))
        });
        if !is_ready {
            return false;
        }
        // What can be there beside all that is taken stays when something else comes.
        let mut beside = self.at_once[it.takes[0]].clone();
        for place in &it.takes[1..] {
            beside.iter_mut().zip(&self.at_once[*place]).for_each(|(a, b)| *a &= b);
        }
        let mut is_news = false;
        for (at, (made, is_many)) in it.makes.iter().enumerate() {
            is_news |= !std::mem::replace(&mut self.is_marked[*made], true);
            for other in 0..self.places.len() {
                if beside[other / 64] >> (other % 64) & 1 == 1 {
                    is_news |= self.note(*made, other);
                }
            }
            if *is_many {
                is_news |= self.note(*made, *made);
            }
            for (other, _) in &it.makes[at + 1..] {
                is_news |= self.note(*made, *other);
            }
        }
        is_news
    }

    fn note(&mut self, one: usize, other: usize) -> bool {
        let is_news = !self.are_at_once(one, other);
        self.at_once[one][other / 64] |= 1 << (other % 64);
        self.at_once[other][one / 64] |= 1 << (one % 64);
        is_news
    }
}

/// The places of a scope, the start's first, and for each step what its ends make.
#[allow(clippy::type_complexity, reason = "said once")]
fn places(scope: &Scope) -> (Vec<Place>, Vec<Vec<Vec<(usize, bool)>>>) {
    let mut places = vec![Place { from: None, to: vec![scope.initial] }];
    let mut outputs = Vec::new();
    for (no, step) in scope.steps.iter().enumerate() {
        if step.end.is_some() {
            outputs.push(vec![Vec::new()]);
            continue;
        }
        let is_each =
            step.each.as_ref().is_some_and(|it| it.join == Some(EachJoin::Word(EachWord::One)));
        let mut ends = vec![Vec::new()];
        let from = places.len();
        for outcome in scope.outcomes(no) {
            let taken: Vec<&Arc> = scope.arcs[no].iter().filter(|it| it.takes(outcome)).collect();
            if scope.split(no) == Split::Race {
                let to: Vec<usize> = taken.iter().filter_map(|it| it.target).collect();
                places.push(Place { from: Some(no), to });
                ends.push(vec![(places.len() - 1, is_each)]);
                continue;
            }
            let mut made = Vec::new();
            for (target, tokens) in taken.iter().filter_map(|it| Some((it.target?, it.tokens))) {
                let known = (from..places.len()).find(|it| places[*it].to == [target]);
                let place = known.unwrap_or_else(|| {
                    places.push(Place { from: Some(no), to: vec![target] });
                    places.len() - 1
                });
                made.push((place, is_each || tokens > 1));
            }
            match scope.split(no) {
                Split::One => ends.extend(made.into_iter().map(|it| vec![it])),
                _ => ends.push(made),
            }
        }
        outputs.push(ends);
    }
    (places, outputs)
}
