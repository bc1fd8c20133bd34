//! An object out of another one and what is different, as packs store it.

use super::SMALL_BYTES_MAX;

/// Builds an object from its base and what is different.
pub fn apply(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut rest = delta;
    let mut next = || {
        let (first, after) = rest.split_first()?;
        rest = after;
        Some(*first)
    };
    let mut length = || {
        let (mut length, mut shift) = (0u64, 0);
        loop {
            let byte = next()?;
            length |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return usize::try_from(length).ok();
            }
        }
    };
    if length()? != base.len() {
        return None;
    }
    let size = length()?;
    if SMALL_BYTES_MAX < size as u64 {
        return None;
    }
    let mut content = Vec::with_capacity(size);
    while let Some((&command, after)) = rest.split_first() {
        rest = after;
        if command & 0x80 == 0 {
            let literal = rest.get(..usize::from(command)).filter(|it| !it.is_empty())?;
            if size - content.len() < literal.len() {
                return None;
            }
            content.extend_from_slice(literal);
            rest = &rest[literal.len()..];
            continue;
        }
        let mut number = |bits: std::ops::Range<u32>| {
            let mut number = 0;
            for bit in bits.clone().filter(|bit| command & (1 << bit) != 0) {
                let (first, after) = rest.split_first()?;
                rest = after;
                number |= usize::from(*first) << (8 * (bit - bits.start));
            }
            Some(number)
        };
        let start = number(0..4)?;
        let length = match number(4..7)? {
            0 => 0x10000,
            length => length,
        };
        let copied = base.get(start..start.checked_add(length)?)?;
        // A byte of a delta can stand for 64 KiB: they are counted before they are copied.
        if size - content.len() < copied.len() {
            return None;
        }
        content.extend_from_slice(copied);
    }
    (content.len() == size).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_copies_and_inserts() {
        let delta = [6, 8, 0x90, 3, 2, b'x', b'y', 0x91, 3, 3];
        assert_eq!(apply(b"abcdef", &delta).as_deref(), Some(&b"abcxydef"[..]));
    }

    #[test]
    fn a_damaged_delta_gives_nothing() {
        for delta in [
            &[][..],
            &[6],
            &[5, 8, 0x90, 3],
            &[6, 8, 0x90, 3],
            &[6, 8, 0x91, 5, 9],
            &[6, 8, 0],
            &[6, 8, 9, b'x'],
            &[0xff; 12],
        ] {
            assert_eq!(apply(b"abcdef", delta), None, "{delta:?}");
        }
    }
}
