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
    let comes_to = |without: Option<u32>, start: u32, goal: u32| {
        let mut seen = vec![false; next.len()];
        let mut todo = vec![start];
        while let Some(at) = todo.pop() {
            if Some(at) == without || std::mem::replace(&mut seen[at as usize], true) {
                continue;
            }
            if at == goal {
                return true;
            }
            todo.extend(&next[at as usize]);
        }
        false
    };
    let dominators: Vec<u32> = (0..next.len() as u32)
        .filter(|it| *it != step && !comes_to(Some(*it), initial, step))
        .filter(|it| comes_to(None, initial, *it))
        .collect();
    // The last of them is on no way to another of them.
    let is_last = |it: &u32| {
        dominators.iter().all(|other| other == it || !comes_to(Some(*other), initial, *it))
    };
    dominators.iter().copied().find(is_last)
}
