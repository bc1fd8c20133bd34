//! The shape of msgpack values, without their meaning.
//!
//! Bounds what the decoder behind it may meet: depth, trailing bytes, reserved and extension types.

use std::ops::Range;

use byteorder::{BigEndian, ByteOrder};

/// How deep arrays and maps may be nested, the outermost counted.
pub const DEPTH_MAX: usize = 64;

/// What is wrong with the bytes, as a sentence for a person.
pub type Flaw = &'static str;

/// The range of the value that starts at `at`, in a map that is not nested itself.
pub fn value(bytes: &[u8], at: usize) -> Result<Range<usize>, Flaw> {
    let first = head(bytes, at)?;
    match first.children {
        0 => Ok(at..first.end),
        _ => nested(bytes, at),
    }
}

fn nested(bytes: &[u8], at: usize) -> Result<Range<usize>, Flaw> {
    let mut here = at;
    // How many values are still to come in each open array or map.
    let mut open = [0u64; DEPTH_MAX - 1];
    let mut depth = 0;
    loop {
        let head = head(bytes, here)?;
        // An empty array or map is a level too.
        if depth == open.len() && matches!(bytes[here], 0x80..=0x9f | 0xdc..=0xdf) {
            return Err("it is nested too deep");
        }
        here = head.end;
        if 0 < head.children {
            open[depth] = head.children;
            depth += 1;
            continue;
        }
        while 0 < depth {
            open[depth - 1] -= 1;
            if 0 < open[depth - 1] {
                break;
            }
            depth -= 1;
        }
        if depth == 0 {
            return Ok(at..here);
        }
    }
}

/// How many pairs the map at the start of `bytes` has, and where the first one starts.
pub fn map(bytes: &[u8]) -> Result<(u64, usize), Flaw> {
    let Some(&marker) = bytes.first() else { return Err("it is empty") };
    match marker {
        0x80..=0x8f | 0xde | 0xdf => {
            let head = head(bytes, 0)?;
            Ok((head.children / 2, head.end))
        }
        _ => Err("it is no map"),
    }
}

/// The text of the `str` that is all of `bytes`.
pub fn text(bytes: &[u8]) -> Option<&str> {
    let skip = match bytes.first()? {
        0xa0..=0xbf => 1,
        0xd9 => 2,
        0xda => 3,
        0xdb => 5,
        _ => return None,
    };
    std::str::from_utf8(bytes.get(skip..)?).ok()
}

/// A value without what is nested in it: where it ends, and how many values follow as its parts.
struct Head {
    end: usize,
    children: u64,
}

fn head(bytes: &[u8], at: usize) -> Result<Head, Flaw> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((&marker, rest)) = rest.split_first() else { return Err("it is cut short") };
    let length = |width: usize| match rest.get(..width) {
        Some(bytes) => Ok(BigEndian::read_uint(bytes, width)),
        None => Err("it is cut short"),
    };
    let (width, payload, children) = match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0, 0),
        0x80..=0x8f => (0, 0, 2 * u64::from(marker & 0x0f)),
        0x90..=0x9f => (0, 0, u64::from(marker & 0x0f)),
        0xa0..=0xbf => (0, u64::from(marker & 0x1f), 0),
        0xc4 | 0xd9 => (1, length(1)?, 0),
        0xc5 | 0xda => (2, length(2)?, 0),
        0xc6 | 0xdb => (4, length(4)?, 0),
        0xcc | 0xd0 => (0, 1, 0),
        0xcd | 0xd1 => (0, 2, 0),
        0xca | 0xce | 0xd2 => (0, 4, 0),
        0xcb | 0xcf | 0xd3 => (0, 8, 0),
        0xdc => (2, 0, length(2)?),
        0xdd => (4, 0, length(4)?),
        0xde => (2, 0, 2 * length(2)?),
        0xdf => (4, 0, 2 * length(4)?),
        0xc1 => return Err("it has a type that msgpack reserves"),
        0xc7..=0xc9 | 0xd4..=0xd8 => return Err("it has an extension type"),
    };
    if (rest.len() as u64) < width as u64 + payload {
        return Err("it is cut short");
    }
    Ok(Head { end: at + 1 + width + payload as usize, children })
}

#[cfg(test)]
mod tests;
