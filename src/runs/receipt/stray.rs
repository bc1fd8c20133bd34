//! Receipts on what is no commit of a run that is here: the run is elsewhere, or was pruned, or it
//! has lost the commit, or they were never true.

use std::collections::{HashMap, HashSet};

use super::{
    Checked, Checking, Finished, Receipt,
    check::{Judged, NO_TASK, read},
};
use crate::{
    error::Result,
    git::{AllowedSigners, ObjectId, RunId, Transaction},
    runs::{keeper::Keeper, message},
};

/// What is wrong with a receipt whose run is here without the commit.
const LOST: &str = "the run has no such commit: it has lost it, or never had it";

/// What a receipt has to do with the run that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is compared with what the run says, or with nothing.
    Compared,
    /// The run is not here, or is another one by now: nobody can tell more than who signed.
    Apart,
    /// The run is here, without the commit.
    Lost,
}

/// The run that was asked for last, so that many receipts of one have it worked through once.
#[derive(Debug, Default)]
pub struct Known {
    of: Option<(RunId, Option<ObjectId>)>,
    /// Nothing where it is not here, or nobody can read it.
    run: Option<KnownRun>,
}

#[derive(Debug)]
struct KnownRun {
    commits: HashSet<ObjectId>,
    finished: HashMap<ObjectId, Finished>,
}

impl Keeper {
    /// Judges a note on anything by the run that it names.
    pub fn judge(
        &mut self,
        (target, note): (ObjectId, &[u8]),
        allowed: Option<&AllowedSigners>,
        known: &mut Known,
        transaction: &mut Transaction,
    ) -> Result<(Judged, Standing)> {
        let unjudged = read(target, note, allowed);
        let Some(receipt) = unjudged.receipt.clone() else {
            return Ok((unjudged, Standing::Compared));
        };
        let Ok(run) = RunId::new(&receipt.run) else {
            return Ok((unjudged.against(target, Err(NO_TASK)), Standing::Compared));
        };
        self.work_through(&run, known, transaction)?;
        let here = known.run.as_ref();
        let is_here = here.is_some();
        let is_strange = here.is_none_or(|it| !it.commits.contains(&target));
        let finished = here.and_then(|it| it.finished.get(&target));
        let is_its = receipt.commit == target.to_string();
        if !is_strange || !is_its || !is_of(&run, target, transaction) {
            let judged = unjudged.against(target, finished.ok_or(NO_TASK));
            return Ok((judged, Standing::Compared));
        }
        if !is_here || self.was_pruned(&run, &receipt, transaction)? {
            return Ok((unjudged, Standing::Apart));
        }
        Ok((unjudged.against(target, Err(LOST)), Standing::Lost))
    }

    /// Works a run through, if it is not the one that was asked for last.
    fn work_through(
        &mut self,
        run: &RunId,
        known: &mut Known,
        transaction: &mut Transaction,
    ) -> Result<()> {
        self.look_for(run, transaction)?;
        let of = Some((run.clone(), self.newest(run)));
        if known.of != of {
            // Of one that is damaged no more is known than of one that is not here.
            let it = self.newest(run).and_then(|_| self.known_run(run, transaction).ok());
            transaction.watch().check()?;
            *known = Known { of, run: it };
        }
        Ok(())
    }

    fn known_run(&mut self, run: &RunId, transaction: &mut Transaction) -> Result<KnownRun> {
        let finished = self.finished_in(run, transaction)?.into_iter();
        let finished = finished.map(|it| (it.commit, it)).collect();
        let commits = transaction.history(run)?.into_iter().map(|it| it.id).collect();
        Ok(KnownRun { commits, finished })
    }

    /// Checks the note on something that is no commit of a run, as far as anybody has seen.
    pub fn check_stray(
        &mut self,
        (target, note): (ObjectId, &[u8]),
        checking: &Checking,
        checked: &mut Checked,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let allowed = checking.allowed.as_ref();
        let mut known = std::mem::take(&mut checked.known);
        let judged = self.judge((target, note), allowed, &mut known, transaction);
        checked.known = known;
        let (judged, standing) = judged?;
        checked.apart += u64::from(standing == Standing::Apart);
        checked.count(judged, checking);
        Ok(())
    }

    /// Names those of a run's receipts whose commits it has lost, what it lost first before others.
    pub fn check_lost(
        &mut self,
        notes: Vec<(ObjectId, Vec<u8>)>,
        checking: &Checking,
        checked: &mut Checked,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let (mut lost, mut known) = (Vec::new(), Known::default());
        for (target, note) in notes {
            let allowed = checking.allowed.as_ref();
            let judged = self.judge((target, &note), allowed, &mut known, transaction)?;
            if let (judged, Standing::Lost) = judged {
                lost.push((judged.receipt.as_ref().map(|it| it.seq), judged));
            }
        }
        lost.sort_by_key(|it| it.0);
        lost.into_iter().for_each(|it| checked.count(it.1, checking));
        Ok(())
    }
}

/// Whether something is a commit of a run, or is not here.
fn is_of(run: &RunId, target: ObjectId, transaction: &mut Transaction) -> bool {
    match transaction.has(target) {
        Ok(true) => transaction
            .execution_at(target)
            .is_ok_and(|it| message::read(&it.message).is_ok_and(|it| it.run == run.as_str())),
        _ => true,
    }
}

/// What a note says that is the receipt of what it is on, if it is one of this run.
pub fn receipt_of(target: ObjectId, note: &[u8], run: &RunId) -> Option<Receipt> {
    // Most name other runs, and need not be read to know it.
    memchr::memmem::find(note, format!("\"{run}\"").as_bytes())?;
    let (receipt, _, _) = Receipt::noted(target, note).ok()?;
    (receipt.run == run.as_str() && receipt.commit == target.to_string()).then_some(receipt)
}
