//! Whether receipts are right: signed by who may, of the commits that they are on, and all there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::{Finished, Query, Receipt, stray::Known};
use crate::{
    error::{Error, Result},
    git::{
        AllowedSigners, Namespace, ObjectId, RECEIPT, RunId, Standing, Transaction, Verdict, line,
    },
    runs::keeper::Keeper,
};

/// What is wrong with a receipt on a commit that should have none.
pub(super) const NO_TASK: &str = "the commit finishes no task";

/// What says something of the data, not of the task.
const DIGESTS: [&str; 3] = ["definition", "input", "output"];

/// What is wrong, and with which commit.
#[derive(Debug, Clone, Serialize)]
pub struct Wrong {
    pub kind: &'static str,
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    pub message: String,
}

/// What receipts are looked at, and who may sign.
#[derive(Default)]
pub struct Checking {
    pub query: Query,
    pub allowed: Option<AllowedSigners>,
    /// So many problems are told.
    pub limit: usize,
}

impl Checking {
    /// Whether this is about what is noted on something, as far as that can be read.
    pub fn has(&self, target: ObjectId, note: &[u8]) -> bool {
        Receipt::noted(target, note).map_or(true, |it| self.query.has(&it.0))
    }
}

/// What came of that.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    pub ok: bool,
    /// How many runs there were, how many receipts, and how many of them are signed.
    pub runs: u64,
    pub receipts: u64,
    pub signed: u64,
    /// How many are of runs that are not here, or not any more: nobody can tell more of them than
    /// who signed.
    pub apart: u64,
    pub found: u64,
    pub problems: Vec<Wrong>,
    /// What was looked at.
    #[serde(skip)]
    pub seen: HashSet<ObjectId>,
    #[serde(skip)]
    pub(super) known: Known,
}

impl Checked {
    fn take(&mut self, wrong: Vec<Wrong>, checking: &Checking) {
        self.found += wrong.len() as u64;
        let room = checking.limit.saturating_sub(self.problems.len());
        self.problems.extend(wrong.into_iter().take(room));
    }

    /// Counts a receipt, and what is wrong with it.
    pub(super) fn count(&mut self, judged: Judged, checking: &Checking) {
        self.receipts += 1;
        self.signed += u64::from(judged.verdict.is_some());
        self.take(judged.wrong, checking);
    }
}

/// What there is to say about one.
pub struct Judged {
    pub receipt: Option<Receipt>,
    pub line: String,
    /// Of its signature, if it has one.
    pub verdict: Option<Verdict>,
    pub wrong: Vec<Wrong>,
}

/// What can be said of a note without its run.
pub(super) fn read(target: ObjectId, note: &[u8], allowed: Option<&AllowedSigners>) -> Judged {
    let mut judged = Judged {
        receipt: None,
        line: String::from_utf8_lossy(note).into_owned(),
        verdict: None,
        wrong: Vec::new(),
    };
    match Receipt::noted(target, note) {
        Err(error) => judged.tell("record", format!("it cannot be read: {}", error.message)),
        Ok((receipt, line, count)) => {
            if count != 1 {
                judged.tell("record", format!("the note has {count} lines, not one"));
            }
            if receipt.text() != line {
                judged.tell("record", "it is not written as receipts are");
            }
            let time = receipt.finished_ms.div_euclid(1000);
            judged.verdict = line::verdict(line, RECEIPT, time, allowed);
            judged.line = line.to_owned();
            judged.receipt = Some(receipt);
            judged.expect_signer(allowed.is_some());
        }
    }
    judged.about(target)
}

impl Judged {
    /// Compares it with what the run says; where that says nothing, this is why.
    pub(super) fn against(
        mut self,
        target: ObjectId,
        wanted: std::result::Result<&Finished, &'static str>,
    ) -> Judged {
        let Some(receipt) = self.receipt.take() else { return self };
        match wanted {
            _ if receipt.commit != target.to_string() => {
                let message = format!("it is the receipt of the commit {}", receipt.commit);
                self.tell("misplaced", message);
            }
            Ok(it) => {
                for (name, found, wanted) in differences(&receipt, &it.receipt) {
                    let kind = if DIGESTS.contains(&&*name) { "digest" } else { "record" };
                    self.tell(kind, format!("`{name}` is {found}, and the run says {wanted}"));
                }
            }
            Err(why) => self.tell("misplaced", why),
        }
        self.receipt = Some(receipt);
        self.about(target)
    }

    /// Says of each problem what it is about.
    fn about(mut self, target: ObjectId) -> Judged {
        let receipt = self.receipt.as_ref();
        let run = receipt.map(|it| it.run.clone());
        let task = receipt.and_then(|it| it.task.clone());
        for it in &mut self.wrong {
            let commit = Some(target.to_string());
            (it.commit, it.run, it.task) = (commit, run.clone(), task.clone());
        }
        self
    }

    fn tell(&mut self, kind: &'static str, message: impl Into<String>) {
        let message = message.into();
        self.wrong.push(Wrong { kind, commit: None, run: None, task: None, message });
    }

