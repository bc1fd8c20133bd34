//! The fewest deeds that still show a mistake, or nearly.

use crate::process::test::script::Deed;

/// Longer than a person would wait for a shorter trace.
const ATTEMPTS_MAX: usize = 500;

/// Leaves out what can be left out: `shows` gives what was done of some deeds, if they show it.
pub fn shrink(
    mut deeds: Vec<Deed>,
    mut shows: impl FnMut(&[Deed]) -> Option<Vec<Deed>>,
) -> Vec<Deed> {
    let (mut size, mut attempts) = (deeds.len().div_ceil(2), 0);
    while size > 0 {
        let (mut at, mut is_shorter) = (0, false);
        while at < deeds.len() && attempts < ATTEMPTS_MAX {
            attempts += 1;
            let rest: Vec<Deed> =
                deeds[..at].iter().chain(deeds.iter().skip(at + size)).cloned().collect();
            match shows(&rest) {
                Some(done) if done.len() < deeds.len() => (deeds, is_shorter) = (done, true),
                _ => at += size,
            }
        }
        // What could not go before may go now.
        size = if is_shorter && attempts < ATTEMPTS_MAX { size.min(deeds.len()) } else { size / 2 };
    }
    deeds
}
