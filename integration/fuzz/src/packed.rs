//! Writes packs and deltas from what an input says, and knows what is in them.

use std::{fs, io::Write, path::Path};

use arbitrary::Arbitrary;
use flate2::{Compression, write::ZlibEncoder};

use crate::git::pack::Kind;

/// No object of a written pack is longer: an input is short, and so should its run be.
const CONTENT_BYTES_MAX: usize = 256 * 1024;
const OBJECTS_MAX: usize = 64;

/// What a delta does.
#[derive(Arbitrary, Debug)]
pub enum Piece {
    Copy { start: u32, length: u32 },
    Insert(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
pub enum Object {
    Whole {
        kind: u8,
        content: Vec<u8>,
        times: u8,
    },
    /// A delta of an object before it.
    Delta {
        back: u8,
        is_by_name: bool,
        pieces: Vec<Piece>,
    },
    /// A header that claims what it likes.
    Odd {
        kind: u8,
        size: u64,
        back: u64,
        content: Vec<u8>,
        is_plain: bool,
    },
}

/// A pack, its index, and what was put into it.
pub struct Packed {
    pub data: Vec<u8>,
    pub index: Vec<u8>,
    pub objects: Vec<Known>,
}

/// An object in a pack.
pub struct Known {
    pub id: [u8; 20],
    start: usize,
    end: usize,
    /// The number of the object it is a delta of.
    base: Option<usize>,
    /// `None` when its header is odd, or its base's.
    pub content: Option<(Kind, Vec<u8>)>,
}

impl Packed {
    pub fn new(objects: &[Object], is_long: bool) -> Packed {
        let data = b"PACK\0\0\0\x02\0\0\0\0".to_vec();
        let mut packed = Packed { data, index: Vec::new(), objects: Vec::new() };
        for object in objects.iter().take(OBJECTS_MAX) {
            packed.push(object);
        }
        packed.data.extend([0; 20]);
        packed.index = index(&packed.objects, is_long);
        packed
    }

    /// Writes both files to where a repository in `folder` has its packs.
    pub fn write(&self, folder: &Path) {
        let folder = folder.join("objects/pack");
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        for (name, bytes) in [("pack-a.pack", &self.data), ("pack-a.idx", &self.index)] {
            fs::write(folder.join(name), bytes).expect("the temporary folder can be written");
        }
    }

    /// Whether all the bytes that an object is made of are as they were in `before`.
    pub fn is_intact(&self, number: usize, before: &[u8]) -> bool {
        let Known { start, end, base, .. } = self.objects[number];
        self.data.get(start..end) == before.get(start..end)
            && base.is_none_or(|base| self.is_intact(base, before))
    }

    fn push(&mut self, object: &Object) {
        let number = self.objects.len();
        let mut known =
            Known { id: id(number), start: self.data.len(), end: 0, base: None, content: None };
        match object {
            Object::Whole { kind, content, times } => {
                let (bits, kind) = match kind % 4 {
                    0 => (1, Kind::Commit),
                    1 => (2, Kind::Tree),
                    2 => (3, Kind::Blob),
                    _ => (4, Kind::Tag),
                };
                let content = content.repeat(usize::from(*times));
                self.header(bits, content.len() as u64);
                self.data.extend(deflated(&content));
                known.content = Some((kind, content));
            }
            Object::Delta { back, is_by_name, pieces } if 0 < number => {
                let base = number - 1 - usize::from(*back) % number;
                let start = self.objects[base].start;
                let content = self.objects[base].content.clone();
                let (delta, made) =
                    delta_of(content.as_ref().map_or(&[], |(_, content)| content), pieces);
                known.content = content.map(|(kind, _)| (kind, made));
                self.header(if *is_by_name { 7 } else { 6 }, delta.len() as u64);
                match is_by_name {
                    true => self.data.extend(self.objects[base].id),
                    false => self.data.extend(distance((known.start - start) as u64)),
                }
                self.data.extend(deflated(&delta));
                known.base = Some(base);
            }
            Object::Delta { .. } => return,
            Object::Odd { kind, size, back, content, is_plain } => {
                self.header(kind % 8, *size);
                match kind % 8 {
                    6 => self.data.extend(distance(*back)),
                    7 => self.data.extend(id(*back as usize % OBJECTS_MAX)),
                    _ => (),
                }
                self.data.extend(if *is_plain { content.clone() } else { deflated(content) });
            }
        }
        known.end = self.data.len();
        self.objects.push(known);
    }

    fn header(&mut self, kind: u8, size: u64) {
        let rest = size >> 4;
        let more = if rest == 0 { 0 } else { 0x80 };
        self.data.push(more | kind << 4 | (size & 0x0f) as u8);
        if rest != 0 {
            self.data.extend(number(rest));
        }
    }
}

/// The delta that does what the pieces say as far as they fit, and what it makes of `base`.
pub fn delta_of(base: &[u8], pieces: &[Piece]) -> (Vec<u8>, Vec<u8>) {
    let (mut commands, mut content) = (Vec::new(), Vec::new());
    for piece in pieces {
        let room = CONTENT_BYTES_MAX - content.len();
        match piece {
            Piece::Copy { start, length } => {
                let start = *start as usize % (base.len() + 1);
                let length = (*length as usize & 0xff_ffff).min(base.len() - start).min(room);
                if 0 < length {
                    commands.extend(copy(start, length));
                    content.extend(&base[start..start + length]);
                }
            }
            Piece::Insert(bytes) => {
                let bytes = &bytes[..bytes.len().min(0x7f).min(room)];
                if !bytes.is_empty() {
                    commands.push(bytes.len() as u8);
                    commands.extend(bytes);
                    content.extend(bytes);
                }
            }
        }
    }
    let lengths = [number(base.len() as u64), number(content.len() as u64)];
    ([&lengths[0][..], &lengths[1], &commands].concat(), content)
}

fn copy(start: usize, length: usize) -> Vec<u8> {
    // The one length that is written as nothing.
    let length = if length == 0x10000 { 0 } else { length };
    let mut command = vec![0x80];
    let bytes = start.to_le_bytes().into_iter().take(4).chain(length.to_le_bytes()).take(7);
    for (bit, byte) in bytes.enumerate().filter(|(_, byte)| *byte != 0) {
        command[0] |= 1 << bit;
        command.push(byte);
    }
    command
}

/// A number in groups of seven bits, the lowest first.
pub fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while 0x7f < number {
        bytes.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// How far back a base is: groups of seven bits, the highest first, where no number has two forms.
fn distance(mut back: u64) -> Vec<u8> {
    let mut bytes = vec![(back & 0x7f) as u8];
    while 0x7f < back {
        back = (back >> 7) - 1;
        bytes.push(0x80 | (back & 0x7f) as u8);
    }
    bytes.reverse();
    bytes
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}

/// Spread over the first bytes, several to each.
fn id(number: usize) -> [u8; 20] {
    let mut id = [number as u8; 20];
    id[0] = [0, 1, 7, 255][number % 4];
    id
}

fn index(objects: &[Known], is_long: bool) -> Vec<u8> {
    let mut sorted: Vec<&Known> = objects.iter().collect();
    sorted.sort_by_key(|it| it.id);
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=255 {
        let count = sorted.iter().filter(|it| it.id[0] <= first).count();
        index.extend((count as u32).to_be_bytes());
    }
    for object in &sorted {
        index.extend(object.id);
    }
    index.extend(vec![0; 4 * sorted.len()]);
    for (position, object) in sorted.iter().enumerate() {
        let offset = if is_long { 0x8000_0000 | position } else { object.start };
        index.extend((offset as u32).to_be_bytes());
    }
    for object in sorted.iter().filter(|_| is_long) {
        index.extend((object.start as u64).to_be_bytes());
    }
    index.extend([0; 40]);
    index
}
