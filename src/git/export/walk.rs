//! From the tree of a commit to the entries of an archive, in the order of the tree.

use std::{io::Read, path::Path};

use git2::{Odb, Oid, Tree};

use super::{Archive, Export, Meter, blob::Blob};
use crate::{
    error::{Error, Result},
    git::{FileName, RawName, Repository, tree::Kind},
};

/// Links are paths, and no system has longer ones.
const LINK_BYTES_MAX: u64 = 64 * 1024;
const EXECUTABLE: u32 = 0o111;

pub struct Walk<'a> {
    repository: &'a Repository,
    odb: Odb<'a>,
    top: Tree<'a>,
    prefix: Vec<u8>,
    paths: Option<Vec<Vec<u8>>>,
}

/// A folder whose entries from `next` on are still to come.
struct Level<'a> {
    tree: Tree<'a>,
    next: usize,
    /// Of its name, with a slash at the end.
    length: usize,
}

struct Found {
    id: Oid,
    mode: u32,
}

impl Level<'_> {
    /// The next entry, whose name is put behind that of the folder.
    fn step(&mut self, name: &mut Vec<u8>) -> Option<Found> {
        let entry = self.tree.get(self.next)?;
        self.next += 1;
        name.extend_from_slice(entry.name_bytes());
        Some(Found { id: entry.id(), mode: entry.filemode_raw().cast_unsigned() })
    }
}

impl<'a> Walk<'a> {
    /// All that is to be exported must be there.
    pub fn new(repository: &'a Repository, top: Tree<'a>, export: &Export) -> Result<Walk<'a>> {
        let bare = |name: &FileName| {
            let name = name.as_bytes();
            name.strip_suffix(b"/").unwrap_or(name).to_vec()
        };
        let mut prefix = export.prefix.as_ref().map(bare).unwrap_or_default();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        for name in export.paths.iter().flatten() {
            top.get_path(name.as_path()).map_err(|_| absent(name.as_path()))?;
        }
        let paths = export.paths.as_ref().map(|it| it.iter().map(bare).collect());
        Ok(Walk { repository, odb: repository.inner.odb()?, top, prefix, paths })
    }

    pub fn fill(self, archive: &mut impl Archive, meter: &Meter) -> Result<()> {
        for (end, _) in self.prefix.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            archive.folder(&self.prefix[..end])?;
        }
        let mut name = self.prefix.clone();
        // No recursion: a tree may be deeper than a stack.
        let mut levels = vec![Level { tree: self.top.clone(), next: 0, length: name.len() }];
        while let Some(level) = levels.last_mut() {
            meter.watch.check()?;
            name.truncate(level.length);
            let level_length = level.length;
            let Some(found) = level.step(&mut name) else {
                levels.pop();
                continue;
            };
            if !self.is_wanted(&name[self.prefix.len()..]) {
                continue;
            }
            // What leads out of the archive, or through a link in it, is in no sound commit.
            expect_one_part(&name, level_length)?;
            FileName::try_from(&RawName(name.clone()))?;
            self.add(archive, &name, &found)?;
            meter.done.set(meter.done.get() + 1);
            meter.tell();
            if Kind::of(found.mode) == Kind::Folder {
                let tree = self.repository.inner.find_tree(found.id);
                let tree = tree.map_err(|error| self.repository.unreadable(found.id, error))?;
                name.push(b'/');
                levels.push(Level { tree, next: 0, length: name.len() });
            }
        }
        Ok(())
    }

    fn add(&self, archive: &mut impl Archive, name: &[u8], found: &Found) -> Result<()> {
        let open = || {
            Blob::open(self.repository, &self.odb, found.id).map_err(|error| {
                error.while_doing(format!("the content of {}", String::from_utf8_lossy(name)))
            })
        };
        match Kind::of(found.mode) {
            Kind::File => archive.file(name, found.mode & EXECUTABLE != 0, open()?),
            Kind::Folder | Kind::Submodule => archive.folder(name),
            Kind::Link => {
                let blob = open()?;
                if LINK_BYTES_MAX < blob.size() {
                    let name = String::from_utf8_lossy(name);
                    return Err(Error::invalid(format!("the link {name} is too long")));
                }
                let mut target = Vec::new();
                blob.take(LINK_BYTES_MAX).read_to_end(&mut target).map_err(super::failed)?;
                archive.link(name, &target)
            }
        }
    }

    /// Whether an entry was asked for, is in a folder that was, or is on the way to one.
    fn is_wanted(&self, name: &[u8]) -> bool {
        let Some(paths) = &self.paths else { return true };
        paths.iter().any(|path| path == name || is_in(name, path) || is_in(path, name))
    }
}

/// Fails where the name of an entry, which is behind that of its folder, would be a path.
fn expect_one_part(name: &[u8], folder: usize) -> Result<()> {
    match name[folder..].contains(&b'/') {
        false => Ok(()),
        true => {
            let name = String::from_utf8_lossy(name);
            let message = format!("an entry of a tree is called as a path: {name}");
            Err(Error::denied(message).with("rule", "not one name between slashes"))
        }
    }
}

fn is_in(name: &[u8], folder: &[u8]) -> bool {
    name.strip_prefix(folder).is_some_and(|it| it.first() == Some(&b'/'))
}

fn absent(name: &Path) -> Error {
    Error::not_found(format!("{} is not in that revision", name.display())).with("field", "paths")
}
