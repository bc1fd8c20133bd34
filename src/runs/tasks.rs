//! What can be claimed, in the order in which it is given out.
//!
//! Of the tasks that somebody may have, those of the highest priority come first, and of these
//! each run's in turn, so that a run with many does not keep those of others waiting.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::own::Own;
use crate::{engine::state::Id, git::RunId};

/// The queue of tasks that name none.
pub const QUEUE: &str = "default";

/// Which tasks somebody can do.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub queue: String,
    /// Types of steps; nothing: any.
    pub types: Option<BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub queue: String,
    pub step_type: String,
}

impl Wanted {
    pub fn has(&self, lane: &Lane) -> bool {
        self.queue == lane.queue
            && self.types.as_ref().is_none_or(|it| it.contains(&lane.step_type))
    }
}

type Place = (Lane, Reverse<i32>);

#[derive(Debug, Default)]
pub struct Tasks {
    /// What no worker is given.
    pub own: Own,
    /// Runs that clients of this process began.
    pub begun: BTreeSet<RunId>,
    rings: BTreeMap<Place, Ring>,
    /// Where each is.
    places: HashMap<RunId, BTreeMap<Id, Place>>,
    /// How many turns were given out.
    turns: u64,
}

/// The tasks of a lane that have one priority: those of each run, and whose turn it is.
#[derive(Debug, Default)]
struct Ring {
    turns: BTreeMap<u64, RunId>,
    items: HashMap<RunId, (u64, BTreeSet<Id>)>,
}

impl Tasks {
    pub fn put(&mut self, run: &RunId, item: Id, lane: Lane, priority: i32) {
        let place = (lane, Reverse(priority));
        let before = self.places.entry(run.clone()).or_default().insert(item, place.clone());
        match before {
            Some(before) if before == place => return,
            Some(before) => self.leave(&before, run, item),
            None => (),
        }
        let ring = self.rings.entry(place).or_default();
        let entry = ring.items.entry(run.clone()).or_insert_with(|| {
            self.turns += 1;
            ring.turns.insert(self.turns, run.clone());
            (self.turns, BTreeSet::new())
        });
        entry.1.insert(item);
    }

    pub fn remove(&mut self, run: &RunId, item: Id) {
        let Some(items) = self.places.get_mut(run) else { return };
        let Some(place) = items.remove(&item) else { return };
        if items.is_empty() {
            self.places.remove(run);
        }
        self.leave(&place, run, item);
    }

    pub fn forget(&mut self, run: &RunId) {
        for (item, place) in self.places.remove(run).unwrap_or_default() {
            self.leave(&place, run, item);
        }
    }

    fn leave(&mut self, place: &Place, run: &RunId, item: Id) {
        let Some(ring) = self.rings.get_mut(place) else { return };
        let Some((turn, items)) = ring.items.get_mut(run) else { return };
        items.remove(&item);
        if items.is_empty() {
            ring.turns.remove(turn);
            ring.items.remove(run);
        }
        if ring.turns.is_empty() {
            self.rings.remove(place);
        }
    }

    /// Whether the program does the steps of this type of a run.
    pub fn is_own(&self, run: &RunId, step_type: &str) -> bool {
        self.own.has(step_type) && (!self.own.is_of_begun || self.begun.contains(run))
    }

    pub fn has(&self, run: &RunId, item: Id) -> bool {
        self.places.get(run).is_some_and(|it| it.contains_key(&item))
    }

    /// Whoever was given a task of this run waits for the others.
    pub fn took_turn(&mut self, run: &RunId, item: Id) {
        let place = self.places.get(run).and_then(|it| it.get(&item));
        let Some(ring) = place.and_then(|it| self.rings.get_mut(it)) else { return };
        let Some((turn, _)) = ring.items.get_mut(run) else { return };
        self.turns += 1;
        ring.turns.remove(turn);
        *turn = self.turns;
        ring.turns.insert(*turn, run.clone());
    }

    /// The tasks that somebody can do, the first to be given out first; of each run so many at
    /// most, since those that cannot be started now are passed over.
    pub fn of(&self, wanted: &Wanted, each: usize, most: usize) -> Vec<(RunId, Id)> {
        let mut rings: Vec<(&Place, &Ring)> =
            self.rings.iter().filter(|it| wanted.has(&it.0.0)).collect();
        rings.sort_by_key(|it| it.0.1);
        let mut found = Vec::new();
        for (_, ring) in rings {
            for round in 0..each {
                let before = found.len();
                for run in ring.turns.values() {
                    if most <= found.len() {
                        return found;
                    }
                    let item = ring.items.get(run).and_then(|it| it.1.iter().nth(round));
                    found.extend(item.map(|it| (run.clone(), *it)));
                }
                if before == found.len() {
                    break;
                }
            }
        }
        found
    }

    /// Whether there is one in any lane of this queue.
    pub fn has_in(&self, queue: &str) -> bool {
        let first = Lane { queue: queue.to_owned(), step_type: String::new() };
        let next = self.rings.range((first, Reverse(i32::MAX))..).next();
        next.is_some_and(|it| it.0.0.queue == queue)
    }

    /// The tasks of a run in one lane.
    pub fn of_run(&self, run: &RunId, lane: &Lane) -> Vec<Id> {
        let all = (lane.clone(), Reverse(i32::MAX))..=(lane.clone(), Reverse(i32::MIN));
        let here = self.rings.range(all).filter_map(|it| it.1.items.get(run));
        here.flat_map(|it| it.1.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(queue: &str, step_type: &str) -> Lane {
        Lane { queue: queue.to_owned(), step_type: step_type.to_owned() }
    }

    fn run(id: &str) -> RunId {
        RunId::new(id).unwrap()
    }

    fn wanted(types: Option<&[&str]>) -> Wanted {
        let types = types.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
        Wanted { queue: "q".to_owned(), types }
    }

    fn order(tasks: &Tasks, wanted: &Wanted) -> Vec<String> {
        tasks.of(wanted, 10, 10).iter().map(|(run, item)| format!("{run}/{item}")).collect()
    }

    #[test]
    fn the_highest_priority_comes_first_and_runs_take_turns() {
        let mut tasks = Tasks::default();
        for item in [1, 2, 3] {
            tasks.put(&run("a"), item, lane("q", "t"), 0);
        }
        tasks.put(&run("b"), 7, lane("q", "t"), 0);
        tasks.put(&run("b"), 8, lane("q", "u"), 5);
        tasks.put(&run("b"), 9, lane("other", "t"), 9);
        assert_eq!(order(&tasks, &wanted(None)), ["b/8", "a/1", "b/7", "a/2", "a/3"]);
        tasks.took_turn(&run("a"), 1);
        tasks.remove(&run("a"), 1);
        assert_eq!(order(&tasks, &wanted(Some(&["t"]))), ["b/7", "a/2", "a/3"]);
        tasks.put(&run("a"), 3, lane("q", "t"), 1);
        assert_eq!(order(&tasks, &wanted(Some(&["t"]))), ["a/3", "b/7", "a/2"]);
        tasks.forget(&run("a"));
        assert_eq!(order(&tasks, &wanted(None)), ["b/8", "b/7"]);
        assert!(order(&tasks, &wanted(Some(&["x"]))).is_empty());
    }
}
