//! Reading packs without libgit2: faster for small objects, and in pieces for large ones.
//!
//! Only what is common is done here: index version 2, objects whose deltas lead to a base in the
//! same pack. Everything else is `None`, and libgit2 is asked. Format: gitformat-pack(5).

mod delta;
mod file;

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
    time::SystemTime,
};

use flate2::{Decompress, FlushDecompress, Status};

use self::file::Header;
pub use self::file::Pack;
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

pub const HASH_BYTES: usize = 20;
const FANOUT_AT: usize = 8;
pub const NAMES_AT: usize = FANOUT_AT + 256 * 4;

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
    /// The newest first: what was written last is read most.
    packs: Vec<Found>,
    /// How many were opened so far.
    opened: usize,
}

struct Found {
    index: PathBuf,
    /// Tells the file from another one of its name.
    inode: u64,
    modified: SystemTime,
    /// Nothing where it cannot be read here.
    pack: Option<Arc<Pack>>,
}

/// Where an object is, and what its header says.
pub struct Located {
    pack: Arc<Pack>,
    offset: usize,
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
            listed.packs.iter().filter_map(|it| it.pack.as_ref()).find_map(|pack| {
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
        listed.refresh(&self.folder, modified);
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

impl Listed {
    /// Opens the packs that came; those that are open already stay open until they are gone.
    fn refresh(&mut self, folder: &Path, modified: Option<SystemTime>) {
        let before = std::mem::take(&mut self.packs).into_iter();
        let mut before: HashMap<(PathBuf, u64), Found> =
            before.map(|it| ((it.index.clone(), it.inode), it)).collect();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let index = entry.path();
            if index.extension().is_none_or(|it| it != "idx") {
                continue;
            }
            let inode = entry.ino();
            let found = before.remove(&(index.clone(), inode));
            let found = found.filter(|it| it.pack.is_some()).unwrap_or_else(|| {
                self.opened += 1;
                let pack = Pack::open(self.opened, &index).map(Arc::new);
                let modified = entry.metadata().and_then(|it| it.modified());
                let modified = modified.unwrap_or(SystemTime::UNIX_EPOCH);
                Found { inode, modified, pack, index }
            });
            self.packs.push(found);
        }
        self.packs.sort_unstable_by(|a, b| (b.modified, &b.index).cmp(&(a.modified, &a.index)));
        self.modified = modified;
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
