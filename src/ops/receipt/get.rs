//! `receipt.get`: what became of a task, and whether that is true.

use serde::{Deserialize, Serialize};

use super::{commit_id, with_all};
use crate::{
    error::{Code, Error, Result},
    git::{Namespace, ObjectId, RepositoryPath, RunId, Transaction, Verdict},
    ops::{Context, Lane, Operation, plain::Plain, verify::Signers},
    runs::{
        keeper::Keeper,
        receipt::{Finished, Receipt, Wrong, judged, of_task},
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
        with_all(&self.path, context, |keeper, transaction| {
            let (target, finished) = match (commit, task) {
                (Some(commit), _) => of_commit(commit.parse()?, keeper, transaction)?,
                (None, Some(task)) => {
                    let finished = keeper.finished_of(&task.run, transaction)?;
                    let it = of_task(&finished, &format!("{}/{}", task.run, task.item), attempt)?;
                    (it.commit, Some(it.clone()))
                }
                (None, None) => return Err(Error::internal("nothing is asked for")),
            };
            let note = noted(target, transaction)?;
            let judged = judged(target, &note, finished.as_ref(), signers.as_ref());
            Ok(Reply {
                commit: target.to_string(),
                ok: judged.wrong.is_empty(),
                receipt: judged.receipt,
                line: judged.line,
                signature: judged.verdict,
                problems: judged.wrong,
            })
        })
    }
}

fn noted(target: ObjectId, transaction: &mut Transaction) -> Result<Vec<u8>> {
    let notes = transaction.notes_now(&Namespace::receipts())?;
    let note = transaction.noted_in(notes, target)?;
    let missing = || Error::not_found(format!("{target} has no receipt"));
    note.map(|it| it.to_vec()).ok_or_else(missing)
}

/// What the run that a receipt speaks of says of its commit.
fn of_commit(
    target: ObjectId,
    keeper: &mut Keeper,
    transaction: &mut Transaction,
) -> Result<(ObjectId, Option<Finished>)> {
    let note = noted(target, transaction)?;
    let run = Receipt::noted(target, &note).ok().and_then(|it| RunId::new(&it.0.run).ok());
    let finished = match run.map(|it| keeper.finished_of(&it, transaction)) {
        Some(Err(error)) if !matches!(error.code, Code::NotFound | Code::Corrupt) => {
            return Err(error);
        }
        Some(Ok(finished)) => finished.into_iter().find(|it| it.commit == target),
        _ => None,
    };
    Ok((target, finished))
}
