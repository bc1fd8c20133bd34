//! What a writer does first: it carries out what the ones before it were answered for.

use std::collections::BTreeMap;

use git2::Oid;

use super::{
    Ledger, Move, Site,
    carry::PACKED_NEW,
    held::{self, Loose},
    journal::Journal,
    record::{Record, combined},
};
use crate::{
    error::Result,
    git::{
        folder::files_below,
        lock::{HEAD_LOCK, PACKED_LOCK},
        refs::REFS,
    },
};

impl Ledger {
    /// Brings this process's knowledge and the repository up to the journal.
    pub(super) fn recover(&mut self, site: &mut Site) -> Result<()> {
        if self.journal.as_ref().is_some_and(|it| !it.is_there()) {
            self.journal = None;
        }
        let is_new = self.journal.is_none();
        if is_new {
            self.steps.clear();
            self.journal = Journal::open(&self.common_folder)?;
        }
        // What was lost with the power tells nobody that there was a writer.
        let is_first = is_new || site.right.follows_unfinished();
        let is_swept = !is_first || self.sweep(site);
        if let Err(error) = self.catch_up(site) {
            // What was read and is not carried out has to be read again.
            self.journal = None;
            return Err(error);
        }
        if is_first {
            // Nor does one who was killed between two steps.
            self.retire();
            self.packs.sweep(&self.steps);
        }
        if self.is_doubtful {
            self.checkpoint()?;
            self.is_doubtful = false;
        }
        if is_swept {
            site.right.mended();
        }
        Ok(())
    }

    /// Reads what was appended since this process looked, and carries out what is not yet.
    fn catch_up(&mut self, site: &Site) -> Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        if journal.look()? {
            // Their objects are in other packs by now.
            self.steps.clear();
        }
        let carried_out = journal.carried_out()?;
        let mut moves = Vec::new();
        while let Some(content) = journal.next()? {
            let record = Record::decode(&content)?;
            if carried_out < journal.end() {
                if let (Some(pack), Some(image)) = (&record.pack, &record.image) {
                    self.packs.restore(pack, image)?;
                }
                moves.extend(record.moves);
            }
            self.steps.extend(record.pack);
        }
        if !moves.is_empty() {
            self.settle(moves, site)?;
            self.journal()?.mark_carried_out()?;
        }
        Ok(())
    }

    /// Moves the refs to where the records left them, except for those that others moved on.
    fn settle(&mut self, moves: Vec<Move>, site: &Site) -> Result<()> {
        log::warn!("carrying out what {} records say", moves.len());
        let mut passed: BTreeMap<&str, Vec<Option<Oid>>> = BTreeMap::new();
        for it in &moves {
            passed.entry(&it.name).or_default().push(it.from());
        }
        self.packed.refresh(&self.common_folder)?;
        let (mut due, mut held) = (BTreeMap::new(), BTreeMap::new());
        for (name, it) in combined(&moves) {
            let file = self.common_folder.join(&name);
            let now = match held::read(&file)? {
                Loose::At(id) => Some(id),
                Loose::Absent => self.packed.find(name.as_bytes()),
                // Only a loss of power leaves this, and then it is ours.
                Loose::Torn => {
                    std::fs::remove_file(&file).ok();
                    it.from()
                }
                Loose::Symbolic(_) => continue,
            };
            let is_due = |now| now != it.to() && passed[name.as_str()].contains(&now);
            if !is_due(now) {
                continue;
            }
            let ours = self.hold(&name, None, site)?;
            if is_due(ours.before) {
                held.insert(name.clone(), ours);
                due.insert(name, it);
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let packed = self.prepare(&due, &held, false, site)?;
        self.move_refs(&due, &mut held, packed)
    }

    /// Removes the locks of the dead; false where one may be in use after all.
    fn sweep(&self, site: &Site) -> bool {
        let is_lock = |name: &str| name.ends_with(".lock");
        let mut files = files_below(&self.common_folder.join(REFS), &is_lock);
        files.extend([PACKED_LOCK, PACKED_NEW, HEAD_LOCK].map(|it| self.common_folder.join(it)));
        site.right.sweep(&self.common_folder, files, site.watch)
    }
}
