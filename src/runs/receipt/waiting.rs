//! Receipts that wait to be written: many of them become one commit, a moment after their steps.
//!
//! They are in memory alone until then. What a kill takes is made again from the commits of the
//! runs that are young enough, by a time that the newest commit of the notes says.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{
    Finished, Receipt,
    again::{Look, SLACK_MS},
};
use crate::{
    error::Result,
    git::{Namespace, ObjectId, RunId, Signer, Transaction, boottime_ms, now_ms},
    runs::keeper::Keeper,
};

/// So late at most they are written …
const LATE_MS: u64 = 500;
/// … unless there are so many.
const MANY: usize = 2000;
/// What cannot be written is tried again after this time.
const AGAIN_MS: u64 = 5000;
/// So many at most are kept that cannot be written; their runs are looked at later instead.
const KEPT_MAX: usize = 50_000;
/// For so long it is looked at runs while others wait.
const LOOK: Duration = Duration::from_millis(20);
/// And after this pause at others.
const PAUSE_MS: u64 = 20;
/// Of so many commits it is known what they were to write.
const WRITTEN_MAX: usize = 2;
/// The trailer that says until when all there is to write was written, in milliseconds since 1970.
const UNTIL: &str = "Until";

/// The receipts of one repository that are not written, as far as this process knows.
#[derive(Default)]
pub struct Waiting {
    /// Who signs them.
    signer: Option<Arc<Signer>>,
    waiting: Vec<Entry>,
    /// Those that the last two commits wrote, if those steps were carried out.
    written: VecDeque<Vec<Entry>>,
    /// Whether somebody says that a step was not.
    is_doubtful: bool,
    /// When they are written.
    due_ms: Option<u64>,
    /// What failed is not tried again before.
    not_before_ms: u64,
    /// Runs that may have finished what nobody wrote a receipt of.
    pub(super) unseen: BTreeMap<RunId, Look>,
    pub(super) look_ms: u64,
    /// Until when all there was to write was written. Nothing: nobody ever wrote any here.
    until_ms: Option<i64>,
    /// Whether somebody has written any here; nothing while nobody knows.
    is_begun: Option<bool>,
}

struct Entry {
    finished: Finished,
    /// As it is written, where that was made already.
    line: Option<String>,
}

impl Waiting {
    pub fn signed_by(signer: Option<Arc<Signer>>) -> Waiting {
        Waiting { signer, ..Waiting::default() }
    }

    /// Takes in what was finished in a run.
    pub fn keep(&mut self, run: &RunId, finished: Vec<Finished>) {
        for it in finished {
            // Whose earlier receipts are not known gets none before it was looked at: of each run
            // they are written in their order.
            let is_known = !self.unseen.contains_key(run) && self.waiting.len() < KEPT_MAX;
            match it.is_whole && is_known {
                true => self.push(it),
                false => self.doubt(run),
            }
        }
    }

    pub(super) fn push(&mut self, finished: Finished) {
        self.due_ms.get_or_insert_with(|| boottime_ms() + LATE_MS);
        self.waiting.push(Entry { finished, line: None });
    }

    pub(super) fn look_at(&mut self, run: &RunId, look: Look) {
        if self.unseen.is_empty() {
            self.look_ms = boottime_ms() + LATE_MS;
        }
        let before = self.unseen.entry(run.clone()).or_insert(look);
        *before = (*before).max(look);
    }

    /// Learns from the repository until when receipts were written.
    pub fn wake(&mut self, transaction: &Transaction) {
        let repository = transaction.repository();
        let said = repository.said_of_notes(&Namespace::receipts(), UNTIL);
        // Where nobody can read it, it is looked at all runs.
        let said = said.unwrap_or_else(|error| {
            log::error!("nobody knows until when there are receipts: {error}");
            Some(String::new())
        });
        self.is_begun = Some(said.is_some());
        self.until_ms = said.map(|it| it.parse().unwrap_or(0));
    }

    /// A run was read whose newest commit is of this time, in seconds since 1970.
    pub fn meet(&mut self, run: &RunId, time: i64) {
        let is_young = |until: i64| until.saturating_sub(SLACK_MS) / 1000 <= time;
        if self.until_ms.is_some_and(is_young) {
            self.look_at(run, Look::Newest);
        }
    }

    /// What was known of a run may not be so.
    pub fn doubt(&mut self, run: &RunId) {
        self.waiting.retain(|it| it.finished.receipt.run != run.as_str());
        self.look_at(run, Look::All);
        self.is_begun = None;
    }

    /// What was written may not be there.
    pub fn look_again(&mut self) {
        if !self.written.is_empty() {
            self.is_doubtful = true;
            self.due_ms.get_or_insert_with(|| boottime_ms() + LATE_MS);
        }
    }

    /// When there is something to do, in milliseconds since the boot.
    pub fn next_ms(&self) -> Option<u64> {
        let due = if MANY <= self.waiting.len() { self.due_ms.map(|_| 0) } else { self.due_ms };
        let look = (!self.unseen.is_empty()).then_some(self.look_ms);
        due.into_iter().chain(look).min().map(|it| it.max(self.not_before_ms))
    }

    fn is_due(&self) -> bool {
        self.next_ms().is_some_and(|it| it <= boottime_ms())
    }

