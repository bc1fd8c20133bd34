//! What a writer does first: it carries out what the ones before it were answered for.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

use git2::Oid;
use rustix::fs::OFlags;

use super::{
    Ledger, Move, Site,
    carry::PACKED_NEW,
    held::{self, Held, Loose},
    journal::Journal,
    later::Later,
    next_epoch,
    record::{Passed, Record, combined, passed},
};
use crate::{
    error::{Code, Error, Result},
    git::{
        Repository,
        folder::{files_below, remove_empty},
        follow::doubt,
        lock::{HEAD_LOCK, PACKED_LOCK},
        refs::REFS,
    },
};

/// How long the first look for what the dead left waits for the end of who was killed …
const SWEEP_WAIT: Duration = Duration::from_secs(1);
/// … and the pause before another look, where a lock may be in use after all.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

type Moves = BTreeMap<String, Move>;

impl Ledger {
    /// Brings this process's knowledge and the repository up to the journal.
    pub(super) fn recover(&mut self, site: &mut Site) -> Result<()> {
        if self.journal.as_ref().is_some_and(|it| !it.is_there()) {
            self.journal = None;
        }
        let is_new = self.journal.is_none();
        if is_new {
            self.epoch = next_epoch();
            // It is about to be read in the journal again.
            self.later = Later::default();
            self.steps.clear();
            self.known.clear();
            self.journal = Journal::open(&self.common_folder)?;
        }
        let is_left = site.right.follows_unfinished();
        // What was lost with the power tells nobody that there was a writer.
        let is_first = is_new || is_left;
        // Where a lock may be in use after all, not each step looks again.
        let looks = is_first && self.swept.is_none_or(|it| is_new || SWEEP_PAUSE <= it.elapsed());
        let is_swept = if looks { self.sweep(is_new, site) } else { !is_first };
        // Behind what was lost there may be records that nobody is to find again.
        let is_foreign = is_new && self.journal.as_ref().is_some_and(|it| !it.is_marked());
        if let Err(error) = self.catch_up(is_first, site) {
            // What was read and is not carried out has to be read again.
            self.journal = None;
            return Err(error);
        }
        let mut is_mended = is_swept;
        if self.is_doubtful || is_foreign {
            self.secure(site)?;
        } else if is_left && looks {
            // Without room for it there may be room for a step.
            let secured = self.secure(site);
            is_mended &= secured.inspect_err(|error| log::warn!("{error}")).is_ok();
        }
        match is_mended {
            true => site.right.mended(),
            false => site.right.done(),
        }
        Ok(())
    }

    /// Carries out what was appended since this process looked, and is not yet.
    fn catch_up(&mut self, is_first: bool, site: &Site) -> Result<()> {
        let moves = self.read_on()?;
        if is_first {
            // Nor does one who was killed between two steps tell anybody. Refs are looked at
            // afterwards: none of the objects that are left is torn.
            self.retire();
            self.packs.sweep(&self.steps);
        }
        if !moves.is_empty() {
            self.settle(moves, site)?;
            self.journal()?.mark_carried_out()?;
        }
        Ok(())
    }

    /// Reads what was appended since this process looked: the moves that are not carried out yet,
    /// with their objects in place.
    fn read_on(&mut self) -> Result<Vec<Move>> {
        let mut moves = Vec::new();
        let Some(journal) = &mut self.journal else { return Ok(moves) };
        if journal.look()? {
            self.epoch = next_epoch();
            self.later = Later::default();
            // Their objects are in other packs by now.
            self.steps.clear();
            self.known.clear();
        }
        let carried_out = journal.carried_out()?;
        while let Some(content) = journal.next()? {
            self.epoch = next_epoch();
            // Whoever wrote it carried out what was there before, and may not have waited for it.
            self.later = Later::default();
            self.relaxed_since.get_or_insert_with(Instant::now);
            let record = Record::decode(&content)?;
            if carried_out < journal.end() {
                if let (Some(pack), Some(image)) = (&record.pack, &record.image) {
                    self.packs.restore(pack, image)?;
                }
                moves.extend(record.moves);
            }
            self.steps.extend(record.pack);
        }
        Ok(moves)
    }

