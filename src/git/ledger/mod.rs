//! The one writer of a repository: everything that changes its refs comes through here.
//!
//! What waits is carried out as one step: its objects become one pack, its moves of refs and the
//! objects one record of the journal, and one flush of the journal makes all of it durable. Stock
//! git sees pack and refs at once; that they are on disk for good is the work of a checkpoint,
//! which comes after some dozens of steps and when nothing happens. Whoever comes after a kill or a
//! loss of power finds in the journal what was answered for, and carries it out again.

mod carry;
mod checkpoint;
mod held;
mod housekeeping;
mod journal;
mod later;
mod packed;
mod packs;
mod record;
mod recovery;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use git2::Oid;

pub(super) use self::housekeeping::loose_refs;
pub use self::{
    carry::Step,
    held::{Held, Loose, read as read_loose},
    journal::NAME as JOURNAL,
    packed::Packed,
    packs::PackFolder,
    record::Move,
};
use self::{journal::Journal, later::Later, record::Record};
use super::{Repository, cache::Cache, image::Image, lock};
use crate::{error::Result, watch::Watch};

/// A checkpoint comes after so many steps, so that there are never more small packs than this …
const STEPS_MAX: usize = 64;
/// … or after so many bytes of records.
const JOURNAL_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// More objects than this are not written twice: their pack is flushed instead.
const IMAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// So late at most steps are flushed that nobody waited for, give or take one look.
const RELAXED_MAX: Duration = Duration::from_millis(500);
/// How much of trees is kept for the next step.
const TREES_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Of how many commits the tree is kept.
const ROOTS_MAX: usize = 4096;

/// Where a step is carried out.
pub struct Site<'a> {
    pub repository: &'a Repository,
    pub right: lock::Writer,
    pub watch: &'a Watch,
}

/// What one process knows of a repository that it writes. Used by one thread at a time.
pub struct Ledger {
    /// The folder with objects and refs.
    common_folder: PathBuf,
    journal: Option<Journal>,
    packed: Packed,
    packs: PackFolder,
    /// Refs that a record on disk says the place of, since the last checkpoint.
    known: BTreeSet<String>,
    /// Packs put there since the last checkpoint, and those that the last one made superfluous.
    steps: Vec<String>,
    retired: Vec<String>,
    /// Whether a flush failed: what is on disk is not what is read any more, and another flush
    /// would say that it is.
    is_doubtful: bool,
    /// What Git sees a moment later.
    later: Later,
    /// How long it took to have it see that, the last time.
    shown_in: Duration,
    /// Since when steps that nobody waited for are not flushed.
    relaxed_since: Option<Instant>,
    /// When it was last looked for what the dead left.
    swept: Option<Instant>,
    /// When this was last used.
    used: Instant,
    /// Another one as soon as somebody else may have written.
    epoch: u64,
    pub trees: Cache<Oid, Arc<Vec<u8>>>,
    /// The trees of commits.
    pub roots: Cache<Oid, Oid>,
}

impl Ledger {
    pub fn new(common_folder: PathBuf) -> Ledger {
        Ledger {
            packs: PackFolder::of(&common_folder),
            common_folder,
            journal: None,
            packed: Packed::default(),
            known: BTreeSet::new(),
            steps: Vec::new(),
            retired: Vec::new(),
            is_doubtful: false,
            later: Later::default(),
            shown_in: Duration::ZERO,
            relaxed_since: None,
            swept: None,
            used: Instant::now(),
            epoch: next_epoch(),
            trees: Cache::new(TREES_BYTES_MAX),
            roots: Cache::new(ROOTS_MAX),
        }
    }

    /// Whether there is a journal, in which something may wait to be carried out.
    pub fn is_left_at(common_folder: &Path) -> bool {
        common_folder.join(journal::NAME).exists()
    }

    /// The right to write, with everything that earlier writers were answered for carried out.
    pub fn enter<'a>(&mut self, repository: &'a Repository, watch: &'a Watch) -> Result<Site<'a>> {
        let right = lock::Writer::of_store(&self.common_folder, watch)?;
        self.enter_with(right, repository, watch)
    }

