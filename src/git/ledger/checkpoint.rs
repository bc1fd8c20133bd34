//! Checkpoints: what the journal holds is made sure elsewhere, and the journal starts over.

use std::{
    collections::BTreeSet,
    io::ErrorKind::{NotADirectory, NotFound},
    path::{Path, PathBuf},
};

use super::{Ledger, Loose, Site, held, packs::ROLLED_UP_MIN, record::Record};
use crate::{
    error::{Code, Error, Result},
    git::{folder::flush, image::Image, lock::maintained_since, refs::PACKED},
};

impl Ledger {
    /// Flushes packs and refs behind the journal.
    pub fn checkpoint(&mut self, site: &mut Site) -> Result<()> {
        self.show(site)?;
        self.start_anew(site, false)?;
        site.right.done();
        Ok(())
    }

    /// The same after a flush that failed, perhaps another daemon's, or a loss of power: what such
    /// a flush left out the next one would not write, so it is written anew.
    pub(super) fn secure(&mut self, site: &mut Site) -> Result<()> {
        self.show(site)?;
        self.start_anew(site, true)?;
        self.is_doubtful = false;
        Ok(())
    }

    fn start_anew(&mut self, site: &mut Site, is_doubtful: bool) -> Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.look()?;
        journal.rewind();
        let (mut merged, mut refs) = (Image::default(), BTreeSet::new());
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        while let Some(content) = journal.next()? {
            let record = Record::decode(&content)?;
            match &record.image {
                Some(image) => {
                    merged.absorb(image);
                    parts.extend(record.pack);
                }
                None => whole.extend(record.pack),
            }
            refs.extend(record.moves.into_iter().map(|it| it.name));
        }
        if journal.is_empty() && !is_doubtful {
            return Ok(());
        }
        let made = match merged.is_empty() {
            true => None,
            false => match self.packs.put_kept_for_good(&merged) {
                Ok(name) => Some(name),
                // Then the small packs have to do, until there is room.
                Err(error) if error.code == Code::DiskFull => {
                    parts.extend(self.steps.iter().cloned());
                    self.packs.flush(&parts)?;
                    whole.append(&mut parts);
                    None
                }
                Err(error) => return Err(error),
            },
        };
        whole.extend(made.clone());
        // Where this fails, or is killed, nobody trusts the next flush.
        site.right.begin();
        let again = if is_doubtful { self.write_again(&refs, site) } else { Ok(()) };
        if let Err(error) = again.and_then(|()| self.flush_refs(&refs)) {
            self.is_doubtful = true;
            // The journal has them still, and the packs of its steps.
            made.iter().for_each(|it| self.packs.remove(it));
            return Err(error);
        }
        self.known.clear();
        let journal = self.journal()?;
        if let Err(error) = journal.start_over().and_then(|()| journal.mark_carried_out()) {
            (self.is_doubtful, self.journal) = (true, None);
            return Err(error);
        }
        self.relaxed_since = None;
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
        Ok(())
    }

    /// Makes a checkpoint, and few packs of many. Without that everything works, only slower.
    pub fn clear_up(&mut self, site: &mut Site) -> Result<()> {
        self.checkpoint(site)?;
        let rolled_up = self.packs.roll_up(ROLLED_UP_MIN, maintained_since(&self.common_folder));
        if let Err(error) = rolled_up {
            log::info!("small packs stay: {error}");
        }
        Ok(())
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

    /// Leaves nothing but a plain Git repository.
    pub fn leave(&mut self, site: &mut Site) -> Result<()> {
        self.clear_up(site)?;
        self.retire();
        self.retired.clear();
        self.journal.take().map_or(Ok(()), |it| it.remove())
    }

    /// Gives refs files that were not flushed yet.
    fn write_again(&mut self, names: &BTreeSet<String>, site: &Site) -> Result<()> {
        for name in names {
            if let Ok(Loose::At(_)) = held::read(&self.common_folder.join(name)) {
                let mut held = self.hold(name, None, site)?;
                if let Some(id) = held.before.filter(|_| held.is_loose) {
                    held.write(id)?;
                    held.put()?;
                }
            }
        }
        Ok(())
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
        // Where a folder was there may be a ref by now.
        Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => {
            Err(Error::from_io(path.display(), &error))
        }
        _ => Ok(()),
    }
}
