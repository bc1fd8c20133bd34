//! Reading packs without libgit2: faster for small objects, and in pieces for large ones.
//!
//! Only what is common is done here: index version 2, objects whose deltas lead to a base in the
//! same pack. Everything else is `None`, and libgit2 is asked. Format: gitformat-pack(5).

mod delta;
mod image;

use std::{
    cell::RefCell,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
    time::SystemTime,
};

use byteorder::{BigEndian, ByteOrder};
use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;
use memmap2::Mmap;

pub use self::image::{Image, Mark};
use super::cache::Cache;

/// A larger object is read in pieces or by libgit2.
pub const SMALL_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How much of bases is kept: neighbours in a pack are often deltas of the same one.
const BASES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// So much of a large object is read before its pages are given back.
const GIVEN_BACK_BYTES: usize = 8 * 1024 * 1024;
const PAGE_BYTES: usize = 64 * 1024;
/// A chain this long does not occur in sound packs.
const CHAIN_MAX: usize = 10_000;

const HASH_BYTES: usize = 20;
const FANOUT_AT: usize = 8;
const NAMES_AT: usize = FANOUT_AT + 256 * 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }
}

/// The packs of one repository.
pub struct Packs {
    folder: PathBuf,
    listed: RwLock<Listed>,
    bases: Mutex<Cache<(usize, usize), Base>>,
}

/// An object that others are deltas of.
type Base = (Kind, Arc<Vec<u8>>);

#[derive(Default)]
struct Listed {
    modified: Option<SystemTime>,
    packs: Vec<Arc<Pack>>,
}

struct Pack {
    /// Distinguishes packs in the cache of bases.
    number: usize,
    index: Mmap,
    data: Mmap,
    count: usize,
}

/// Where an object is, and what its header says.
pub struct Located {
    pack: Arc<Pack>,
    offset: usize,
}

enum Header {
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

impl Packs {
    pub fn new(common_folder: &Path) -> Packs {
        Packs {
            folder: common_folder.join("objects/pack"),
            listed: RwLock::default(),
            bases: Mutex::new(Cache::new(BASES_BYTES_MAX)),
        }
    }

    pub fn find(&self, id: &[u8]) -> Option<Located> {
        let find = |listed: &Listed| {
            listed.packs.iter().find_map(|pack| {
                let offset = pack.find(id)?;
                Some(Located { pack: pack.clone(), offset })
            })
        };
        if let Some(located) = find(&self.listed.read().expect("nobody panics with the lock")) {
            return Some(located);
        }
        // New packs may have come, and old ones gone.
        let modified = fs::metadata(&self.folder).and_then(|it| it.modified()).ok();
        let mut listed = self.listed.write().expect("nobody panics with the lock");
        if listed.modified == modified {
            return None;
        }
        *listed = Listed { modified, packs: list(&self.folder) };
        *self.bases.lock().expect("nobody panics with the lock") = Cache::new(BASES_BYTES_MAX);
        find(&listed)
    }

    /// The whole object, if it is small and its bases are in the same pack.
    pub fn read(&self, located: &Located) -> Option<(Kind, Vec<u8>)> {
        let Located { pack, offset } = located;
        let mut chain = Vec::new();
        let mut here = *offset;
        let (kind, mut content) = loop {
            if !chain.is_empty()
                && let Some((kind, base)) = self.base(pack, here)
            {
                break (kind, base);
            }
            match pack.header(here)? {
                Header::Whole { kind, size, at } if size <= SMALL_BYTES_MAX => {
                    let content = Arc::new(pack.inflate(at, size as usize)?);
                    if !chain.is_empty() {
                        self.keep_base(pack, here, kind, &content);
                    }
                    break (kind, content);
                }
                Header::Delta { base, size, at }
                    if size <= SMALL_BYTES_MAX && chain.len() < CHAIN_MAX =>
                {
                    chain.push((here, at, size));
                    here = base;
                }
                _ => return None,
            }
        };
        while let Some((here, at, size)) = chain.pop() {
            let delta = pack.inflate(at, usize::try_from(size).ok()?)?;
            content = Arc::new(delta::apply(&content, &delta)?);
            if !chain.is_empty() {
                self.keep_base(pack, here, kind, &content);
            }
        }
        Some((kind, Arc::unwrap_or_clone(content)))
    }

