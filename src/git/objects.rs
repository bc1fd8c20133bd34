//! Content of objects, from the fastest place that has it.
//!
//! Shared by all handles of one repository. Objects never change, so what was read once is right
//! for ever; only memory limits how much is kept.

use std::{
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use git2::Oid;

use super::{
    cache::Cache,
    ledger::Packed,
    pack::{Kind, Packs, Pieces, SMALL_BYTES_MAX},
    tip::Tip,
    tree,
    trees::{FOLDER, Place, Tree},
};

/// How much content of files and folders is kept, and of how many commits the top folder.
const BLOBS_BYTES_MAX: usize = 96 * 1024 * 1024;
const TREES_BYTES_MAX: usize = 8 * 1024 * 1024;
const COMMITS_BYTES_MAX: usize = 256 * 1024;
/// A larger file is read again rather than kept.
const BLOB_BYTES_MAX: usize = 128 * 1024;
/// How many large objects are read in pieces at the same time.
const READERS_MAX: usize = 4;
/// What a reader inflates at once to get to where it is wanted.
const SKIP_BYTES: usize = 256 * 1024;

pub struct Objects {
    pub tip: Tip,
    packs: Packs,
    /// For lists of refs.
    packed: Mutex<Packed>,
    commits: Mutex<Cache<Oid, Oid>>,
    trees: Mutex<Cache<Oid, Arc<Tree>>>,
    blobs: Mutex<Cache<Oid, Arc<Vec<u8>>>>,
    readers: Mutex<Vec<(Oid, Pieces)>>,
}

/// A blob that is read once: whole, or in pieces of so many bytes in all.
pub enum Once {
    Small(Vec<u8>),
    Large(u64, Pieces),
}

impl Objects {
    /// Of a worktree with this folder of its own, and this one that all worktrees share.
    pub fn new(git_folder: &Path, common_folder: &Path) -> Objects {
        Objects {
            tip: Tip::new(git_folder, common_folder),
            packs: Packs::new(common_folder),
            packed: Mutex::default(),
            commits: Mutex::new(Cache::new(COMMITS_BYTES_MAX)),
            trees: Mutex::new(Cache::new(TREES_BYTES_MAX)),
            blobs: Mutex::new(Cache::new(BLOBS_BYTES_MAX)),
            readers: Mutex::default(),
        }
    }

    /// The packed refs, as they were when somebody listed them.
    pub fn packed(&self) -> MutexGuard<'_, Packed> {
        lock(&self.packed)
    }

    /// The tree of a commit, if it was asked before.
    pub fn known_tree(&self, id: Oid) -> Option<Oid> {
        lock(&self.commits).get(&id)
    }

    /// The tree of a commit, if it was asked before; else `find` tells.
    pub fn tree_of<E>(&self, id: Oid, find: impl FnOnce() -> Result<Oid, E>) -> Result<Oid, E> {
        if let Some(tree) = self.known_tree(id) {
            return Ok(tree);
        }
        let tree = find()?;
        lock(&self.commits).insert(id, tree, 128);
        Ok(tree)
    }

    /// Where a name leads from a tree, if all folders on the way were read before.
    pub fn known_place(&self, tree: Oid, name: &[u8]) -> Option<Place> {
        follow(tree, name, |id| lock(&self.trees).get(&id))?
    }

    /// Where a name leads from a tree: nowhere, or `None` where libgit2 has to be asked.
    pub fn place(&self, tree: Oid, name: &[u8]) -> Option<Option<Place>> {
        follow(tree, name, |id| self.tree(id))
    }

    fn tree(&self, id: Oid) -> Option<Arc<Tree>> {
        if let Some(tree) = lock(&self.trees).get(&id) {
            return Some(tree);
        }
        let (Kind::Tree, content) = self.packs.read(&self.packs.find(id.as_bytes())?)? else {
            return None;
        };
        let tree = Arc::new(Tree::parse(content)?);
        lock(&self.trees).insert(id, tree.clone(), tree.bytes() + 128);
        Some(tree)
    }

    /// The content of a small blob, if it was read before.
    pub fn known_blob(&self, id: Oid) -> Option<Arc<Vec<u8>>> {
        lock(&self.blobs).get(&id)
    }

    /// The content of a small blob; `None` where libgit2 has to be asked.
    pub fn blob(&self, id: Oid) -> Option<Arc<Vec<u8>>> {
        if let Some(content) = self.known_blob(id) {
            return Some(content);
        }
        let located = self.packs.find(id.as_bytes())?;
        let (Kind::Blob, content) = self.packs.read(&located)? else { return None };
        let content = Arc::new(content);
        self.keep(id, &content);
        Some(content)
    }

    /// Any small object; `None` where libgit2 has to be asked.
    pub fn object(&self, id: Oid) -> Option<(Kind, Vec<u8>)> {
        self.packs.read(&self.packs.find(id.as_bytes())?)
    }

    fn keep(&self, id: Oid, content: &Arc<Vec<u8>>) {
        if content.len() <= BLOB_BYTES_MAX {
            lock(&self.blobs).insert(id, content.clone(), content.len() + 128);
        }
    }

    /// The size of a large blob that can be read in pieces.
    pub fn large(&self, id: Oid) -> Option<u64> {
        let (kind, size, _) = self.packs.find(id.as_bytes())?.whole()?;
        (kind == Kind::Blob && SMALL_BYTES_MAX < size).then_some(size)
    }

    /// A blob that is read once, from its start, and is not kept. `None`: libgit2 has to be asked.
    pub fn once(&self, id: Oid) -> Option<Once> {
        let located = self.packs.find(id.as_bytes())?;
        match self.packs.read(&located) {
            Some((Kind::Blob, content)) => Some(Once::Small(content)),
            Some(_) => None,
            None => match located.whole()? {
                (Kind::Blob, size, pieces) => Some(Once::Large(size, pieces)),
                _ => None,
            },
        }
    }

    /// A range of a large blob. Reading goes on from where an earlier range ended.
    pub fn range(&self, id: Oid, range: Range<u64>) -> Option<Vec<u8>> {
        let mut reader = self.reader(id, range.start)?;
        while reader.position() < range.start {
            let left = usize::try_from(range.start - reader.position()).ok()?;
            if reader.next(left.min(SKIP_BYTES)).is_empty() {
                return None;
            }
        }
        let wanted = usize::try_from(range.end - range.start).ok()?;
        let content = reader.next(wanted);
        let is_whole = content.len() == wanted;
        let mut readers = lock(&self.readers);
        if READERS_MAX <= readers.len() {
            readers.remove(0);
        }
        readers.push((id, reader));
        is_whole.then_some(content)
    }

    fn reader(&self, id: Oid, start: u64) -> Option<Pieces> {
        let mut readers = lock(&self.readers);
        let before = readers
            .iter()
            .enumerate()
            .filter(|(_, (it, reader))| *it == id && reader.position() <= start)
            .max_by_key(|(_, (_, reader))| reader.position());
        match before.map(|(index, _)| index) {
            Some(index) => Some(readers.remove(index).1),
            None => Some(self.packs.find(id.as_bytes())?.whole()?.2),
        }
    }
}

/// Goes from folder to folder; `None` where one of them cannot be had.
fn follow(
    tree: Oid,
    name: &[u8],
    read: impl Fn(Oid) -> Option<Arc<Tree>>,
) -> Option<Option<Place>> {
    let mut here = Place { id: tree, mode: FOLDER };
    for part in name.split(|it| *it == b'/') {
        if tree::Kind::of(here.mode) != tree::Kind::Folder {
            return Some(None);
        }
        match read(here.id)?.find(part) {
            Some(place) => here = place,
            None => return Some(None),
        }
    }
    Some(Some(here))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with the lock")
}
