//! Steps that Git sees a moment later: their records are durable at once, and what they say is
//! carried out for many of them together, in one pack and one move of each ref.
//!
//! Until then they are like steps of somebody who was killed: whoever else comes to write here
//! finds them in the journal and carries them out. So does this process before anybody reads what
//! they say or does anything else.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use git2::Oid;

use super::{
    Ledger, Loose, Move, Site,
    carry::{LOOSE_MAX, NewPacked},
    held::{self, remove_file},
    record::{Passed, Record, combined, passed},
};
use crate::{
    error::{Error, Result},
    git::image::Image,
};

/// So late, give or take one look, …
const LATER: Duration = Duration::from_millis(80);
/// … or so many times as long as it took the last time: with many refs that is long, and most of
/// the time is for steps …
const LATER_TIMES: u32 = 16;
/// … but never later than this.
const LATER_MAX: Duration = Duration::from_secs(1);

type Moves = BTreeMap<String, Move>;

#[derive(Default)]
pub struct Later {
    image: Image,
    moves: Vec<Move>,
    since: Option<Instant>,
    /// Where the first of their records begins.
    begin: u64,
}

impl Ledger {
    /// Makes a step durable; with `is_durable` it is on disk when this returns.
    pub(super) fn note(
        &mut self,
        image: Image,
        moves: Vec<Move>,
        is_durable: bool,
        site: &mut Site,
    ) -> Result<()> {
        // Whoever carries it out alone puts the pack there under this name.
        let (_, pack) = image.pack();
        let record = Record { pack: Some(pack.to_string()), image: Some(image), moves };
        let encoded = record.encode();
        self.make_room(encoded.len(), site)?;
        if !self.is_late() {
            self.later.begin = self.journal()?.end();
        }
        self.append(&encoded, is_durable)?;
        self.later.image.absorb(record.image.as_ref().expect("it was just put there"));
        self.later.moves.extend(record.moves);
        self.later.since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Each by its own file.
    fn show_few(&mut self, mut due: Moves, passed: &Passed, site: &mut Site) -> Result<()> {
        let mut held = BTreeMap::new();
        for (name, it) in &due {
            let ours = self.hold(name, None, site)?;
            if self.is_due(it, passed, ours.before) {
                held.insert(name.clone(), ours);
            }
        }
        due.retain(|name, _| held.contains_key(name));
        let packed = self.prepare(&due, &held, false, site)?;
        self.known.extend(due.keys().cloned());
        self.move_refs(&due, &mut held, packed)
    }

    /// All in one file, under its lock alone: nobody else moves these refs, and whoever does it all
    /// the same, in this moment, is noticed the next time.
    fn show_many(&mut self, mut due: Moves, passed: &Passed, site: &mut Site) -> Result<()> {
        let mut new = NewPacked::take(self, site)?;
        self.packed.refresh(&self.common_folder)?;
        let mut loose = Vec::new();
        let mut others = Vec::new();
        for (name, it) in &due {
            let file = self.common_folder.join(name);
            let before = match held::read(&file)? {
                Loose::At(id) => {
                    loose.push((name.clone(), id));
                    Some(id)
                }
                Loose::Absent => self.packed.find(name.as_bytes()),
                Loose::Symbolic(_) | Loose::Torn => {
                    return Err(Error::corrupt(format!("the ref `{name}`")));
                }
            };
            if !self.is_due(it, passed, before) {
                others.push(name.clone());
            }
        }
        others.iter().for_each(|it| drop(due.remove(it)));
        loose.retain(|it| due.contains_key(&it.0));
        if !loose.is_empty() {
            // Their own files would be read instead: the old values go where the new ones come.
            let olds = loose.iter().map(|(name, id)| (name.as_str(), Some((*id, None))));
            new.write(self.packed.with(olds)?)?;
            new.put_for_good(&mut self.packed)?;
            for (name, _) in &loose {
                remove_file(&self.common_folder.join(name))?;
            }
        }
        let moved = due.iter().map(|(name, it)| (name.as_str(), it.to().map(|it| (it, None))));
        new.write(self.packed.with(moved)?)?;
        self.known.extend(due.keys().cloned());
        new.put(&mut self.packed)
    }

    /// Whether a ref is where one of the steps found it, and has to go on.
    fn is_due(&mut self, it: &Move, passed: &Passed, before: Option<Oid>) -> bool {
        if before == it.to() {
            return false;
        }
        let is_ours = passed.get(it.name.as_str()).is_some_and(|it| it.contains(&before));
        if !is_ours {
            log::warn!("{} was moved by somebody else, and stays there", it.name);
            self.epoch = super::next_epoch();
        }
        is_ours
    }

    /// Whether Git does not see everything yet.
    pub fn is_late(&self) -> bool {
        self.later.since.is_some()
    }

    /// Whether that has been so for long enough.
    pub fn is_too_late(&self) -> bool {
        let pause = (self.shown_in * LATER_TIMES).clamp(LATER, LATER_MAX);
        self.later.since.is_some_and(|it| pause <= it.elapsed())
    }

    /// Has Git see everything.
    pub fn show(&mut self, site: &mut Site) -> Result<()> {
        if !self.is_late() {
            return Ok(());
        }
        // What nobody waited for: a ref must not be on disk before its record.
        if self.relaxed_since.is_some() {
            self.sync()?;
        }
        let later = std::mem::take(&mut self.later);
        let began = Instant::now();
        let shown = self.show_all(&later, site);
        self.shown_in = began.elapsed();
        if shown.is_err() {
            // The next writer reads the records again, and carries them out.
            self.journal = None;
        }
        shown
    }

    fn show_all(&mut self, later: &Later, site: &mut Site) -> Result<()> {
        let Later { image, moves, begin, .. } = later;
        let pack = self.packs.put(image, self.steps.last())?;
        self.steps.push(pack);
        let mut due = combined(moves);
        // Another daemon that was here meanwhile has carried out a part of it: then what came and
        // went again may be there.
        if self.journal()?.carried_out()? <= *begin {
            due.retain(|_, it| it.from() != it.to());
        }
        let passed = passed(moves);
        site.right.begin();
        match due.len() <= LOOSE_MAX && due.values().all(|it| it.to().is_some()) {
            true => self.show_few(due, &passed, site)?,
            false => self.show_many(due, &passed, site)?,
        }
        self.journal()?.mark_carried_out()?;
        site.right.done();
        Ok(())
    }
}
