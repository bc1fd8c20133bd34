//! A sound delta gives the content it was made for; any other gives nothing, or as many bytes as
//! it claims, and never costs more than that.
#![no_main]

use arbitrary::Arbitrary;
use gitport_fuzz::{
    allocated,
    pack::{SMALL_BYTES_MAX, delta::apply},
    packed::{Piece, delta_of, number},
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case {
    base: Vec<u8>,
    /// Makes bases that are long enough for the longest copies.
    times: u16,
    pieces: Vec<Piece>,
    /// In place of a sound delta's commands.
    commands: Vec<u8>,
    repeats: u8,
    size: u32,
}

fuzz_target!(|case: Case| {
    let times = 1 + usize::from(case.times) % (1 + (1 << 20) / case.base.len().max(1));
    let base = case.base.repeat(times);
    let (sound, content) = delta_of(&base, &case.pieces);
    assert!(apply(&base, &sound).is_some_and(|it| it == content), "not what it was made for");

    let mut other = number(base.len() as u64);
    other.extend(number(u64::from(case.size)));
    other.extend(case.commands.repeat(1 + usize::from(case.repeats)));
    for delta in [&other, &case.commands] {
        check(&base, delta);
    }
    for end in 0..sound.len().min(64) {
        assert_eq!(apply(&base, &sound[..end]), None, "cut at {end}");
    }
});

fn check(base: &[u8], delta: &[u8]) {
    let claimed = claim(delta).unwrap_or(0);
    let most = allocated::most(|| {
        let content = apply(base, delta);
        assert!(content.is_none_or(|it| it.len() as u64 == claimed));
    });
    // What grows by doubling has up to twice what it needs.
    let allowed = claimed.max(SMALL_BYTES_MAX).saturating_mul(2).saturating_add(4096);
    assert!(most as u64 <= allowed, "{most} bytes, {claimed} claimed");
}

/// The second number of a delta: how long its result is.
fn claim(delta: &[u8]) -> Option<u64> {
    let mut bytes = delta.iter();
    let mut next = || {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = *bytes.next()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
    };
    next()?;
    next()
}
