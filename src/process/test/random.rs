//! Any order of what can be done: runs by chance, and what went wrong in one, made short.
//!
//! Chance comes from a seed, so that the same seed gives the same runs.

mod chance;
mod moves;
mod shrink;

use std::{cell::Cell, collections::BTreeSet};

use serde::Serialize;

use self::{chance::Chance, moves::Pool};
use super::{
    play::{Left, Play},
    script::{Deed, Script},
};
use crate::{
    engine::{
        definition::Data,
        net::Processes,
        or_join::Cache,
        state::{Head, Status},
    },
    error::Result,
    watch::Watch,
};

/// A run that has not ended by then goes round in circles, which is no error.
const MOVES_MAX: usize = 60;

/// What came of runs by chance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interleavings {
    pub runs: u32,
    pub seed: u64,
    /// How many deeds there were in all runs.
    pub deeds: usize,
    /// The first that went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// A run that went wrong, as a script that shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Which of the runs, from 0.
    pub run: u32,
    pub message: String,
    /// What it was started with.
    pub given: Data,
    pub script: Vec<String>,
    pub trace: Vec<String>,
}

/// What is wrong with a run; two of one kind are the same mistake.
#[derive(Debug, Clone, PartialEq)]
enum Mistake {
    Refused(String),
    Failed(String),
    Stuck,
}

/// What is played: a process, and what its scripts know of it.
struct Field<'p> {
    processes: &'p Processes,
    pool: Pool,
    /// How scripts say that a run may end.
    expected: BTreeSet<String>,
    left: Left<'p>,
}

/// As many runs as are asked for, or up to the first that goes wrong.
pub fn interleavings(
    processes: &Processes,
    scripts: &[Script],
    runs: u32,
    seed: u64,
    watch: &Watch,
) -> Result<Interleavings> {
    let mut expected = BTreeSet::new();
    for line in scripts.iter().flat_map(|it| &it.lines) {
        if let Deed::Status(status) = &line.deed {
            expected.insert(status.clone());
        }
    }
    // As many runs as are asked for, each of them short.
    let all = Cell::new(usize::MAX);
    let left = Left { one: Cell::new(usize::MAX), all: &all };
    let field = Field { processes, pool: Pool::of(scripts), expected, left };
    let name = &processes.net(processes.main).process_name;
    let (mut cache, mut deeds) = (Cache::default(), 0);
    let mut found = None;
    for run in 0..runs {
        watch.check()?;
        let mut chance = Chance::new(seed, name, run);
        let given = field.pool.given(&mut chance);
        let (done, mistake) = field.wander(given.clone(), &mut chance, &mut cache);
        deeds += done.len();
        if let Some(mistake) = mistake {
            found = Some(field.found(run, given, done, &mistake, &mut cache));
            break;
        }
    }
    Ok(Interleavings { runs, seed, deeds, found })
}

impl Field<'_> {
    /// A run by chance: what was done, and what went wrong in the end.
    fn wander(
        &self,
        given: Data,
        chance: &mut Chance,
        cache: &mut Cache,
    ) -> (Vec<Deed>, Option<Mistake>) {
        let mut done = Vec::new();
        let mut play = match Play::begin(self.processes, cache, &self.left, given) {
            Ok(play) => play,
            Err(unmet) => return (done, Some(Mistake::Refused(unmet.found))),
        };
        for _ in 0..MOVES_MAX {
            let moves = self.moves(&play);
            if let Some(mistake) = self.mistake(&play, moves.is_stuck) {
                return (done, Some(mistake));
            }
            let Some(deed) = moves.pick(chance, self) else { break };
            done.push(deed.clone());
            if let Err(unmet) = play.act(&deed) {
                return (done, Some(Mistake::Refused(unmet.found)));
            }
        }
        (done, None)
    }

    /// What is wrong with how a run stands; `looks_stuck` if nothing is there to be done.
    fn mistake(&self, play: &Play<'_>, looks_stuck: bool) -> Option<Mistake> {
        let Head { status, problem, .. } = &play.state.head;
        match status {
            Status::Running if looks_stuck && !self.expected.contains("stuck") => {
                let is_stuck = play.state.status(play.processes) == Status::Stuck;
                is_stuck.then_some(Mistake::Stuck)
            }
            Status::Failed if !self.expected.contains("failed") => {
                let problem = problem.as_ref().filter(|it| it.kind == "expression")?;
                Some(Mistake::Failed(problem.message.clone()))
            }
            _ => None,
        }
    }

    /// Plays deeds again, without those that cannot be done; those that could, up to a mistake.
    fn again(
        &self,
        given: &Data,
        deeds: &[Deed],
        cache: &mut Cache,
    ) -> (Vec<Deed>, Option<Mistake>, Vec<String>) {
        let Ok(mut play) = Play::begin(self.processes, cache, &self.left, given.clone()) else {
            return (Vec::new(), None, Vec::new());
        };
        let mut done = Vec::new();
        for deed in deeds {
            match (play.act(deed), play.refusal.take()) {
                (Err(_), None) => continue,
                (Err(unmet), Some(_)) => {
                    done.push(deed.clone());
                    return (done, Some(Mistake::Refused(unmet.found)), play.trace());
                }
                (Ok(()), _) => done.push(deed.clone()),
            }
            if let Some(mistake) = self.mistake(&play, play.offers().is_empty()) {
                return (done, Some(mistake), play.trace());
            }
        }
        let mistake = self.mistake(&play, play.offers().is_empty());
        (done, mistake, play.trace())
    }

    fn found(
        &self,
        run: u32,
        given: Data,
        done: Vec<Deed>,
        mistake: &Mistake,
        cache: &mut Cache,
    ) -> Found {
        let short = shrink::shrink(done, |deeds| {
            let (done, found, _) = self.again(&given, deeds, cache);
            found.filter(|it| it == mistake).map(|_| done)
        });
        let (_, _, trace) = self.again(&given, &short, cache);
        let message = match mistake {
            Mistake::Refused(message) => message.clone(),
            Mistake::Failed(message) => format!("the run fails: {message}"),
            Mistake::Stuck => {
                let words = Status::Stuck.word();
                format!("the run is {words}: threads are left, and nothing can move them")
            }
        };
        let script = short.iter().map(Deed::quoted).collect();
        Found { run, message, given, script, trace }
    }
}
