//! Packs being made: few objects, written at once, by the one who made them.
//!
//! Objects are deflated each for itself, lightly or not at all; where its maker knows the
//! predecessor of one, it may be stored as what is different from it. Looking for more is
//! housekeeping.
//! Format: gitformat-pack(5).

use std::{cell::RefCell, collections::HashMap};

use byteorder::{BigEndian, ByteOrder};
use foldhash::fast::RandomState;
use git2::Oid;
use libdeflater::{CompressionLvl, Compressor};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::pack::{HASH_BYTES, Kind, NAMES_AT};

/// Before the entries: signature, version, how many.
const HEAD_BYTES: usize = 12;
/// Trees of a pack are so many differences away from a whole one at most.
const DEPTH_MAX: u8 = 48;
/// What is longer is not looked at for differences.
const DIFFERENCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What is longer is deflated in any case.
const PLAIN_BYTES_MAX: usize = 2048;
/// What one instruction of a delta can copy or insert.
const COPY_BYTES_MAX: usize = 0xffff;
const INSERT_BYTES_MAX: usize = 0x7f;

/// The entries of a pack, without what comes before and after them.
#[derive(Default, Serialize, Deserialize)]
pub struct Image {
    #[serde(with = "serde_bytes")]
    entries: Vec<u8>,
    objects: Vec<Placed>,
    #[serde(skip)]
    places: HashMap<[u8; HASH_BYTES], usize, RandomState>,
}

#[derive(Serialize, Deserialize)]
struct Placed {
    #[serde(with = "serde_bytes")]
    id: [u8; HASH_BYTES],
    /// In the entries.
    at: u32,
    sum: u32,
    /// The object this is a difference from, and how many there are below it.
    base: Option<u32>,
    depth: u8,
}

/// How far an image was filled.
#[derive(Clone, Copy)]
pub struct Mark {
    bytes: usize,
    objects: usize,
}

impl Image {
    /// The image of a pack that is whole: every base is in it, and nothing is there twice.
    pub fn read(pack: &[u8], index: &[u8]) -> Option<Image> {
        let entries = pack.get(HEAD_BYTES..pack.len().checked_sub(HASH_BYTES)?)?;
        let mut image = Image { entries: entries.to_vec(), ..Image::default() };
        let mut found = listed(index)?;
        found.sort_unstable_by_key(|(_, at, _)| *at);
        let count = BigEndian::read_u32(pack.get(8..HEAD_BYTES)?);
        if found.len() != count as usize {
            return None;
        }
        let mut by_place = HashMap::with_capacity(found.len());
        for (number, (id, at, sum)) in found.into_iter().enumerate() {
            let entry = entries.get(at as usize..)?;
            let base = match (entry.first()? >> 4) & 7 {
                OFFSET_DELTA => {
                    let back = back(entry.get(head_bytes(entry)..)?)?;
                    Some(*by_place.get(&at.checked_sub(back)?)?)
                }
                1..=4 => None,
                _ => return None,
            };
            let depth = base.map_or(0, |it: u32| image.objects[it as usize].depth);
            let depth = if base.is_some() { depth.saturating_add(1) } else { depth };
            by_place.insert(at, number as u32);
            image.places.insert(id, number);
            image.objects.push(Placed { id, at, sum, base, depth });
        }
        Some(image)
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.entries.len()
    }

    pub fn has(&self, id: Oid) -> bool {
        self.places.contains_key(id.as_bytes())
    }

    /// Adds an object, unless it is there.
    pub fn add(&mut self, id: Oid, kind: Kind, content: &[u8]) {
        self.place(id, None, |entries| {
            push_head(entries, type_of(kind), content.len());
            deflate(entries, content, level_of(kind));
        });
    }

    /// Adds an object as it is: so small that it takes longer to deflate it than to write it twice.
    pub fn add_plain(&mut self, id: Oid, kind: Kind, content: &[u8]) {
        let level = if content.len() <= PLAIN_BYTES_MAX { 0 } else { level_of(kind) };
        self.place(id, None, |entries| {
            push_head(entries, type_of(kind), content.len());
            deflate(entries, content, level);
        });
    }

    /// Adds an object that was made out of another one of its kind.
    pub fn add_like(&mut self, id: Oid, kind: Kind, content: &[u8], before: Option<(Oid, &[u8])>) {
        let base = before.and_then(|(id, content)| Some((self.base(id)?, content)));
        let is_short = |it: &[u8]| it.len() <= DIFFERENCE_BYTES_MAX;
        let base = base.filter(|it| is_short(it.1) && is_short(content));
        let Some((base, before)) = base else { return self.add(id, kind, content) };
        let delta = difference(before, content);
        if content.len() <= delta.len() {
            return self.add(id, kind, content);
        }
        let base_at = self.objects[base as usize].at;
        self.place(id, Some(base), |entries| {
            let back = entries.len() - base_at as usize;
            push_head(entries, OFFSET_DELTA, delta.len());
            push_back(entries, back);
            deflate(entries, &delta, level_of(kind));
        });
    }