    /// The same for somebody who has that right.
    pub fn enter_with<'a>(
        &mut self,
        right: lock::Writer,
        repository: &'a Repository,
        watch: &'a Watch,
    ) -> Result<Site<'a>> {
        self.used = Instant::now();
        let mut site = Site { repository, right, watch };
        self.recover(&mut site)?;
        self.packed.refresh(&self.common_folder)?;
        Ok(site)
    }

    /// Holds a ref until the step is over, maybe with the file of another one's lock.
    pub fn hold(&mut self, name: &str, other: Option<&Held>, site: &Site) -> Result<Held> {
        Held::take(&self.common_folder, name, &mut self.packed, other, site)
    }

    /// Where a ref is that stands for no other one.
    pub fn find_ref(&self, name: &str) -> Option<Oid> {
        match held::read(&self.common_folder.join(name)) {
            Ok(Loose::At(id)) => Some(id),
            _ => self.packed.find(name.as_bytes()),
        }
    }

    /// Whether there is a ref below this name, as in a folder, other than those that are removed.
    pub fn has_ref_below(&self, name: &str, is_removed: impl Fn(&str) -> bool) -> bool {
        let is_there = |it: &str| !is_removed(it);
        held::loose_below(&self.common_folder, name).iter().any(|it| is_there(it))
            || self.packed.below(name).any(|it| is_there(&it))
    }

    /// The refs in a folder, by their names in it; nothing where one leads nowhere.
    pub fn refs_now(&mut self, folder: &str) -> Result<BTreeMap<String, Option<Oid>>> {
        // In this order: one that is packed meanwhile is found twice rather than never.
        let mut there = held::loose_in(&self.common_folder, folder)?;
        self.packed.refresh(&self.common_folder)?;
        for name in self.packed.below(folder.trim_end_matches('/')) {
            let packed = self.packed.find(name.as_bytes());
            let there = there.entry(name[folder.len()..].to_owned());
            there.and_modify(|it| *it = it.or(packed)).or_insert(packed);
        }
        Ok(there)
    }

    fn journal(&mut self) -> Result<&mut Journal> {
        if self.journal.is_none() {
            self.journal = Some(Journal::create(&self.common_folder)?);
        }
        Ok(self.journal.as_mut().expect("it was just made"))
    }

    /// Puts a step's objects where Git finds them, and into a record.
    fn record(&mut self, image: Image, moves: Vec<Move>) -> Result<Record> {
        if image.is_empty() {
            return Ok(Record { pack: None, image: None, moves });
        }
        let is_inline = image.bytes() <= IMAGE_BYTES_MAX;
        let pack = match is_inline {
            true => self.packs.put(&image, self.steps.last())?,
            false => self.packs.put_whole(&image)?,
        };
        Ok(Record { pack: Some(pack), image: is_inline.then_some(image), moves })
    }

    /// Writes a record; with `is_durable` it is on disk when this returns.
    fn append(&mut self, record: &[u8], is_durable: bool) -> Result<()> {
        let journal = self.journal()?;
        let end = journal.end();
        let written = journal.append(record);
        if !is_durable && written.is_ok() {
            self.relaxed_since.get_or_insert_with(Instant::now);
            return Ok(());
        }
        let written = written.and_then(|()| self.sync());
        if written.is_err() {
            let journal = self.journal()?;
            journal.take_back(end);
            self.is_doubtful |= journal.is_doubtful();
        }
        written
    }

    /// Makes all records durable.
    fn sync(&mut self) -> Result<()> {
        let synced = self.journal.as_mut().map_or(Ok(()), Journal::sync);
        self.is_doubtful |= synced.is_err();
        self.relaxed_since = None;
        synced
    }

    fn make_room(&mut self, record: usize, site: &mut Site) -> Result<()> {
        match self.journal()?.has_room_for(record) {
            true => Ok(()),
            false => self.checkpoint(site),
        }
    }

    pub fn is_checkpoint_due(&self) -> bool {
        STEPS_MAX <= self.steps.len()
            || self.journal.as_ref().is_some_and(|it| JOURNAL_BYTES_MAX <= it.bytes())
    }

    /// What is the same for as long as nobody else wrote here.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// For how long nothing was done here.
    pub fn idle(&self) -> Duration {
        self.used.elapsed()
    }

    /// Whether another daemon wrote here since this one was here: it brings the repository to rest.
    pub fn is_continued(&self) -> bool {
        !self.is_doubtful && self.journal.as_ref().is_some_and(Journal::is_continued)
    }

    /// Flushes steps that nobody waited for, where that is due.
    pub fn flush_relaxed(&mut self) -> Result<()> {
        match self.relaxed_since.is_some_and(|it| RELAXED_MAX <= it.elapsed()) {
            true => self.sync(),
            false => Ok(()),
        }
    }
}

fn next_epoch() -> u64 {
    static EPOCHS: AtomicU64 = AtomicU64::new(1);
    EPOCHS.fetch_add(1, Relaxed)
}
