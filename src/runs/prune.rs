//! Runs that ended long ago, or are too many: folded away into a file, or dropped.

use std::collections::{BTreeSet, HashMap};

use super::{keeper::Keeper, view::Summary};
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

/// What was folded away, or would be.
#[derive(Debug)]
pub struct Pruned {
    pub runs: Vec<Summary>,
    /// Whether there are others.
    pub is_more: bool,
    /// The size of the file.
    pub bytes: Option<u64>,
}

impl Keeper {
    pub fn prune(
        &mut self,
        retention: &Retention,
        archive: Option<Output>,
        is_tried: bool,
        transaction: &mut Transaction,
    ) -> Result<Pruned> {
        let mut found = self.beyond(retention)?;
        let is_more = retention.limit < found.len();
        found.truncate(retention.limit);
        let runs = found.iter().filter_map(|it| self.summary(it)).collect();
        if is_tried || found.is_empty() {
            return Ok(Pruned { runs, is_more, bytes: None });
        }
        let bytes = archive.map(|it| transaction.archive(&found, it)).transpose()?;
        for run in found {
            transaction.drop_run(&run)?;
            self.forget(&run);
            self.touched.insert(run);
        }
        Ok(Pruned { runs, is_more, bytes })
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