    fn base(&self, id: Oid) -> Option<u32> {
        let index = *self.places.get(id.as_bytes())?;
        (self.objects[index].depth < DEPTH_MAX).then_some(index as u32)
    }

    fn place(&mut self, id: Oid, base: Option<u32>, write: impl FnOnce(&mut Vec<u8>)) {
        let id: [u8; HASH_BYTES] = id.as_bytes().try_into().expect("an id has this length");
        if self.places.contains_key(&id) {
            return;
        }
        let at = self.entries.len();
        write(&mut self.entries);
        let sum = crc32fast::hash(&self.entries[at..]);
        let depth = base.map_or(0, |it| self.objects[it as usize].depth.saturating_add(1));
        let at = u32::try_from(at).expect("images are bounded");
        self.places.insert(id, self.objects.len());
        self.objects.push(Placed { id, at, sum, base, depth });
    }

    pub fn mark(&self) -> Mark {
        Mark { bytes: self.entries.len(), objects: self.objects.len() }
    }

    /// Takes out what was added since.
    pub fn go_back(&mut self, to: Mark) {
        for object in self.objects.drain(to.objects..) {
            self.places.remove(&object.id);
        }
        self.entries.truncate(to.bytes);
    }

    /// Adds the objects of another image that are not here.
    pub fn absorb(&mut self, other: &Image) {
        for (index, object) in other.objects.iter().enumerate() {
            let end = other.objects.get(index + 1).map_or(other.entries.len(), |it| it.at as usize);
            let entry = &other.entries[object.at as usize..end];
            let id = Oid::from_bytes(&object.id).expect("an id has this length");
            let Some(base) = object.base else {
                self.place(id, None, |entries| entries.extend_from_slice(entry));
                continue;
            };
            // Its base may be here from before, and then lies further back.
            let base = self.places[&other.objects[base as usize].id];
            let base_at = self.objects[base].at as usize;
            let (head, rest) = entry.split_at(head_bytes(entry));
            let content = &rest[back_bytes(rest)..];
            self.place(id, Some(base as u32), |entries| {
                let back = entries.len() - base_at;
                entries.extend_from_slice(head);
                push_back(entries, back);
                entries.extend_from_slice(content);
            });
        }
    }

    /// The file `.pack`, and the hash that names it.
    pub fn pack(&self) -> (Vec<u8>, Oid) {
        let mut pack = Vec::with_capacity(HEAD_BYTES + self.entries.len() + HASH_BYTES);
        pack.extend_from_slice(b"PACK\0\0\0\x02");
        pack.extend_from_slice(&(self.objects.len() as u32).to_be_bytes());
        pack.extend_from_slice(&self.entries);
        let hash = Sha1::digest(&pack);
        pack.extend_from_slice(&hash);
        (pack, Oid::from_bytes(&hash).expect("a hash has this length"))
    }

    /// The file `.idx` of the pack with this hash.
    pub fn index(&self, pack: Oid) -> Vec<u8> {
        let mut sorted: Vec<&Placed> = self.objects.iter().collect();
        sorted.sort_unstable_by_key(|it| it.id);
        let mut index = Vec::with_capacity(8 + 1024 + sorted.len() * 28 + 2 * HASH_BYTES);
        index.extend_from_slice(b"\xfftOc\0\0\0\x02");
        let mut fanout = [0u8; 1024];
        let mut count = 0;
        for byte in 0..256 {
            while sorted.get(count).is_some_and(|it| usize::from(it.id[0]) <= byte) {
                count += 1;
            }
            BigEndian::write_u32(&mut fanout[4 * byte..], count as u32);
        }
        index.extend_from_slice(&fanout);
        sorted.iter().for_each(|it| index.extend_from_slice(&it.id));
        sorted.iter().for_each(|it| index.extend_from_slice(&it.sum.to_be_bytes()));
        let mut large = Vec::new();
        for object in &sorted {
            let offset = u64::from(object.at) + HEAD_BYTES as u64;
            let short = match u32::try_from(offset) {
                Ok(short) if short < LARGE => short,
                _ => {
                    large.extend_from_slice(&offset.to_be_bytes());
                    LARGE | (large.len() / 8 - 1) as u32
                }
            };
            index.extend_from_slice(&short.to_be_bytes());
        }
        index.extend_from_slice(&large);
        index.extend_from_slice(pack.as_bytes());
        let hash = Sha1::digest(&index);
        index.extend_from_slice(&hash);
        index
    }
}

const OFFSET_DELTA: u8 = 6;
/// Marks an offset of 8 bytes, which is where the others end.
const LARGE: u32 = 0x8000_0000;

fn level_of(kind: Kind) -> usize {
    match kind {
        // Mostly ids, which nothing makes smaller.
        Kind::Tree => 0,
        _ => 1,
    }
}