    /// Moves the refs to where the records left them, except for those that others moved on.
    fn settle(&mut self, moves: Vec<Move>, site: &Site) -> Result<()> {
        log::warn!("carrying out what {} records say", moves.len());
        let passed = passed(&moves);
        // What goes makes room for what comes.
        let (come, go): (Moves, Moves) =
            combined(&moves).into_iter().partition(|(_, it)| it.to().is_some());
        self.settle_some(go, &passed, site)?;
        self.settle_some(come, &passed, site)
    }

    fn settle_some(&mut self, moves: Moves, passed: &Passed, site: &Site) -> Result<()> {
        self.packed.refresh(&self.common_folder)?;
        let (mut due, mut held) = (BTreeMap::new(), BTreeMap::new());
        for (name, it) in moves {
            doubt(site.repository, &name, it.from())?;
            let passed = &passed[name.as_str()];
            let file = self.common_folder.join(&name);
            let is_lost = match held::read(&file)? {
                Loose::At(id) => is_lost(id, &it, passed, site.repository),
                Loose::Absent => {
                    let now = self.packed.find(name.as_bytes());
                    now.is_some_and(|id| is_lost(id, &it, passed, site.repository))
                }
                // Only a loss of power leaves this, and then it is ours.
                Loose::Torn => true,
                Loose::Symbolic(_) => continue,
            };
            if is_lost {
                go_back(&file, it.from())?;
            }
            let ours = match self.hold(&name, None, site) {
                Ok(ours) => ours,
                // Somebody made a ref that this one cannot be beside: it was moved on, too.
                Err(error) if error.code == Code::Conflict && it.to().is_none() => {
                    Held::out_of_place(&self.common_folder, &name, &self.packed)
                }
                Err(error) if error.code == Code::Conflict => {
                    log::warn!("a ref is not where a record says: {error}");
                    continue;
                }
                Err(error) => return Err(error),
            };
            if it.to().is_some() && file.is_dir() && remove_empty(&file).is_err() {
                log::warn!("a ref is not where a record says: others are below {name}");
                continue;
            }
            if ours.before != it.to() && (is_lost || passed.contains(&ours.before)) {
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
    fn sweep(&mut self, is_patient: bool, site: &Site) -> bool {
        self.swept = Some(Instant::now());
        let wait = if is_patient { SWEEP_WAIT } else { Duration::ZERO };
        let is_lock = |name: &str| name.ends_with(".lock");
        let mut files = files_below(&self.common_folder.join(REFS), &is_lock);
        files.extend([PACKED_LOCK, PACKED_NEW, HEAD_LOCK].map(|it| self.common_folder.join(it)));
        site.right.sweep_within(&self.common_folder, files, wait, site.watch)
    }
}

/// Whether a ref went on to what did not get to the disk before the power went: steps that were
/// not waited for. Anything else that it may be is somebody's who moved it on.
fn is_lost(now: Oid, it: &Move, passed: &[Option<Oid>], repository: &Repository) -> bool {
    if it.to() == Some(now) || passed.contains(&Some(now)) {
        return false;
    }
    let known: Vec<Oid> = passed.iter().copied().chain([it.to()]).flatten().collect();
    !repository.is_whole_since(now, &known)
}

/// Lets a ref's own file say what it was before the records, from where they lead on.
fn go_back(file: &Path, to: Option<Oid>) -> Result<()> {
    log::warn!("{} is taken back to what is on disk", file.display());
    let gone = match to {
        Some(id) => {
            let folder = file.parent().expect("a ref lies in a folder");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            // Neither through a link nor into a pipe.
            options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
            let opened = fs::create_dir_all(folder).and_then(|()| options.open(file));
            opened.and_then(|mut it| it.write_all(format!("{id}\n").as_bytes()))
        }
        None => fs::remove_file(file),
    };
    gone.or_else(|error| match error.kind() {
        // It is not there, or another ref is where it would be.
        NotFound | NotADirectory | AlreadyExists | IsADirectory => Ok(()),
        _ => Err(Error::from_io(file.display(), &error)),
    })
}
