//! One pack and its index, mapped.

use std::{cell::RefCell, fs::File, path::Path};

use byteorder::{BigEndian, ByteOrder};
use libdeflater::Decompressor;
use memmap2::Mmap;

use super::{FANOUT_AT, HASH_BYTES, Kind, NAMES_AT, PAGE_BYTES};

/// It stays readable for whoever has it, also after its files were removed.
pub struct Pack {
    /// Distinguishes packs in the cache of bases.
    pub(super) number: usize,
    index: Mmap,
    pub(super) data: Mmap,
    count: usize,
}

pub(super) enum Header {
    Whole {
        kind: Kind,
        size: u64,
        at: usize,
    },
    /// A delta of the object at another offset.
    Delta {
        base: usize,
        size: u64,
        at: usize,
    },
    /// A delta of an object that is named and may be anywhere.
    Elsewhere,
}

impl Pack {
    pub fn open(number: usize, index: &Path) -> Option<Pack> {
        let data = map(&index.with_extension("pack"))?;
        let index = map(index)?;
        if index.get(..8)? != b"\xfftOc\0\0\0\x02" || data.get(..4)? != b"PACK" {
            return None;
        }
        let count = BigEndian::read_u32(index.get(NAMES_AT - 4..NAMES_AT)?) as usize;
        let is_sound = NAMES_AT + count * (HASH_BYTES + 4 + 4) + 2 * HASH_BYTES <= index.len();
        is_sound.then_some(Pack { number, index, data, count })
    }

    /// How many objects are in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Tells the system that these pages are not needed again soon; they count as our memory.
    pub(super) fn give_back(&self, range: std::ops::Range<usize>) {
        let start = range.start.next_multiple_of(PAGE_BYTES);
        let length = range.end.saturating_sub(start) / PAGE_BYTES * PAGE_BYTES;
        #[allow(unsafe_code, reason = "pages of a file are read again when they are needed")]
        // SAFETY: the mapping is of a file and is only read, so nothing can be lost.
        unsafe {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // What is not given back stays; that is no error.
            let _ = self.data.unchecked_advise_range(advice, start, length);
        }
    }

    pub fn find(&self, id: &[u8]) -> Option<usize> {
        let fanout =
            |byte: usize| BigEndian::read_u32(&self.index[FANOUT_AT + 4 * byte..]) as usize;
        let first = usize::from(*id.first()?);
        let mut low = if first == 0 { 0 } else { fanout(first - 1) };
        let mut high = fanout(first).min(self.count);
        while low < high {
            let middle = low.midpoint(high);
            let at = NAMES_AT + middle * HASH_BYTES;
            match self.index[at..at + HASH_BYTES].cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.offset(middle),
            }
        }
        None
    }

    fn offset(&self, position: usize) -> Option<usize> {
        let offsets = NAMES_AT + self.count * (HASH_BYTES + 4);
        let offset = BigEndian::read_u32(&self.index[offsets + 4 * position..]) as usize;
        if offset & 0x8000_0000 == 0 {
            return Some(offset);
        }
        let large = offsets + 4 * self.count + 8 * (offset & 0x7fff_ffff);
        usize::try_from(BigEndian::read_u64(self.index.get(large..large + 8)?)).ok()
    }

    pub(super) fn header(&self, offset: usize) -> Option<Header> {
        let mut at = offset;
        let mut next = || {
            let byte = *self.data.get(at)?;
            at += 1;
            Some(byte)
        };
        let first = next()?;
        let (mut size, mut shift, mut byte) = (u64::from(first & 0x0f), 4, first);
        while byte & 0x80 != 0 {
            byte = next()?;
            size |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
        }
        let kind = match (first >> 4) & 7 {
            1 => Kind::Commit,
            2 => Kind::Tree,
            3 => Kind::Blob,
            4 => Kind::Tag,
            6 => {
                byte = next()?;
                let mut back = usize::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    byte = next()?;
                    back = (back.checked_add(1)? << 7) | usize::from(byte & 0x7f);
                }
                let base = offset.checked_sub(back).filter(|_| 0 < back)?;
                return Some(Header::Delta { base, size, at });
            }
            7 => {
                let id = self.data.get(at..at + HASH_BYTES)?;
                return Some(match self.find(id) {
                    Some(base) => Header::Delta { base, size, at: at + HASH_BYTES },
                    None => Header::Elsewhere,
                });
            }
            _ => return None,
        };
        Some(Header::Whole { kind, size, at })
    }

    /// Inflates exactly `size` bytes, or nothing where the data is not of this size.
    pub(super) fn inflate(&self, at: usize, size: usize) -> Option<Vec<u8>> {
        thread_local! {
            static INFLATE: RefCell<Decompressor> = RefCell::new(Decompressor::new());
        }
        let input = self.data.get(at..)?;
        let mut content = vec![0; size];
        let made = INFLATE.with_borrow_mut(|it| it.zlib_decompress(input, &mut content));
        (made == Ok(size)).then_some(content)
    }
}

fn map(path: &Path) -> Option<Mmap> {
    let file = File::open(path).ok()?;
    #[allow(unsafe_code, reason = "packs and their indexes are mapped, as Git does")]
    // SAFETY: Git never changes a pack or an index once it has its name.
    unsafe {
        Mmap::map(&file).ok()
    }
}