fn type_of(kind: Kind) -> u8 {
    match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    }
}

/// Type and size of an entry.
fn push_head(entries: &mut Vec<u8>, kind: u8, size: usize) {
    let mut byte = (kind << 4) | (size & 0x0f) as u8;
    let mut rest = size >> 4;
    while 0 < rest {
        entries.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    entries.push(byte);
}

fn head_bytes(entry: &[u8]) -> usize {
    1 + entry.iter().take_while(|it| **it & 0x80 != 0).count()
}

/// How far before an entry its base begins.
fn push_back(entries: &mut Vec<u8>, mut back: usize) {
    let mut bytes = [0u8; 10];
    let mut at = bytes.len() - 1;
    bytes[at] = (back & 0x7f) as u8;
    back >>= 7;
    while 0 < back {
        back -= 1;
        at -= 1;
        bytes[at] = 0x80 | (back & 0x7f) as u8;
        back >>= 7;
    }
    entries.extend_from_slice(&bytes[at..]);
}

fn back_bytes(rest: &[u8]) -> usize {
    head_bytes(rest)
}

fn back(rest: &[u8]) -> Option<u32> {
    let mut bytes = rest.get(..back_bytes(rest))?.iter();
    let mut back = u32::from(bytes.next()? & 0x7f);
    for byte in bytes {
        back = (back.checked_add(1)?.checked_mul(128)?) | u32::from(byte & 0x7f);
    }
    Some(back)
}

/// What an index says of each object: its id, where it is among the entries, its checksum.
fn listed(index: &[u8]) -> Option<Vec<([u8; HASH_BYTES], u32, u32)>> {
    let count = BigEndian::read_u32(index.get(NAMES_AT - 4..NAMES_AT)?) as usize;
    let sums = NAMES_AT + count * HASH_BYTES;
    let offsets = sums + count * 4;
    let number = |at: usize| index.get(at..at + 4).map(BigEndian::read_u32);
    let object = |it: usize| {
        let id = index.get(NAMES_AT + it * HASH_BYTES..NAMES_AT + (it + 1) * HASH_BYTES)?;
        let offset = match number(offsets + 4 * it)? {
            short if short < LARGE => u64::from(short),
            number => {
                let at = offsets + 4 * count + 8 * (number & !LARGE) as usize;
                BigEndian::read_u64(index.get(at..at + 8)?)
            }
        };
        let at = u32::try_from(offset.checked_sub(HEAD_BYTES as u64)?).ok()?;
        Some((id.try_into().ok()?, at, number(sums + 4 * it)?))
    };
    (0..count).map(object).collect()
}

fn deflate(output: &mut Vec<u8>, content: &[u8], level: usize) {
    thread_local! {
        static COMPRESSORS: RefCell<[Compressor; 2]> = RefCell::new([0, 1].map(|level| {
            Compressor::new(CompressionLvl::new(level).expect("these levels exist"))
        }));
    }
    COMPRESSORS.with_borrow_mut(|compressors| {
        let compressor = &mut compressors[level];
        let at = output.len();
        output.resize(at + compressor.zlib_compress_bound(content.len()), 0);
        let made = compressor.zlib_compress(content, &mut output[at..]);
        output.truncate(at + made.expect("there is room for the worst case"));
    });
}

/// What makes `after` out of `before`, where they differ in one place.
fn difference(before: &[u8], after: &[u8]) -> Vec<u8> {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (rest_before, rest_after) = (&before[same..], &after[same..]);
    let tail = rest_before.iter().rev().zip(rest_after.iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    let mut delta = Vec::with_capacity(32 + rest_after.len() - tail);
    push_size(&mut delta, before.len());
    push_size(&mut delta, after.len());
    push_copies(&mut delta, 0, same);
    for piece in rest_after[..rest_after.len() - tail].chunks(INSERT_BYTES_MAX) {
        delta.push(piece.len() as u8);
        delta.extend_from_slice(piece);
    }
    push_copies(&mut delta, before.len() - tail, tail);
    delta
}

fn push_size(delta: &mut Vec<u8>, mut size: usize) {
    while 0x7f < size {
        delta.push(0x80 | (size & 0x7f) as u8);
        size >>= 7;
    }
    delta.push(size as u8);
}

fn push_copies(delta: &mut Vec<u8>, mut start: usize, mut length: usize) {
    while 0 < length {
        let piece = length.min(COPY_BYTES_MAX);
        let command = delta.len();
        delta.push(0x80);
        let numbers = [(start, 4, 0), (piece, 2, 4)];
        for (number, bytes, first_bit) in numbers {
            for byte in 0..bytes {
                let value = (number >> (8 * byte)) as u8;
                if value != 0 {
                    delta[command] |= 1 << (first_bit + byte);
                    delta.push(value);
                }
            }
        }
        start += piece;
        length -= piece;
    }
}

#[cfg(test)]
mod tests;
