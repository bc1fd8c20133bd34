//! Carrying a step out: its refs are moved where everybody sees it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
};

use git2::Oid;

use super::{
    Held, Ledger, Move, Site,
    packed::{Listing, Packed, Wanted},
    record::combined,
};
use crate::{
    error::{Error, Result},
    git::{
        folder::flush,
        follow::Follow,
        image::Image,
        lock::{PACKED_LOCK, let_go},
        plain::create_anew,
        reflog::{self, Line},
        refs::PACKED,
    },
};

/// Git writes the file it will be under this name.
pub const PACKED_NEW: &str = "packed-refs.new";
/// So many refs at most are moved by a file for each; more are cheaper in one.
pub const LOOSE_MAX: usize = 16;

/// What shall happen at once.
#[derive(Default)]
pub struct Step {
    pub image: Image,
    /// In their order; one ref may move several times.
    pub moves: Vec<Move>,
    /// What the reflogs say of them.
    pub lines: Vec<Line>,
    pub held: BTreeMap<String, Held>,
    /// Whether nobody may see some refs moved and others not.
    pub is_one: bool,
    pub is_durable: bool,
    /// Whether Git may see it a moment later.
    pub is_later: bool,
    /// Worktrees, and the trees that they become.
    pub follows: Vec<(Oid, Follow)>,
}

impl Ledger {
    /// Makes a step durable and carries it out. When this fails, nothing of it is to be seen, or
    /// the next writer carries it out.
    pub fn carry_out(&mut self, step: Step, site: &mut Site) -> Result<()> {
        let Step { image, moves, is_durable, is_later, .. } = step;
        let Step { lines, mut held, is_one, mut follows, .. } = step;
        let mut last = combined(&moves);
        last.retain(|_, it| it.from() != it.to());
        if last.is_empty() {
            // What an answer speaks of may have been done before, and be on disk not yet.
            let is_owed = is_durable && self.relaxed_since.is_some();
            return if is_owed { self.sync() } else { Ok(()) };
        }
        if is_later {
            return self.note(image, moves, is_durable, site);
        }
        let record = self.record(image, moves)?;
        let put = record.pack.clone();
        let encoded = record.encode();
        let logged = self.make_room(encoded.len(), site).and_then(|()| {
            for (tree, follow) in &mut follows {
                follow.prepare(site.repository, *tree, site.watch)?;
            }
            let packed = self.prepare(&last, &held, is_one, site)?;
            site.right.begin();
            // A ref may be on disk before what it leads to: then it can go back to a record.
            let is_durable = is_durable || !last.keys().all(|it| self.known.contains(it));
            self.append(&encoded, is_durable)?;
            if is_durable {
                self.known.extend(last.keys().cloned());
            }
            Ok(packed)
        });
        let packed = match logged {
            Ok(packed) => packed,
            Err(error) => {
                if let Some(pack) = put {
                    self.packs.give_up(&pack);
                }
                follows.into_iter().for_each(|(_, it)| it.give_up());
                return Err(error);
            }
        };
        self.steps.extend(put);
        let moved = self.move_refs(&last, &mut held, packed).and_then(|()| {
            for (_, follow) in follows {
                if let Err(error) = follow.apply(site.repository) {
                    // The commit is made all the same; whoever writes there next goes on.
                    log::error!("a worktree does not follow its branch: {error}");
                }
            }
            reflog::write(site.repository, &lines);
            self.journal()?.mark_carried_out()
        });
        match moved {
            Ok(()) => site.right.done(),
            // The next writer reads the record again, and carries it out.
            Err(_) => self.journal = None,
        }
        moved
    }

    /// Does all that may be refused: afterwards moving refs is renaming files.
    pub(super) fn prepare(
        &mut self,
        moves: &BTreeMap<String, Move>,
        held: &BTreeMap<String, Held>,
        is_one: bool,
        site: &Site,
    ) -> Result<Option<NewPacked>> {
        let removes = moves.values().any(|it| it.to().is_none());
        if !removes && moves.len() <= if is_one { 1 } else { LOOSE_MAX } {
            for (name, it) in moves {
                held[name].write(it.to().expect("none is removed"))?;
            }
            return Ok(None);
        }
        let mut new = NewPacked::take(self, site)?;
        self.packed.refresh(&self.common_folder)?;
        let loose: Vec<&String> = moves.keys().filter(|it| held[*it].is_loose).collect();
        if !loose.is_empty() {
            // Their own files would be read instead: the old values go where the new ones come.
            let mut olds = Vec::new();
            for name in &loose {
                let before = held[*name].before.expect("a ref with a file is there");
                olds.push((name.as_str(), Some((before, site.repository.peeled(before)?))));
            }
            new.write(self.packed.with(olds)?)?;
            new.put_for_good(&mut self.packed)?;
            loose.iter().try_for_each(|it| held[*it].remove_file())?;
        }
        let wanted = |it: &Move| -> Wanted { Some((it.to()?, it.peeled())) };
        let moves = moves.iter().map(|(name, it)| (name.as_str(), wanted(it)));
        new.write(self.packed.with(moves)?)?;
        Ok(Some(new))
    }

    pub(super) fn move_refs(
        &mut self,
        moves: &BTreeMap<String, Move>,
        held: &mut BTreeMap<String, Held>,
        packed: Option<NewPacked>,
    ) -> Result<()> {
        match packed {
            Some(mut packed) => packed.put(&mut self.packed),
            None => {
                moves.keys().try_for_each(|it| held.get_mut(it).expect("what moves is held").put())
            }
        }
    }
}

/// The next `packed-refs`, under the lock that Git takes to write it.
pub struct NewPacked {
    lock: PathBuf,
    new: PathBuf,
    file: PathBuf,
    /// What was written of it, until that has its name.
    written: Option<(File, Listing)>,
}

impl NewPacked {
    pub(super) fn take(ledger: &Ledger, site: &Site) -> Result<NewPacked> {
        let folder = &ledger.common_folder;
        let lock = site.right.take(folder, PACKED_LOCK, site.watch)?;
        let [new, file] = [PACKED_NEW, PACKED].map(|it| folder.join(it));
        Ok(NewPacked { lock, new, file, written: None })
    }

    /// All refs are in this file: it is flushed before it gets its name.
    pub(super) fn write(&mut self, listing: Listing) -> Result<()> {
        let written = create_anew(&self.new).and_then(|mut it| {
            it.write_all(listing.content())?;
            it.sync_data()?;
            Ok(it)
        });
        let file = written.map_err(|error| self.failed(&error))?;
        self.written = Some((file, listing));
        Ok(())
    }

    /// Puts it in its place, which is known from then on.
    pub(super) fn put(&mut self, packed: &mut Packed) -> Result<()> {
        fs::rename(&self.new, &self.file).map_err(|error| self.failed(&error))?;
        let (file, listing) = self.written.take().expect("it was written");
        packed.adopt(file, listing);
        Ok(())
    }

    /// The same, also on disk when this returns: then other places of what is in it can go.
    pub(super) fn put_for_good(&mut self, packed: &mut Packed) -> Result<()> {
        self.put(packed)?;
        let folder = self.file.parent().expect("it lies in a folder");
        flush(folder).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::from_io(self.file.display(), error)
    }
}

impl Drop for NewPacked {
    fn drop(&mut self) {
        [&self.new, &self.lock].into_iter().for_each(|it| let_go(it));
    }
}
