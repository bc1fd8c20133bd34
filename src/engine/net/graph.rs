//! Which steps can come after which.

/// For each step, those that can be reached from it by one transition or more.
#[derive(Debug, Default)]
pub struct Reach {
    rows: Vec<Vec<u64>>,
}

impl Reach {
    /// Closes `next`, the steps right after each step.
    pub fn of(next: &[Vec<u32>]) -> Reach {
        let words = next.len().div_ceil(64);
        let mut rows = vec![Vec::new(); next.len()];
        for circle in circles(next) {
            let mut row = vec![0_u64; words];
            for target in circle.iter().flat_map(|it| &next[*it as usize]) {
                row[*target as usize / 64] |= 1 << (target % 64);
                // Empty: it is in the circle, and all of that is reached.
                row.iter_mut().zip(&rows[*target as usize]).for_each(|(a, b)| *a |= b);
            }
            circle.iter().for_each(|it| rows[*it as usize].clone_from(&row));
        }
        Reach { rows }
    }

    pub fn has(&self, from: u32, to: u32) -> bool {
        self.rows[from as usize][to as usize / 64] >> (to % 64) & 1 == 1
    }
}

/// The steps that lead to each other, or one that leads nowhere back; each after all that it
/// leads to, as Tarjan finds them.
fn circles(next: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let (mut circles, mut open, mut count) = (Vec::new(), Vec::new(), 0);
    let mut numbers: Vec<Option<u32>> = vec![None; next.len()];
    // The lowest number that is reached of those that are open; closed ones are not looked at.
    let mut lowest = vec![u32::MAX; next.len()];
    for root in 0..next.len() as u32 {
        let mut way = Vec::from_iter(numbers[root as usize].is_none().then_some((root, 0)));
        while let Some((step, turn)) = way.last_mut() {
            let at = *step as usize;
            if numbers[at].is_none() {
                (numbers[at], lowest[at]) = (Some(count), count);
                count += 1;
                open.push(*step);
            }
            if let Some(target) = next[at].get(*turn) {
                *turn += 1;
                match numbers[*target as usize] {
                    None => way.push((*target, 0)),
                    Some(_) => lowest[at] = lowest[at].min(lowest[*target as usize]),
                }
                continue;
            }
            way.pop();
            if let Some((before, _)) = way.last() {
                lowest[*before as usize] = lowest[*before as usize].min(lowest[at]);
            }
            if Some(lowest[at]) == numbers[at] {
                let from = open.iter().rposition(|it| *it as usize == at).unwrap_or_default();
                let circle = open.split_off(from);
                circle.iter().for_each(|it| lowest[*it as usize] = u32::MAX);
                circles.push(circle);
            }
        }
    }
    circles
}

/// For each step the last one that every way to it from `initial` goes through, as Cooper, Harvey
/// and Kennedy find it.
pub fn dominators(next: &[Vec<u32>], initial: u32) -> Vec<Option<u32>> {
    let order = backwards(next, initial);
    let mut ranks = vec![0; next.len()];
    let mut before = vec![Vec::new(); next.len()];
    for (rank, step) in order.iter().enumerate() {
        ranks[*step as usize] = rank;
        next[*step as usize].iter().for_each(|it| before[*it as usize].push(*step));
    }
    let mut found: Vec<Option<u32>> = vec![None; next.len()];
    found[initial as usize] = Some(initial);
    let mut is_changing = true;
    while std::mem::take(&mut is_changing) {
        for step in order.iter().rev().filter(|it| **it != initial) {
            let known = before[*step as usize].iter().filter(|it| found[**it as usize].is_some());
            let meet = known.copied().reduce(|one, other| meet(one, other, &found, &ranks));
            is_changing |= found[*step as usize] != meet;
            found[*step as usize] = meet;
        }
    }
    found[initial as usize] = None;
    found
}

/// The first step that two of them have in common on their ways back.
fn meet(mut one: u32, mut other: u32, found: &[Option<u32>], ranks: &[usize]) -> u32 {
    while one != other {
        let behind = match ranks[one as usize] < ranks[other as usize] {
            true => &mut one,
            false => &mut other,
        };
        match found[*behind as usize] {
            Some(before) => *behind = before,
            None => break,
        }
    }
    one
}

/// The steps that can be come to, each behind all that it comes to first.
fn backwards(next: &[Vec<u32>], initial: u32) -> Vec<u32> {
    let mut order = Vec::new();
    let mut is_seen = vec![false; next.len()];
    is_seen[initial as usize] = true;
    let mut open = vec![(initial, 0)];
    while let Some((step, turn)) = open.last_mut() {
        match next[*step as usize].get(*turn).copied() {
            Some(target) => {
                *turn += 1;
                if !std::mem::replace(&mut is_seen[target as usize], true) {
                    open.push((target, 0));
                }
            }
            None => {
                order.push(*step);
                open.pop();
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::{Reach, dominators};

    #[test]
    fn a_step_reaches_what_its_ways_lead_to() {
        let check = |next: &[&[u32]]| {
            let next: Vec<Vec<u32>> = next.iter().map(|it| it.to_vec()).collect();
            let reach = Reach::of(&next);
            for from in 0..next.len() {
                let (mut seen, mut todo) = (vec![false; next.len()], next[from].clone());
                while let Some(step) = todo.pop() {
                    if !std::mem::replace(&mut seen[step as usize], true) {
                        todo.extend(&next[step as usize]);
                    }
                }
                let reached: Vec<bool> =
                    (0..next.len()).map(|it| reach.has(from as u32, it as u32)).collect();
                assert_eq!(reached, seen, "{next:?} from {from}");
            }
        };
        check(&[&[1], &[2], &[]]);
        check(&[&[0]]);
        check(&[&[1], &[2, 3], &[0], &[4], &[3]]);
        check(&[&[], &[2, 0], &[1, 3], &[]]);
        check(&[&[3], &[0, 4], &[1], &[1], &[2], &[6], &[5, 0]]);
    }

    #[test]
    fn all_ways_to_a_step_go_through_its_dominator() {
        let check = |next: &[&[u32]], expected: &[Option<u32>]| {
            let next: Vec<Vec<u32>> = next.iter().map(|it| it.to_vec()).collect();
            assert_eq!(dominators(&next, 0), expected, "{next:?}");
        };
        check(&[&[1], &[2], &[]], &[None, Some(0), Some(1)]);
        check(&[&[1, 2], &[3], &[3], &[]], &[None, Some(0), Some(0), Some(0)]);
        // A loop, and a way around the middle of it.
        check(&[&[1], &[2, 3], &[3], &[1, 4], &[]], &[None, Some(0), Some(1), Some(1), Some(3)]);
        // Two steps that nothing leads to.
        check(&[&[1], &[], &[3], &[1]], &[None, Some(0), None, None]);
        // A jump into the middle of a loop.
        check(&[&[1, 2], &[2], &[1, 3], &[]], &[None, Some(0), Some(0), Some(2)]);
    }
}