    /// Has them written with the next look; says whether there are any, or may be.
    pub fn hurry(&mut self) -> bool {
        (self.due_ms, self.look_ms, self.not_before_ms) = (self.due_ms.map(|_| 0), 0, 0);
        self.due_ms.is_some() || !self.unseen.is_empty()
    }

    /// Whether the receipt of this commit of a run is about to be written, or looked for again.
    pub(super) fn is_waiting(&self, run: &RunId, commit: ObjectId) -> bool {
        self.unseen.contains_key(run) || self.waiting.iter().any(|it| it.finished.commit == commit)
    }

    /// Those that are about to be written and have no text yet, and who signs them.
    pub fn untold(&self) -> (Option<Arc<Signer>>, Vec<(ObjectId, Receipt)>) {
        let is_due = self.is_due();
        let untold = self.waiting.iter().filter(|it| is_due && it.line.is_none());
        let told = |it: &Entry| (it.finished.commit, it.finished.receipt.clone());
        (self.signer.clone(), untold.map(told).collect())
    }

    /// Takes in the texts of some.
    pub fn tell(&mut self, mut lines: HashMap<ObjectId, String>) {
        for it in &mut self.waiting {
            it.line = it.line.take().or_else(|| lines.remove(&it.finished.commit));
        }
    }

    fn lines(&mut self) -> Result<Vec<(ObjectId, Vec<u8>)>> {
        let signer = self.signer.as_deref();
        let mut lines = Vec::with_capacity(self.waiting.len());
        for it in &mut self.waiting {
            let line = match it.line.take() {
                Some(line) => line,
                None => it.finished.receipt.line(signer)?,
            };
            lines.push((it.finished.commit, (line + "\n").into_bytes()));
        }
        Ok(lines)
    }
}

impl Keeper {
    /// The first receipt of a repository is written in the step that it is about, also of what was
    /// begun before this process lived: from then on it is known that there are some.
    pub(in crate::runs) fn begin_receipts(&mut self, transaction: &mut Transaction) {
        let receipts = &mut self.receipts;
        let is_any = !receipts.waiting.is_empty() || !receipts.unseen.is_empty();
        if !is_any || receipts.is_begun == Some(true) {
            return;
        }
        if receipts.is_begun.is_none() {
            receipts.wake(transaction);
        }
        if receipts.is_begun == Some(false) && receipts.not_before_ms <= boottime_ms() {
            self.try_to_write(None, transaction);
        }
    }

    /// Writes what is due.
    pub(in crate::runs) fn write_receipts_in_time(&mut self, transaction: &mut Transaction) {
        if self.receipts.is_due() {
            self.try_to_write(Some(LOOK), transaction);
        }
    }

    /// Runs go on whether receipts can be written or not.
    fn try_to_write(&mut self, within: Option<Duration>, transaction: &mut Transaction) {
        let savepoint = transaction.savepoint();
        if let Err(error) = self.write_within(within, transaction) {
            transaction.go_back(&savepoint);
            log::error!("receipts cannot be written: {error}");
            self.receipts.not_before_ms = boottime_ms() + AGAIN_MS;
        }
    }

    /// Writes all there is to write.
    pub fn write_receipts(&mut self, transaction: &mut Transaction) -> Result<()> {
        self.write_within(None, transaction)
    }

    fn write_within(
        &mut self,
        within: Option<Duration>,
        transaction: &mut Transaction,
    ) -> Result<()> {
        self.expect_written(transaction)?;
        self.look(within, transaction)?;
        let receipts = &mut self.receipts;
        if !receipts.unseen.is_empty() {
            receipts.look_ms = receipts.look_ms.max(boottime_ms() + PAUSE_MS);
        }
        receipts.due_ms = None;
        if receipts.waiting.is_empty() {
            return Ok(());
        }
        // Who comes after a kill has to look at those as well that nobody looked at by then.
        let until_ms = match receipts.unseen.is_empty() && self.unread.is_empty() {
            true => now_ms().cast_signed(),
            false => receipts.until_ms.unwrap_or(0),
        };
        let count = receipts.waiting.len();
        let of = if count == 1 { "task" } else { "tasks" };
        let message = format!("receipts of {count} {of}\n\n{UNTIL}: {until_ms}\n");
        // What fails from here on is tried again.
        receipts.due_ms = Some(boottime_ms() + LATE_MS);
        let lines = receipts.lines()?;
        transaction.record(Namespace::receipts(), lines, message)?;
        receipts.written.push_back(std::mem::take(&mut receipts.waiting));
        receipts.written.drain(..receipts.written.len().saturating_sub(WRITTEN_MAX));
        (receipts.due_ms, receipts.until_ms) = (None, Some(until_ms));
        receipts.is_begun = Some(true);
        Ok(())
    }

    /// What one commit was to write is there, or none of it: it is enough to look for one.
    fn expect_written(&mut self, transaction: &mut Transaction) -> Result<()> {
        if !self.receipts.is_doubtful {
            return Ok(());
        }
        let notes = transaction.notes_now(&Namespace::receipts())?;
        let mut waiting = Vec::new();
        for written in std::mem::take(&mut self.receipts.written) {
            let last = written.last().map(|it| it.finished.commit);
            if let Some(last) = last
                && !transaction.has_note(notes, last)?
            {
                waiting.extend(written);
            }
        }
        waiting.append(&mut self.receipts.waiting);
        (self.receipts.waiting, self.receipts.is_doubtful) = (waiting, false);
        Ok(())
    }
}
