//! What a keeper learns from the repository.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Keeper, MYSELF, Over};
use crate::{
    error::{Error, Result},
    git::{ObjectId, RunId, Transaction, boottime_ms},
    runs::{
        again::{expect_number, expect_reached},
        files::PROCESS,
        lease::Lease,
        load,
        message::{self, Birth, MIGRATES},
        pinned::Pinned,
        receipt::Finished,
        run::Run,
    },
};

/// For so long runs are read that nobody asked for, before others get their turn.
const SLICE: Duration = Duration::from_millis(100);

impl Keeper {
    /// Brings what is known here up to the repository: of which runs there are, and of those that
    /// were read before. Where there are many, most of the others are not read yet.
    pub fn wake(&mut self, transaction: &mut Transaction) -> Result<()> {
        self.touched.clear();
        self.refresh_policies(transaction)?;
        for run in std::mem::take(&mut self.stale) {
            let newest = transaction.execution(&run)?;
            self.take_in_anew(&run, newest, transaction);
        }
        let epoch = transaction.epoch();
        if self.epoch == Some(epoch) {
            return Ok(());
        }
        let there: HashMap<RunId, ObjectId> = transaction.executions()?.into_iter().collect();
        let is_gone = |it: &&RunId| self.newest(it) != there.get(*it).copied();
        let gone: Vec<RunId> = self.all_ids().filter(is_gone).cloned().collect();
        self.receipts.wake(transaction);
        for run in gone {
            let was_read = !self.unread.contains_key(&run);
            let newest = there.get(&run).copied().filter(|_| was_read);
            self.take_in_anew(&run, newest, transaction);
        }
        for (run, newest) in there {
            if self.newest(&run).is_none() {
                self.unread.insert(run, newest);
            }
        }
        (self.epoch, self.has_news) = (Some(epoch), true);
        self.read_more(transaction).map(drop)
    }

    /// Reads runs for a while that were not read yet, if there are any.
    pub fn read_more(&mut self, transaction: &mut Transaction) -> Result<bool> {
        let has_any = !self.unread.is_empty();
        let began = Instant::now();
        while began.elapsed() < SLICE && !self.unread.is_empty() {
            transaction.watch().check()?;
            if let Some((run, newest)) = self.unread.pop_first() {
                self.take_in_or_tell(&run, newest, transaction);
            }
        }
        self.has_news |= has_any;
        Ok(has_any)
    }

    /// Reads all that were not read yet.
    pub fn read_all(&mut self, transaction: &mut Transaction) -> Result<()> {
        while self.read_more(transaction)? {}
        Ok(())
    }

    /// The same, also where stock git brought runs or took them away.
    pub fn look_around(&mut self, transaction: &mut Transaction) -> Result<()> {
        let stamp = Some(transaction.executions_stamp()?);
        if self.stamp != stamp {
            self.doubt();
            self.wake(transaction)?;
            self.read_all(transaction)?;
            self.stamp = stamp;
        }
        Ok(())
    }

    /// Reads a run that was not read yet, or is not known here: stock git may have brought it.
    pub fn look_for(&mut self, run: &RunId, transaction: &mut Transaction) -> Result<()> {
        let newest = match self.unread.remove(run) {
            None if self.newest(run).is_none() => transaction.execution(run)?,
            unread => unread,
        };
        if let Some(newest) = newest {
            self.take_in_or_tell(run, newest, transaction);
        }
        Ok(())
    }

    /// Brings what is known of policies up to their refs: what was for nobody may be for somebody.
    pub fn refresh_policies(&mut self, transaction: &mut Transaction) -> Result<()> {
        self.has_news |= self.policy.refresh(transaction)?;
        Ok(())
    }

    /// One that cannot be read is no reason to stop all others.
    fn take_in_or_tell(&mut self, run: &RunId, newest: ObjectId, transaction: &mut Transaction) {
        if let Err(error) = self.take_in(run, newest, transaction) {
            log::error!("the run {run} cannot be read: {error}");
            self.unreadable.insert(run.clone(), (newest, error));
        }
    }

