//! `receipt.get`: what became of a task, and whether that is true.

use serde::{Deserialize, Serialize};

use super::{alone, commit_id, opened, with_all};
use crate::{
    error::{Error, Result},
    git::{Namespace, ObjectId, RepositoryPath, Transaction, Verdict},
    ops::{Context, Lane, Operation, plain::Plain, verify::Signers},
    runs::{
        keeper::Keeper,
        receipt::{Judged, Known, Receipt, Standing, Wrong, newest_of_task, of_task},
        work::TaskId,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    path: RepositoryPath,
    commit: Option<Plain>,
    task: Option<Plain>,
    attempt: Option<u64>,
    allowed_signers: Option<Plain>,
    allowed_signers_file: Option<RepositoryPath>,
}

#[derive(Serialize)]
pub struct Reply {
    commit: String,
    /// Nothing where the note is none.
    receipt: Option<Receipt>,
    /// As it is written: what is signed is this line without the signature.
    line: String,
    /// What its signature is worth, if it has one.
    signature: Option<Verdict>,
    ok: bool,
    /// Whether its run is not here, or not any more: then only its form and who signed is known.
    apart: bool,
    problems: Vec<Wrong>,
}

impl Operation for Get {
    const NAME: &'static str = "receipt.get";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let bad = |message: &str, field: &'static str| {
            Err(Error::bad_request(message).with("field", field))
        };
        let task = self.task.as_ref().map(|it| TaskId::new(it, "task")).transpose()?;
        let commit = self.commit.as_ref().map(|it| commit_id(it, "commit")).transpose()?;
        match (&commit, &task) {
            (None, None) => return bad("`commit` or `task` says of what", "commit"),
            (Some(_), Some(_)) => return bad("either `commit` or `task` says of what", "commit"),
            (Some(_), None) if self.attempt.is_some() => {
                return bad("`attempt` is one of a `task`", "attempt");
            }
            _ => (),
        }
        let signers =
            Signers { text: self.allowed_signers, file: self.allowed_signers_file }.read()?;
        let attempt = self.attempt;
        let asked = with_all(&self.path, context, |keeper, transaction| match (&commit, &task) {
            (Some(commit), _) => Ok(Some(commit.parse()?)),
            (None, Some(task)) => of_run(task, attempt, keeper, transaction),
            (None, None) => Ok(None),
        })?;
        let target = match (asked, &task) {
            (None, Some(task)) => {
                let repository = opened(&self.path, context)?;
                let wanted = (&*text_of(task), attempt);
                newest_of_task(&task.run, wanted, &repository, context.watch)?
            }
            (asked, _) => asked,
        };
        let missing = || Error::not_found("there is neither the run of the task nor its receipt");
        let target: ObjectId = target.ok_or_else(missing)?;
        alone(&self.path, context, |keeper, transaction| {
            let note = noted(target, transaction)?;
            let (allowed, known) = (signers.as_ref(), &mut Known::default());
            let judged = keeper.judge((target, &note), allowed, known, transaction)?;
            Ok(Reply::of(target, judged))
        })
    }
}

impl Reply {
    fn of(target: ObjectId, (judged, standing): (Judged, Standing)) -> Reply {
        Reply {
            commit: target.to_string(),
            ok: judged.wrong.is_empty(),
            apart: standing == Standing::Apart,
            receipt: judged.receipt,
            line: judged.line,
            signature: judged.verdict,
            problems: judged.wrong,
        }
    }
}

/// The commit that finished a task, as its run says; nothing where the run is not here.
fn of_run(
    task: &TaskId,
    attempt: Option<u64>,
    keeper: &mut Keeper,
    transaction: &mut Transaction,
) -> Result<Option<ObjectId>> {
    keeper.look_for(&task.run, transaction)?;
    let Some(finished) = keeper.finished_if_here(&task.run, transaction)? else { return Ok(None) };
    of_task(&finished, &text_of(task), attempt).map(|it| Some(it.commit))
}

fn text_of(task: &TaskId) -> String {
    format!("{}/{}", task.run, task.item)
}

fn noted(target: ObjectId, transaction: &mut Transaction) -> Result<Vec<u8>> {
    let notes = transaction.notes_now(&Namespace::receipts())?;
    let note = transaction.noted_in(notes, target)?;
    let missing = || Error::not_found(format!("{target} has no receipt"));
    note.map(|it| it.to_vec()).ok_or_else(missing)
}
