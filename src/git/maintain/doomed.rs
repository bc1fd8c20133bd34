//! What goes once it was packed anew: packs, and loose objects.
//!
//! While stock git packs what refs lead to, refs move. What it saw is whole in its packs; what was
//! written since is in other packs, which stay. That leaves old objects that nothing led to then
//! and something leads to now: from where refs are now, all that is not in the new packs is walked
//! through, and what is found in an old pack keeps that pack.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use git2::{ObjectType, Oid};

use crate::{
    error::{Error, Result},
    git::{
        Repository, edit,
        folder::{all_files_below, files_below},
        ledger::{Loose as Loosely, PackFolder, read_loose},
        pack::{Kind, Pack},
        plain::expect_plain,
        refs::REFS,
        tree,
    },
};

pub struct Doomed {
    folder: PathBuf,
    packs: Vec<Old>,
    loose: Vec<Loose>,
    fresh: Vec<Pack>,
    /// What was walked through.
    seen: HashSet<Oid>,
}

struct Old {
    name: String,
    stamp: Stamp,
    pack: Pack,
}

struct Loose {
    id: Oid,
    file: PathBuf,
    stamp: Stamp,
    rank: Rank,
}

/// What leads to others goes before them: a branch could be put on an old commit, of which nobody
/// sees that its trees are gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Also what cannot be read.
    Leading,
    Tree,
    Blob,
}

/// Changes when somebody says that the file is still needed.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: SystemTime,
}

impl Stamp {
    fn of(file: &Path) -> Option<Stamp> {
        let found = fs::metadata(file).ok()?;
        let (inode, bytes) = (found.ino(), found.len());
        Some(Stamp { inode, bytes, modified: found.modified().ok()? })
    }
}

impl Doomed {
    /// All that is not marked to stay.
    pub fn list(common_folder: &Path) -> Doomed {
        let folder = common_folder.join("objects");
        let is_index = |name: &str| name.starts_with("pack-") && name.ends_with(".idx");
        let packs = files_below(&folder.join("pack"), &is_index).into_iter().filter_map(|index| {
            let name = index.file_stem()?.to_str()?.strip_prefix("pack-")?.to_owned();
            let stays = ["keep", "promisor"].iter().any(|it| index.with_extension(it).exists());
            let stamp = Stamp::of(&index.with_extension("pack")).filter(|_| !stays)?;
            Some(Old { name, stamp, pack: Pack::open(0, &index)? })
        });
        let packs = packs.collect();
        let is_object = |it: &str| it.len() == 38 && it.bytes().all(|it| it.is_ascii_hexdigit());
        let loose = files_below(&folder, &is_object).into_iter().filter_map(|file| {
            let above = file.parent()?.file_name()?.to_str()?;
            let id = Oid::from_str(&format!("{above}{}", file.file_name()?.to_str()?)).ok()?;
            Some(Loose { id, stamp: Stamp::of(&file)?, file, rank: Rank::Leading })
        });
        let loose = loose.collect();
        let folder = folder.join("pack");
        Doomed { folder, packs, loose, fresh: Vec::new(), seen: HashSet::new() }
    }

    /// The bytes of what is new, and of what is known.
    pub fn bytes(&self, is_known: impl Fn(&str) -> bool) -> [u64; 2] {
        let mut bytes = [self.loose.iter().map(|it| it.stamp.bytes).sum(), 0];
        for it in &self.packs {
            bytes[usize::from(is_known(&it.name))] += it.stamp.bytes;
        }
        bytes
    }

    /// The names of the packs, but for those that were just made.
    pub fn packs_but(&self, fresh: &[String]) -> Vec<String> {
        let names = self.packs.iter().map(|it| it.name.clone());
        // Somebody else may have removed some.
        let is_there = |it: &String| self.folder.join(format!("pack-{it}.idx")).exists();
        names.filter(|it| !fresh.contains(it) && is_there(it)).collect()
    }

    /// Remembers what was packed anew. What is neither there nor in an old pack stays: it is loose,
    /// and the git program has left out what is too old.
    pub fn replaced_by(&mut self, common_folder: &Path, fresh: &[String]) -> Result<()> {
        let folder = common_folder.join("objects/pack");
        for name in fresh {
            let pack = Pack::open(0, &folder.join(format!("pack-{name}.idx")));
            let gone = || Error::locked("somebody else packs this repository");
            self.fresh.push(pack.ok_or_else(gone)?);
        }
        // The same objects may have made the same pack.
        self.packs.retain(|it| !fresh.contains(&it.name));
        Ok(())
    }

