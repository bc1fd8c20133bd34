//! Runs that ended long ago, or are too many: folded away into a file, or dropped.

use std::collections::{BTreeSet, HashMap};

use super::keeper::Keeper;
use crate::{
    error::{Error, Result},
    git::{Output, RunId, Transaction, now_ms},
};

/// Which runs are to go. Those that are under way never do.
#[derive(Debug, Default)]
pub struct Retention {
    pub process: Option<String>,
    pub status: Option<String>,
    /// These alone, whenever they ended.
    pub runs: Option<Vec<RunId>>,
    /// Those that ended longer ago.
    pub keep_ms: Option<u64>,
    /// All but so many of a process, the last to end.
    pub keep: Option<usize>,
    /// At most so many, the first to end.
    pub limit: usize,
}

impl Keeper {
    /// Takes runs away that ended, once they are in a file if there is to be one; its size. What
    /// proves what was done in them stays.
    pub fn prune(
        &mut self,
        runs: &[RunId],
        archive: Option<Output>,
        actor: &str,
        transaction: &mut Transaction,
    ) -> Result<Option<u64>> {
        if !runs.is_empty() {
            // They are made of the commits, which nobody finds any more afterwards.
            self.write_receipts(transaction)?;
            self.tell_pruned(runs, actor, transaction)?;
        }
        let archive = archive.filter(|_| !runs.is_empty());
        let bytes = archive.map(|it| transaction.archive(runs, it)).transpose()?;
        for run in runs {
            transaction.drop_run(run)?;
            self.forget(run);
            self.touched.insert(run.clone());
        }
        Ok(bytes)
    }

    /// The runs that a rule takes away, and whether there are others than these.
    pub fn outdated(&self, retention: &Retention) -> Result<(Vec<RunId>, bool)> {
        let mut found = self.beyond(retention)?;
        let is_more = retention.limit < found.len();
        found.truncate(retention.limit);
        Ok((found, is_more))
    }

    /// The runs that a rule takes away, the first to end first.
    fn beyond(&self, retention: &Retention) -> Result<Vec<RunId>> {
        for run in retention.runs.iter().flatten() {
            if self.open.contains_key(run) {
                let message = format!("the run `{run}` is under way");
                return Err(Error::conflict(message)
                    .with("expected", "a run that has ended")
                    .with("actual", "under way"));
            }
            if !self.over.contains_key(run) {
                return Err(self.missing(run));
            }
        }
        let named: Option<BTreeSet<&RunId>> = retention.runs.as_ref().map(|it| it.iter().collect());
        let mut all: Vec<_> = self
            .over
            .iter()
            .filter(|(run, it)| {
                named.as_ref().is_none_or(|it| it.contains(run))
                    && retention.process.as_ref().is_none_or(|wanted| *wanted == it.birth.process)
                    && retention.status.as_ref().is_none_or(|wanted| wanted == it.status.word())
            })
            .collect();
        all.sort_by_key(|(run, it)| (it.ended_s, *run));
        let now_ms = now_ms().cast_signed();
        let is_old = |ended_s: i64| {
            let before = retention.keep_ms.map(|it| now_ms.saturating_sub_unsigned(it));
            before.is_some_and(|before| ended_s.saturating_mul(1000) <= before)
        };
        let mut kept = HashMap::<&str, usize>::new();
        let mut beyond = Vec::new();
        for (run, it) in all.into_iter().rev() {
            let count = kept.entry(&it.birth.process).or_default();
            let is_too_many = retention.keep.is_some_and(|keep| keep <= *count);
            if named.is_some() || is_too_many || is_old(it.ended_s) {
                beyond.push(run.clone());
            } else {
                *count += 1;
            }
        }
        beyond.reverse();
        Ok(beyond)
    }
}
