//! What makes a repository smaller without changing anything it says: loose refs are packed.

use std::{fs, path::Path};

use git2::Oid;

use super::{
    Held, Ledger, Loose, Site,
    carry::NewPacked,
    held::{self, loose_below},
};
use crate::{
    error::Result,
    git::refs::{OF_ONE_WORKTREE, REFS},
};

/// Refs that have files of their own and could do without.
pub fn loose_refs(common_folder: &Path) -> Vec<String> {
    let mut names = loose_below(common_folder, REFS.trim_end_matches('/'));
    names.retain(|name| !OF_ONE_WORKTREE.iter().any(|it| name.starts_with(it)));
    names.sort_unstable();
    names
}

/// A ref that has a file of its own: its name, its lock, and what it is.
type Loosely<'a> = (&'a str, Held, (Oid, Option<Oid>));

impl Ledger {
    /// Moves these refs, which come in the order of their names, into the one file for all; how
    /// many. Those that somebody else holds stay as they are.
    pub fn pack_refs(&mut self, names: &[String], site: &mut Site) -> Result<usize> {
        let mut packed: Vec<Loosely> = Vec::new();
        for name in names {
            let file = self.common_folder.join(name);
            let is_held = self.common_folder.join(format!("{name}.lock")).exists();
            if is_held || !matches!(held::read(&file), Ok(Loose::At(_))) {
                continue;
            }
            let Ok(held) = self.hold(name, None, site) else { continue };
            let Some(id) = held.before.filter(|_| held.is_loose) else { continue };
            // One that leads nowhere stays where `verify` and people see it.
            if let Ok(peeled) = site.repository.peeled(id) {
                packed.push((name, held, (id, peeled)));
            }
        }
        if packed.is_empty() {
            return Ok(0);
        }
        let mut new = NewPacked::take(self, site)?;
        site.right.begin();
        self.packed.refresh(&self.common_folder)?;
        let wanted = packed.iter().map(|(name, _, it)| (*name, Some(*it)));
        new.write(self.packed.with(wanted)?)?;
        new.put_for_good(&mut self.packed)?;
        packed.iter().try_for_each(|(_, held, _)| held.remove_file())?;
        drop(new);
        site.right.done();
        let names: Vec<&str> = packed.into_iter().map(|(name, ..)| name).collect();
        names.iter().for_each(|it| self.remove_empty_folders(it));
        Ok(names.len())
    }

    /// Removes the folders that a ref leaves empty, but for those that every repository has.
    fn remove_empty_folders(&self, name: &str) {
        let parts = name.split('/').count();
        let folders = Path::new(name).ancestors().skip(1).take(parts.saturating_sub(3));
        for folder in folders {
            if fs::remove_dir(self.common_folder.join(folder)).is_err() {
                return;
            }
        }
    }
}