    /// Walks from where refs are through all that is not in the new packs. What cannot be read may
    /// lead to anything: then nothing goes.
    pub fn spare_what_is_reached(&mut self, repository: &Repository) -> Result<()> {
        let ends = shallow_ends(repository.common_folder())?;
        let mut next = tips(repository)?;
        while let Some(id) = next.pop() {
            let is_fresh = self.fresh.iter().any(|it| it.find(id.as_bytes()).is_some());
            if is_fresh || !self.seen.insert(id) {
                continue;
            }
            self.packs.retain(|it| it.pack.find(id.as_bytes()).is_none());
            self.loose.retain(|it| it.id != id);
            let (kind, content) = repository.object(id)?;
            let count = next.len();
            reached(kind, &content, &mut next);
            if ends.contains(&id) {
                // Its parents are beyond the depth of the clone.
                next.truncate(count + 1);
            }
        }
        Ok(())
    }

    /// Finds out in which order the loose objects are to go.
    pub fn rank(&mut self, repository: &Repository) -> Result<()> {
        let odb = repository.inner.odb()?;
        for it in &mut self.loose {
            it.rank = match odb.read_header(it.id) {
                Ok((_, ObjectType::Tree)) => Rank::Tree,
                Ok((_, ObjectType::Blob)) => Rank::Blob,
                _ => Rank::Leading,
            };
        }
        self.loose.sort_by_key(|it| it.rank);
        Ok(())
    }

    /// Removes the packs, and with them the loose objects that lead to others, in packs or not; how
    /// many of these.
    pub fn remove_packs_and_leading(&mut self) -> u64 {
        self.remove_packs();
        let leading = self.loose.iter().take_while(|it| it.rank == Rank::Leading).count();
        self.remove_loose(leading)
    }

    fn remove_packs(&mut self) {
        let index = self.folder.join("multi-pack-index");
        if !self.packs.is_empty() {
            // It would name packs that are gone.
            let _ = fs::remove_file(index);
        }
        let folder = PackFolder::in_folder(&self.folder);
        for old in self.packs.drain(..) {
            let file = self.folder.join(format!("pack-{}.pack", old.name));
            let is_needed = file.with_extension("keep").exists();
            if !is_needed && Stamp::of(&file) == Some(old.stamp) {
                folder.remove(&old.name);
            }
        }
    }

    pub fn has_loose(&self) -> bool {
        !self.loose.is_empty()
    }

    /// Removes some loose objects; how many.
    pub fn remove_loose(&mut self, count_max: usize) -> u64 {
        let count = self.loose.len().min(count_max);
        let is_removed =
            |it: &Loose| Stamp::of(&it.file) == Some(it.stamp) && fs::remove_file(&it.file).is_ok();
        let removed = self.loose.drain(..count).filter(is_removed).count();
        removed as u64
    }
}

/// Where refs lead, and what is checked out. One that cannot be read is not gone.
fn tips(repository: &Repository) -> Result<Vec<Oid>> {
    let common = repository.common_folder();
    let failed = |error: io::Error| Error::from_io(common.display(), &error);
    let mut files = all_files_below(&common.join(REFS)).map_err(failed)?;
    files.retain(|it| it.extension().is_none_or(|it| it != "lock"));
    let linked = common.join("worktrees");
    let is_head = |it: &PathBuf| {
        it.ends_with("HEAD") && it.ancestors().nth(2).is_some_and(|it| *it == linked)
    };
    files.extend(all_files_below(&linked).map_err(failed)?.into_iter().filter(is_head));
    files.push(common.join("HEAD"));
    let mut tips = Vec::new();
    // These first: one that is packed meanwhile is found among the packed.
    for file in files {
        match read_loose(&file)? {
            Loosely::At(id) => tips.push(id),
            Loosely::Absent | Loosely::Symbolic(_) => (),
            Loosely::Torn => {
                return Err(Error::corrupt(format!("{} is no ref", file.display())));
            }
        }
    }
    expect_plain(repository.common_folder(), None)?;
    for reference in repository.inner.references()? {
        tips.extend(reference?.target());
    }
    Ok(tips)
}

/// The commits whose parents a shallow clone has not.
fn shallow_ends(common_folder: &Path) -> Result<HashSet<Oid>> {
    let file = common_folder.join("shallow");
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.lines().filter_map(|it| Oid::from_str(it).ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(Error::from_io(file.display(), &error)),
    }
}

/// What an object needs, the tree of a commit first.
pub fn reached(kind: Kind, content: &[u8], next: &mut Vec<Oid>) {
    match kind {
        Kind::Blob => (),
        Kind::Tree => next.extend(
            edit::entries(content)
                .filter(|(_, it)| tree::Kind::of(it.mode) != tree::Kind::Submodule)
                .map(|(_, it)| it.id),
        ),
        Kind::Commit | Kind::Tag => {
            let lines = content.split(|it| *it == b'\n').take_while(|it| !it.is_empty());
            let ids = lines.filter_map(|line| {
                let heads: [&[u8]; 3] = [b"tree ", b"parent ", b"object "];
                let id = heads.iter().find_map(|it| line.strip_prefix(*it))?;
                Oid::from_str(str::from_utf8(id).ok()?).ok()
            });
            next.extend(ids);
        }
    }
}

#[cfg(test)]
mod tests;
