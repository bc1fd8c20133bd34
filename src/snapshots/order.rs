//! States in the order in which they can be written: parents before their children.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::{State, invalid, time::Time};
use crate::error::Result;

/// A state as a database has it.
#[derive(Debug)]
pub struct Unordered {
    pub id: String,
    pub parent: Option<String>,
    pub position: Option<i64>,
    pub label: Vec<u8>,
    pub author: Option<String>,
    pub email: Option<String>,
    pub time: Option<Time>,
}

/// Puts states in order: of those whose parent is written the one with the lowest position, then
/// the oldest, then the one with the lowest id.
pub fn parents_first(states: Vec<Unordered>) -> Result<Vec<State>> {
    let parents = parents(&states)?;
    let mut children = vec![Vec::new(); states.len()];
    for (child, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children[*parent].push(child);
        }
    }
    let key = |index: usize| {
        let state = &states[index];
        let number = state.id.parse::<i64>().ok();
        Reverse((state.position, state.time, number, &state.id, index))
    };
    let roots = (0..states.len()).filter(|it| parents[*it].is_none());
    let mut free: BinaryHeap<_> = roots.map(key).collect();
    let mut order = Vec::with_capacity(states.len());
    while let Some(Reverse((.., index))) = free.pop() {
        order.push(index);
        free.extend(children[index].iter().map(|it| key(*it)));
    }
    if order.len() < states.len() {
        return Err(invalid(in_a_circle(&states, &parents, &order), "it is its own ancestor"));
    }
    Ok(in_order(states, &parents, &order))
}

/// Where each state's parent is.
fn parents(states: &[Unordered]) -> Result<Vec<Option<usize>>> {
    let mut places = HashMap::with_capacity(states.len());
    for (index, state) in states.iter().enumerate() {
        if places.insert(&*state.id, index).is_some() {
            return Err(invalid(&state.id, "another state has its id"));
        }
    }
    let place = |state: &Unordered| match &state.parent {
        None => Ok(None),
        Some(parent) if *parent == state.id => Err(invalid(&state.id, "it is its own parent")),
        Some(parent) => match places.get(&**parent) {
            Some(index) => Ok(Some(*index)),
            None => {
                let why = format!("its parent `{parent}` is not there");
                Err(invalid(&state.id, why).with("parent", &**parent))
            }
        },
    };
    states.iter().map(place).collect()
}

/// A state that is an ancestor of those that could not be put in order.
fn in_a_circle<'a>(states: &'a [Unordered], parents: &[Option<usize>], order: &[usize]) -> &'a str {
    let mut is_left = vec![true; states.len()];
    order.iter().for_each(|it| is_left[*it] = false);
    // Every step leads to a parent that is left too; the second visit is in the circle.
    let mut index = is_left.iter().position(|it| *it).expect("not all are in order");
    while is_left[index] {
        is_left[index] = false;
        index = parents[index].expect("whoever has no parent is in order");
    }
    &states[index].id
}

fn in_order(states: Vec<Unordered>, parents: &[Option<usize>], order: &[usize]) -> Vec<State> {
    let is_line = parents.iter().all(Option::is_none);
    let mut times = vec![Time { seconds: 0, offset: 0 }; states.len()];
    let mut states: Vec<Option<Unordered>> = states.into_iter().map(Some).collect();
    let mut ordered: Vec<State> = Vec::with_capacity(order.len());
    let mut previous = None;
    for &index in order {
        let state = states[index].take().expect("each is there once");
        let parent = if is_line { previous } else { parents[index] };
        let inherited = parent.map(|it| times[it]);
        times[index] = state.time.or(inherited).unwrap_or(times[index]);
        let before = ordered.last().filter(|_| is_line).map(|it| it.id.clone());
        ordered.push(State {
            id: state.id,
            parent: state.parent.or(before),
            label: state.label,
            author: state.author,
            email: state.email,
            time: times[index].seconds,
            offset: times[index].offset,
        });
        previous = Some(index);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States such as `b<a 3 @50`: `b`, whose parent is `a`, at position 3, of time 50.
    fn ordered(text: &str) -> Result<String> {
        let states = text.split(", ").map(|it| {
            let mut words = it.split(' ');
            let (id, parent) = words.next().unwrap().split_once('<').unwrap_or((it, ""));
            let mut state = Unordered {
                id: id.split(' ').next().unwrap().to_owned(),
                parent: Some(parent.to_owned()).filter(|it| !it.is_empty()),
                position: None,
                label: Vec::new(),
                author: None,
                email: None,
                time: None,
            };
            for word in words {
                match word.strip_prefix('@') {
                    Some(time) => state.time = super::super::time::parse(time),
                    None => state.position = word.parse().ok(),
                }
            }
            state
        });
        let text = |it: State| {
            let parent = it.parent.map(|it| format!("<{it}")).unwrap_or_default();
            format!("{}{parent}@{}", it.id, it.time)
        };
        let states = parents_first(states.collect())?;
        Ok(states.into_iter().map(text).collect::<Vec<_>>().join(" "))
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(ordered(text).unwrap_or_else(|it| it.message), expected);
    }

    #[test]
    fn a_parent_comes_before_its_children_and_then_position_time_and_id_decide() {
        check("c<b, b<a, a", "a@0 b<a@0 c<b@0");
        check("z<a 1, y<a 2, x<a 2 @5, a 9", "a@0 z<a@0 y<a@0 x<a@5");
        check("b<r 1 @20, a<r 1 @10, r", "r@0 a<r@10 b<r@20");
        check("10<1, 9<1, 1", "1@0 9<1@0 10<1@0");
        check("d<b 1, b<a 3, c<a 2, a 1", "a@0 c<a@0 b<a@0 d<b@0");
        check("b, q<b, a", "a@0 b@0 q<b@0");
    }

    #[test]
    fn where_no_state_names_a_parent_each_follows_the_one_before() {
        check("c 3, a 1, b 2", "a@0 b<a@0 c<b@0");
        check("a", "a@0");
    }

    #[test]
    fn a_state_without_a_time_has_its_parents() {
        check("a @7, b<a, c<b, d<a @9", "a@7 b<a@7 c<b@7 d<a@9");
        check("a 1, b 2 @7, c 3", "a@0 b<a@7 c<b@7");
    }

    #[test]
    fn families_that_cannot_be_are_refused() {
        check("a, b<b", "state `b`: it is its own parent");
        check("r, x<c, a<b, b<c, c<a", "state `c`: it is its own ancestor");
        check("a, b<nobody", "state `b`: its parent `nobody` is not there");
        check("a, b, a", "state `a`: another state has its id");
    }
}
