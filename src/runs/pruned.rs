//! Which runs were pruned: a line for each stays in Git, so that their receipts are told from those
//! of commits that a run has lost, also where the id is used again.

use serde::{Deserialize, Serialize};

use super::{keeper::Keeper, receipt::Receipt, view::Summary};
use crate::{
    error::Result,
    git::{Namespace, RunId, Transaction, now_ms},
};

/// The version of the record.
const VERSION: u64 = 1;

/// A run that somebody has taken away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pruned {
    /// The version of the record.
    v: u64,
    run: String,
    process: String,
    status: String,
    /// Its newest commit, and how many it had.
    commit: String,
    seq: u64,
    began_ms: i64,
    /// When it was taken away, and by whom.
    at_ms: i64,
    actor: String,
}

impl Pruned {
    fn of(it: Summary, actor: &str, at_ms: i64) -> Pruned {
        Pruned {
            v: VERSION,
            run: it.run,
            process: it.process,
            status: it.status.to_owned(),
            commit: it.commit,
            seq: it.seq,
            began_ms: it.began_ms,
            at_ms,
            actor: actor.to_owned(),
        }
    }

    /// Nothing where it is none that this version knows: then it shows nothing.
    fn read(line: &str) -> Option<Pruned> {
        serde_json::from_str(line).ok().filter(|it: &Pruned| it.v == VERSION)
    }

    /// Whether a receipt can be one of it.
    fn has(&self, receipt: &Receipt) -> bool {
        self.run == receipt.run
            && self.process == receipt.process
            && (1..=self.seq).contains(&receipt.seq)
            && (self.began_ms..=self.at_ms).contains(&receipt.finished_ms)
    }
}

impl Keeper {
    /// Tells in Git which runs go, and who has them gone.
    pub(super) fn tell_pruned(
        &self,
        runs: &[RunId],
        actor: &str,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let now = now_ms().cast_signed();
        let line = |run: &RunId| {
            let it = Pruned::of(self.summary(run)?, actor, now);
            Some(serde_json::to_string(&it).expect("it is made of text and numbers"))
        };
        let lines = runs.iter().filter_map(|run| Some((run.as_str(), line(run)?)));
        let lines: Vec<(&str, String)> = lines.collect();
        let of = if lines.len() == 1 { "run" } else { "runs" };
        let message = format!("{} {of} pruned by {actor}\n", lines.len());
        match lines.is_empty() {
            true => Ok(()),
            false => transaction.add_lines(Namespace::pruned(), lines, message),
        }
    }

    /// Whether a receipt is of a run that was pruned, which is not the run of that name that is
    /// here, if there is one: that may be the same that somebody brought back.
    pub(super) fn was_pruned(
        &self,
        run: &RunId,
        receipt: &Receipt,
        transaction: &mut Transaction,
    ) -> Result<bool> {
        let here = self.summary(run).map(|it| it.began_ms);
        let lines = transaction.lines_about(&Namespace::pruned(), run.as_str())?;
        let mut pruned = lines.iter().filter_map(|it| Pruned::read(it));
        Ok(pruned.any(|it| Some(it.began_ms) != here && it.has(receipt)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINE: &str = "{\"v\":1,\"run\":\"r\",\"process\":\"p\",\"status\":\"done\",\
        \"commit\":\"00\",\"seq\":9,\"began_ms\":100,\"at_ms\":200,\"actor\":\"ann\"}";

    fn receipt(seq: u64, finished_ms: i64) -> Receipt {
        let value = json!({
            "receipt": 1, "run": "r", "process": "p", "definition": "d", "step": "a", "actor": "w",
            "outcome": "ok", "output": "o", "commit": "01", "seq": seq, "finished_ms": finished_ms,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_pruned_run_has_the_receipts_of_its_time_and_of_its_commits() {
        let pruned = Pruned::read(LINE).unwrap();
        assert_eq!(serde_json::to_string(&pruned).unwrap(), LINE);
        for (seq, finished_ms, wanted) in [
            (1, 100, true),
            (9, 200, true),
            (0, 150, false),
            (10, 150, false),
            (5, 99, false),
            (5, 201, false),
        ] {
            assert_eq!(pruned.has(&receipt(seq, finished_ms)), wanted, "{seq} {finished_ms}");
        }
        let other = Receipt { run: "s".to_owned(), ..receipt(5, 150) };
        assert!(!pruned.has(&other));
        let other = Receipt { process: "q".to_owned(), ..receipt(5, 150) };
        assert!(!pruned.has(&other));
    }

    #[test]
    fn a_line_that_nobody_here_can_read_shows_nothing() {
        for line in ["", "{}", "none", &LINE.replace("\"v\":1", "\"v\":2")] {
            assert_eq!(Pruned::read(line), None, "{line}");
        }
    }
}
