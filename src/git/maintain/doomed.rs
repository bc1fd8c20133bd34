//! What goes once it was packed anew: packs, and loose objects.
//!
//! While stock git packs what refs lead to, refs move. What it saw is whole in its packs; what was
//! written since is in other packs, which stay. That leaves old objects that nothing led to then
//! and something leads to now: from where refs are now, all that is not in the new packs is walked
//! through, and what is found in an old pack keeps that pack.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use git2::Oid;

use crate::{
    error::{Error, Result},
    git::{
        Repository, edit,
        folder::files_below,
        ledger::PackFolder,
        pack::{Kind, Pack},
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
            Some(Loose { id, stamp: Stamp::of(&file)?, file })
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

    /// Walks from where refs are through all that is not in the new packs.
    pub fn spare_what_is_reached(&mut self, repository: &Repository) -> Result<()> {
        let mut next: Vec<Oid> = Vec::new();
        for reference in repository.inner.references()? {
            next.extend(reference.ok().and_then(|it| it.target()));
        }
        next.extend(repository.inner.refname_to_id("HEAD").ok());
        while let Some(id) = next.pop() {
            let is_fresh = self.fresh.iter().any(|it| it.find(id.as_bytes()).is_some());
            if is_fresh || !self.seen.insert(id) {
                continue;
            }
            self.packs.retain(|it| it.pack.find(id.as_bytes()).is_none());
            self.loose.retain(|it| it.id != id);
            // What is not there, beyond the depth of a shallow clone, is in nothing that goes.
            if let Ok((kind, content)) = repository.object(id) {
                reached(kind, &content, &mut next);
            }
        }
        Ok(())
    }

    pub fn remove_packs(&mut self) {
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
