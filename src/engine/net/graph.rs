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
        let mut rows = vec![vec![0_u64; words]; next.len()];
        for (start, row) in rows.iter_mut().enumerate() {
            let mut todo = next[start].clone();
            while let Some(step) = todo.pop() {
                let (word, bit) = (step as usize / 64, 1 << (step % 64));
                if row[word] & bit == 0 {
                    row[word] |= bit;
                    todo.extend(&next[step as usize]);
                }
            }
        }
        Reach { rows }
    }

    pub fn has(&self, from: u32, to: u32) -> bool {
        self.rows[from as usize][to as usize / 64] >> (to % 64) & 1 == 1
    }
}

/// The last step that every way from `initial` to `step` goes through.
pub fn dominator(next: &[Vec<u32>], initial: u32, step: u32) -> Option<u32> {
    let way = way(next, None, initial, step)?;
    // Whatever all ways have in common lies on this one, in this order.
    let before = way.into_iter().rev().filter(|it| *it != step);
    before
        .into_iter()
        .find(|it| *it == initial || self::way(next, Some(*it), initial, step).is_none())
}

/// The steps on some way that does not go through `without`.
fn way(next: &[Vec<u32>], without: Option<u32>, initial: u32, step: u32) -> Option<Vec<u32>> {
    let mut from = vec![None; next.len()];
    let mut todo = std::collections::VecDeque::from([initial]);
    from[initial as usize] = Some(initial);
    while let Some(at) = todo.pop_front() {
        if at == step {
            let mut way = vec![at];
            while let Some(before) = from[way[way.len() - 1] as usize].filter(|it| *it != at) {
                if way.contains(&before) {
                    break;
                }
                way.push(before);
            }
            way.reverse();
            return Some(way);
        }
        for target in next[at as usize].iter().filter(|it| Some(**it) != without) {
            if from[*target as usize].is_none() {
                from[*target as usize] = Some(at);
                todo.push_back(*target);
            }
        }
    }
    None
}