    /// Reads a run once more that others have gone on with, or that is not what it became here.
    /// Whoever was given something has it still, where the run says so.
    fn take_in_anew(
        &mut self,
        run: &RunId,
        newest: Option<ObjectId>,
        transaction: &mut Transaction,
    ) {
        let held = self.leases.of(run);
        let before = self.open.get(run).map(|it| it.claims.clone()).unwrap_or_default();
        self.forget(run);
        self.receipts.doubt(run);
        if let Some(newest) = newest {
            self.take_in_or_tell(run, newest, transaction);
        }
        let claims = self.open.get(run).into_iter().flat_map(|it| &it.claims);
        // What the program does itself, who does it knows.
        for (item, claim) in claims.filter(|it| it.1.worker != MYSELF) {
            let is_same = before.get(item).is_some_and(|it| it.token == claim.token);
            let given = || {
                let given = claim.given.as_ref()?;
                let until_ms = boottime_ms() + given.left_ms(claim.at_ms)?;
                Some(Lease { lease_ms: given.lease_ms, until_ms })
            };
            let lease = held.get(item).copied().filter(|_| is_same);
            if let Some(lease) = lease.or_else(given) {
                self.leases.put(run, *item, lease);
                self.tasks.remove(run, *item);
            }
        }
    }

    fn take_in(
        &mut self,
        run: &RunId,
        newest: ObjectId,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let commit = transaction.execution_at(newest)?;
        self.receipts.meet(run, commit.time);
        let said = message::read(&commit.message)?;
        if let (Some(status), Some(birth)) = (said.end, said.birth) {
            let over = Over { newest, birth, status, seq: said.seq, ended_s: commit.time };
            self.over.insert(run.clone(), over);
            return Ok(());
        }
        let it = self.read(run, transaction)?;
        self.index_all(run, &it);
        self.open.insert(run.clone(), it);
        Ok(())
    }

    /// A run as its commits make it.
    pub fn read(&mut self, run: &RunId, transaction: &mut Transaction) -> Result<Run> {
        self.read_until(run, None, transaction)
    }

    /// The same as it was with the commit of this number.
    pub fn read_until(
        &mut self,
        run: &RunId,
        until: Option<u64>,
        transaction: &mut Transaction,
    ) -> Result<Run> {
        expect_number(until)?;
        self.read_and_tell(run, until, None, transaction)
    }

    /// The same, and what was finished in it, where somebody asks.
    pub(in crate::runs) fn read_and_tell(
        &mut self,
        run: &RunId,
        until: Option<u64>,
        finished: Option<&mut Vec<Finished>>,
        transaction: &mut Transaction,
    ) -> Result<Run> {
        let told = load::told(transaction.history(run)?)?;
        let damaged = |what: &str| Error::corrupt(format!("the run `{run}` has no {what}"));
        let first = told.iter().find(|it| it.0.seq == 1).ok_or_else(|| damaged("first commit"))?;
        let birth = first.0.birth.as_ref().ok_or_else(|| damaged("beginning"))?;
        until.map_or(Ok(()), |seq| expect_reached(run, seq, &told))?;
        let pinned = self.process_in(first.1.tree, birth, transaction)?;
        let mut others = HashMap::new();
        for (said, commit) in told.iter().filter(|it| it.0.event == MIGRATES) {
            let birth = said.birth.as_ref().ok_or_else(|| damaged("process it migrates to"))?;
            others.insert(commit.id, self.process_in(commit.tree, birth, transaction)?);
        }
        load::run(run, (pinned, &others), told, until, finished, transaction)
    }

    /// The process in a commit of a run.
    fn process_in(
        &mut self,
        tree: ObjectId,
        birth: &Birth,
        transaction: &mut Transaction,
    ) -> Result<Arc<Pinned>> {
        let process = transaction.find(tree, PROCESS.as_bytes())?.map(|it| it.id);
        let process = process.ok_or_else(|| Error::corrupt("a run has no process"))?;
        let key = (process, birth.process.clone(), birth.version.clone());
        if let Some(pinned) = self.pinned.get(&key) {
            return Ok(pinned.clone());
        }
        let files = transaction.folder(tree, PROCESS)?;
        let pinned = Pinned::of(files, Some(&birth.process), birth.version.as_deref())?;
        self.pinned.insert(key, pinned.clone());
        Ok(pinned)
    }
}
