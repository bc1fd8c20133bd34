//! What a keeper learns from the repository.

use std::{collections::HashMap, sync::Arc};

use super::{Keeper, Over};
use crate::{
    error::{Error, Result},
    git::{ObjectId, RunId, Transaction},
    runs::{
        again::expect_number,
        files::PROCESS,
        load,
        message::{self, Birth, MIGRATES},
        pinned::Pinned,
        receipt::Finished,
        run::Run,
    },
};

impl Keeper {
    /// Brings what is known here up to the repository.
    pub fn wake(&mut self, transaction: &mut Transaction) -> Result<()> {
        self.touched.clear();
        self.refresh_policies(transaction)?;
        for run in std::mem::take(&mut self.stale) {
            self.forget(&run);
            self.receipts.doubt(&run);
            if let Some(newest) = transaction.execution(&run)? {
                self.take_in_or_tell(&run, newest, transaction);
            }
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
            self.forget(&run);
            self.receipts.doubt(&run);
        }
        for (run, newest) in there {
            if self.newest(&run).is_some() {
                continue;
            }
            transaction.watch().check()?;
            self.take_in_or_tell(&run, newest, transaction);
        }
        (self.epoch, self.has_news) = (Some(epoch), true);
        Ok(())
    }

    /// The same, also where stock git brought runs or took them away.
    pub fn look_around(&mut self, transaction: &mut Transaction) -> Result<()> {
        let stamp = Some(transaction.executions_stamp()?);
        if self.stamp != stamp {
            self.doubt();
            self.wake(transaction)?;
            self.stamp = stamp;
        }
        Ok(())
    }

    /// Looks for a run that is not known here: stock git may have brought it.
    pub fn look_for(&mut self, run: &RunId, transaction: &mut Transaction) -> Result<()> {
        if self.newest(run).is_none()
            && let Some(newest) = transaction.execution(run)?
        {
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
