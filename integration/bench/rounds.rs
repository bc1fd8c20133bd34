//! Runs in alternation, and what stands for several runs.

/// Measures both in turns, so that a machine that gets slower gets slower for both.
pub fn alternate<T>(
    rounds: usize,
    mut ours: impl FnMut() -> T,
    mut peer: impl FnMut() -> T,
) -> (Vec<T>, Vec<T>) {
    let (mut our_runs, mut peer_runs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            our_runs.push(ours());
            peer_runs.push(peer());
        } else {
            peer_runs.push(peer());
            our_runs.push(ours());
        }
    }
    (our_runs, peer_runs)
}

pub fn median(runs: impl IntoIterator<Item = f64>) -> f64 {
    part(runs, 0.5)
}

/// The value that `share` of the runs do not exceed.
pub fn part(runs: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut runs: Vec<f64> = runs.into_iter().collect();
    runs.sort_by(f64::total_cmp);
    let last = runs.len().checked_sub(1).expect("something was measured");
    runs[(last as f64 * share).round() as usize]
}