    fn base(&self, pack: &Pack, offset: usize) -> Option<Base> {
        let mut bases = self.bases.lock().expect("nobody panics with the lock");
        bases.get(&(pack.number, offset))
    }

    fn keep_base(&self, pack: &Pack, offset: usize, kind: Kind, content: &Arc<Vec<u8>>) {
        let mut bases = self.bases.lock().expect("nobody panics with the lock");
        bases.insert((pack.number, offset), (kind, content.clone()), content.len());
    }
}

impl Located {
    /// The kind and size of an object that is no delta, and a reader for it.
    pub fn whole(&self) -> Option<(Kind, u64, Pieces)> {
        match self.pack.header(self.offset)? {
            Header::Whole { kind, size, at } => {
                let pack = self.pack.clone();
                let pieces = Pieces {
                    pack,
                    at,
                    inflate: Decompress::new(true),
                    position: 0,
                    given_back: at,
                };
                Some((kind, size, pieces))
            }
            _ => None,
        }
    }
}

/// An object read from its start on, as far as somebody wants it.
pub struct Pieces {
    pack: Arc<Pack>,
    at: usize,
    inflate: Decompress,
    position: u64,
    /// Up to where the mapped pack was given back to the system.
    given_back: usize,
}

impl Pieces {
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next bytes; fewer than wanted only at the end or where the pack is damaged.
    pub fn next(&mut self, wanted: usize) -> Vec<u8> {
        let mut content = vec![0; wanted];
        let mut filled = 0;
        while filled < wanted {
            let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
            let input = self.pack.data.get(self.at..).unwrap_or_default();
            let output = &mut content[filled..];
            let status = self.inflate.decompress(input, output, FlushDecompress::None);
            self.at += (self.inflate.total_in() - read) as usize;
            let made = (self.inflate.total_out() - made) as usize;
            filled += made;
            if !matches!(status, Ok(Status::Ok)) || (made == 0 && input.is_empty()) {
                break;
            }
        }
        if self.given_back + GIVEN_BACK_BYTES <= self.at {
            self.pack.give_back(self.given_back..self.at);
            self.given_back = self.at;
        }
        content.truncate(filled);
        self.position += filled as u64;
        content
    }
}

fn list(folder: &Path) -> Vec<Arc<Pack>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut indexes: Vec<(SystemTime, PathBuf)> = entries
        .filter(|it| it.path().extension().is_some_and(|it| it == "idx"))
        .filter_map(|it| Some((it.metadata().ok()?.modified().ok()?, it.path())))
        .collect();
    // The newest first: what was written last is read most.
    indexes.sort_unstable_by(|a, b| b.cmp(a));
    let packs = indexes.iter().enumerate();
    packs.filter_map(|(number, (_, path))| Pack::open(number, path).map(Arc::new)).collect()
}

impl Pack {
    fn open(number: usize, index: &Path) -> Option<Pack> {
        let data = map(&index.with_extension("pack"))?;
        let index = map(index)?;
        if index.get(..8)? != b"\xfftOc\0\0\0\x02" || data.get(..4)? != b"PACK" {
            return None;
        }
        let count = BigEndian::read_u32(index.get(NAMES_AT - 4..NAMES_AT)?) as usize;
        let is_sound = NAMES_AT + count * (HASH_BYTES + 4 + 4) + 2 * HASH_BYTES <= index.len();
        is_sound.then_some(Pack { number, index, data, count })
    }

    /// Tells the system that these pages are not needed again soon; they count as our memory.
    fn give_back(&self, range: std::ops::Range<usize>) {
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

    fn find(&self, id: &[u8]) -> Option<usize> {
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

    fn header(&self, offset: usize) -> Option<Header> {
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
    fn inflate(&self, at: usize, size: usize) -> Option<Vec<u8>> {
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
