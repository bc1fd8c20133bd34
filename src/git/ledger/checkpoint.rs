//! Checkpoints: what the journal holds is made sure elsewhere, and the journal starts over.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use super::{Ledger, packs::ROLLED_UP_MIN, record::Record};
use crate::{
    error::{Error, Result},
    git::{folder::flush, image::Image, lock::maintained_since, refs::PACKED},
};

impl Ledger {
    /// Flushes packs and refs behind the journal. The right to write is held.
    pub fn checkpoint(&mut self) -> Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.look()?;
        journal.rewind();
        let (mut merged, mut refs, mut whole) = (Image::default(), BTreeSet::new(), Vec::new());
        while let Some(content) = journal.next()? {
            let record = Record::decode(&content)?;
            match &record.image {
                Some(image) => merged.absorb(image),
                None => whole.extend(record.pack),
            }
            refs.extend(record.moves.into_iter().map(|it| it.name));
        }
        if journal.is_empty() {
            return Ok(());
        }
        if !merged.is_empty() {
            whole.push(self.packs.put_kept_for_good(&merged)?);
        }
        self.flush_refs(&refs)?;
        self.known.clear();
        self.journal()?.start_over()?;
        self.retire();
        for pack in std::mem::take(&mut self.steps) {
            if !whole.contains(&pack) {
                // Somebody may be about to read it, and finds the other one the next time.
                self.packs.release(&pack);
                self.retired.push(pack);
            }
        }
        // Only now: a repack leaves out what is in packs that are kept, and takes away the others.
        whole.iter().for_each(|it| self.packs.release(it));
        self.packs.roll_up(ROLLED_UP_MIN, maintained_since(&self.common_folder))
    }

    /// Removes packs whose objects have been elsewhere for a while.
    pub fn retire(&mut self) {
        let since = maintained_since(&self.common_folder);
        let packs = &self.packs;
        let may_go = |it: &mut String| since.is_none_or(|since| packs.is_younger(it, since));
        self.retired.extract_if(.., may_go).for_each(|it| packs.remove(&it));
    }

    /// Gives up all packs that were put there for a while: the journal has none of them any more.
    pub fn clear_kept(&mut self) {
        self.retired.clear();
        self.packs.sweep(&self.steps);
    }

    /// Leaves nothing but a plain Git repository. The right to write is held.
    pub fn leave(&mut self) -> Result<()> {
        self.checkpoint()?;
        self.retire();
        self.retired.clear();
        self.journal.take().map_or(Ok(()), |it| it.remove())
    }

    fn flush_refs(&self, names: &BTreeSet<String>) -> Result<()> {
        let mut folders = BTreeSet::from([self.common_folder.clone()]);
        let files = names.iter().map(|it| self.common_folder.join(it));
        for file in files.chain([self.common_folder.join(PACKED)]) {
            flush_if_there(&file)?;
            folders.extend(file.parent().map(Path::to_owned));
        }
        // A folder that was made for a ref has its own name in the one above.
        let above: BTreeSet<PathBuf> = folders
            .iter()
            .flat_map(|it| it.ancestors().take_while(|it| it.starts_with(&self.common_folder)))
            .map(Path::to_owned)
            .collect();
        above.iter().try_for_each(|it| flush_if_there(it))
    }
}

/// Flushes a file or folder, if it is there.
fn flush_if_there(path: &Path) -> Result<()> {
    match flush(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::from_io(path.display(), &error))
        }
        _ => Ok(()),
    }
}