    /// With a list of who may sign, somebody on it has to have signed.
    fn expect_signer(&mut self, is_asked: bool) {
        let key = |it: &Verdict| it.key.clone().unwrap_or_default();
        match self.verdict.as_ref().map(|it| (it.status, key(it))) {
            Some((Standing::Good, _)) => (),
            Some((Standing::Bad, _)) => self.tell("signature", "the signature does not fit"),
            Some((Standing::Unsupported, _)) => {
                self.tell("signature", "the signature is none by an ssh key that is known");
            }
            Some((Standing::Untrusted, key)) if is_asked => {
                self.tell("signer", format!("the key {key} may not sign"));
            }
            Some((Standing::Expired, key)) if is_asked => {
                self.tell("signer", format!("the key {key} might not sign at that time"));
            }
            None if is_asked => self.tell("unsigned", "nobody has signed it"),
            _ => (),
        }
    }
}

/// What is different but for the signature: name, what is there, and what should be.
fn differences(found: &Receipt, wanted: &Receipt) -> Vec<(String, Value, Value)> {
    let entries = |it: &Receipt| match serde_json::to_value(it) {
        Ok(Value::Object(entries)) => entries.into_iter().collect::<BTreeMap<_, _>>(),
        _ => BTreeMap::new(),
    };
    let (found, wanted) = (entries(found), entries(wanted));
    let names: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let value = |it: &BTreeMap<String, Value>, name: &String| it.get(name).cloned();
    let both = names.into_iter().map(|it| (it.clone(), value(&found, it), value(&wanted, it)));
    let differ = both.filter(|(name, found, wanted)| name != "signature" && found != wanted);
    differ.map(|it| (it.0, it.1.unwrap_or_default(), it.2.unwrap_or_default())).collect()
}

impl Keeper {
    /// What was finished in a run.
    pub fn finished_in(
        &mut self,
        run: &RunId,
        transaction: &mut Transaction,
    ) -> Result<Vec<Finished>> {
        let mut finished = Vec::new();
        self.read_and_tell(run, None, Some(&mut finished), transaction)?;
        Ok(finished)
    }

    /// The same, or nothing where the run is not here.
    pub fn finished_if_here(
        &mut self,
        run: &RunId,
        transaction: &mut Transaction,
    ) -> Result<Option<Vec<Finished>>> {
        let is_here = self.newest(run).is_some();
        is_here.then(|| self.finished_in(run, transaction)).transpose()
    }

    /// Checks the receipts of a run.
    pub fn check_receipts(
        &mut self,
        run: &RunId,
        checking: &Checking,
        checked: &mut Checked,
        transaction: &mut Transaction,
    ) -> Result<()> {
        match self.finished_in(run, transaction) {
            Ok(finished) => self.check_finished(run, &finished, checking, checked, transaction),
            Err(error) => {
                transaction.watch().check()?;
                checked.runs += 1;
                let (run, message) = (Some(run.to_string()), error.message);
                let wrong = Wrong { kind: "run", commit: None, run, task: None, message };
                checked.take(vec![wrong], checking);
                Ok(())
            }
        }
    }

    /// Checks the receipts of a run in which this was finished.
    pub fn check_finished(
        &mut self,
        run: &RunId,
        finished: &[Finished],
        checking: &Checking,
        checked: &mut Checked,
        transaction: &mut Transaction,
    ) -> Result<()> {
        checked.runs += 1;
        let notes = transaction.notes_now(&Namespace::receipts())?;
        let mut wanted: HashMap<ObjectId, &Finished> =
            finished.iter().map(|it| (it.commit, it)).collect();
        for commit in transaction.history(run)? {
            let wanted = wanted.remove(&commit.id);
            let Some(note) = transaction.noted_in(notes, commit.id)? else {
                let missing = wanted.filter(|it| checking.query.has(&it.receipt));
                let is_to_come =
                    |it: &Finished| it.is_others() || self.receipts.is_waiting(run, it.commit);
                let missing = missing.filter(|it| !is_to_come(it));
                checked.take(missing.map(lacking).into_iter().collect(), checking);
                continue;
            };
            checked.seen.insert(commit.id);
            let judged = read(commit.id, &note, checking.allowed.as_ref());
            let judged = judged.against(commit.id, wanted.ok_or(NO_TASK));
            let about = wanted.map(|it| &it.receipt).or(judged.receipt.as_ref());
            if about.is_none_or(|it| checking.query.has(it)) {
                checked.count(judged, checking);
            }
        }
        Ok(())
    }
}

fn lacking(finished: &Finished) -> Wrong {
    let it = &finished.receipt;
    let (commit, run) = (Some(it.commit.clone()), Some(it.run.clone()));
    let message = format!("`{}` is finished, and has no receipt", it.step);
    Wrong { kind: "missing", commit, run, task: it.task.clone(), message }
}

/// The receipt of a task that is asked for.
pub fn of_task<'f>(
    finished: &'f [Finished],
    task: &str,
    attempt: Option<u64>,
) -> Result<&'f Finished> {
    let is_it = |it: &&Finished| {
        it.receipt.task.as_deref() == Some(task)
            && attempt.is_none_or(|attempt| it.receipt.attempt == Some(attempt))
    };
    let missing = || Error::not_found(format!("nobody has finished the task {task}"));
    finished.iter().rev().find(is_it).ok_or_else(missing)
}
