//! Receipts that are made again, since whoever was to write them was killed.
//!
//! Only runs are looked at to which something happened lately, and of most of them only the newest
//! commit that finished a task: what one process finished it writes in that order.

use std::{
    collections::{BinaryHeap, HashSet},
    time::{Duration, Instant},
};

use super::Finished;
use crate::{
    error::{Code, Result},
    git::{Namespace, ObjectId, RunId, Transaction, boottime_ms, now_ms},
    runs::{keeper::Keeper, message},
};

/// For clocks that do not agree, and for others who write here.
pub const SLACK_MS: i64 = 600_000;
/// For so long another daemon that lives is left to write what it finished.
const FRESH_MS: i64 = 5000;
/// When it is looked again whether it did.
const AGAIN_MS: u64 = 1000;
/// So many commits are looked at for the newest that finished a task, before all are.
const LOOKED_MAX: usize = 100;

/// What is looked at of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Whether the newest of its receipts is there.
    Newest,
    All,
}

impl Finished {
    /// Whether another daemon sees to it.
    pub fn is_others(&self) -> bool {
        let claimed_ms = self.receipt.claimed_ms.unwrap_or_default();
        let age_ms = now_ms().cast_signed() - self.receipt.finished_ms;
        age_ms < FRESH_MS && self.given.as_ref().is_some_and(|it| it.is_kept(claimed_ms))
    }
}

impl Keeper {
    /// Looks for receipts that nobody wrote, for about so long.
    pub(super) fn look(
        &mut self,
        within: Option<Duration>,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let began = Instant::now();
        let mut left = Vec::new();
        while within.is_none_or(|it| began.elapsed() < it)
            && let Some((run, look)) = self.receipts.unseen.pop_first()
        {
            let looked = transaction.watch().check().map(|()| {
                let looked = self.look_at(&run, look, transaction);
                looked.unwrap_or_else(|error| {
                    log::error!("the receipts of the run {run} are not known: {error}");
                    // What is damaged is so the next time as well.
                    error.code == Code::Corrupt
                })
            });
            match looked {
                Ok(true) => (),
                Ok(false) => left.push(run),
                Err(error) => {
                    self.receipts.unseen.insert(run, look);
                    return Err(error);
                }
            }
        }
        if self.receipts.unseen.is_empty() {
            self.receipts.look_ms = boottime_ms() + AGAIN_MS;
        }
        let left = left.into_iter().map(|run| (run, Look::All));
        self.receipts.unseen.extend(left);
        Ok(())
    }

    /// Whether there is nothing more to look for.
    fn look_at(&mut self, run: &RunId, look: Look, transaction: &mut Transaction) -> Result<bool> {
        let ended = self.over.get(run).map(|it| it.newest);
        let open = self.open.get(run).into_iter();
        let open = open.flat_map(|it| it.newest().into_iter().chain(it.marks().into_values()));
        let tips: Vec<ObjectId> = open.chain(ended).collect();
        if tips.is_empty() {
            return Ok(true);
        }
        // What Git is to see a moment later is not where it is about to be read; and to have it see
        // that takes long with many refs, so only where what it sees is not enough.
        let has_newest = |transaction: &mut Transaction| match look {
            Look::Newest => has_newest(&tips, transaction),
            Look::All => Ok(false),
        };
        if let Ok(true) = has_newest(transaction) {
            return Ok(true);
        }
        transaction.show()?;
        if has_newest(transaction)? {
            return Ok(true);
        }
        let notes = transaction.notes_now(&Namespace::receipts())?;
        let mut finished = Vec::new();
        self.read_and_tell(run, None, Some(&mut finished), transaction)?;
        for it in finished {
            if transaction.has_note(notes, it.commit)? {
                continue;
            }
            // Those of a run are written in their order, whoever does: behind the newest that is
            // there none is looked for.
            if it.is_others() {
                return Ok(false);
            }
            self.receipts.push(it);
        }
        Ok(true)
    }
}

/// Whether the newest commit behind these that may have finished a task has a receipt, or there is
/// none.
fn has_newest(tips: &[ObjectId], transaction: &mut Transaction) -> Result<bool> {
    let notes = transaction.notes_now(&Namespace::receipts())?;
    let (mut next, mut known) = (BinaryHeap::new(), HashSet::new());
    let mut found = tips.to_vec();
    for _ in 0..LOOKED_MAX {
        for id in found.drain(..) {
            if known.insert(id) {
                let commit = transaction.execution_at(id)?;
                let said = message::read(&commit.message)?;
                next.push((said.seq, said.may_finish(), id, commit.parents));
            }
        }
        match next.pop() {
            None => return Ok(true),
            Some((_, true, id, _)) => return transaction.has_note(notes, id),
            Some((_, false, _, parents)) => found = parents,
        }
    }
    Ok(false)
}
