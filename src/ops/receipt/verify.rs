//! `receipt.verify`: whether receipts are right, and all there.

use serde::Deserialize;

use super::{alone, opened, with_all};
use crate::{
    error::{Error, Result},
    git::{Namespace, NotesQuery, ObjectId, RepositoryPath},
    ops::{Context, Lane, Operation, paging, plain::Plain, run::run_id, verify::Signers},
    runs::receipt::{Checked, Checking, Query},
};

/// So many notes are read at a time.
const READ_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    path: RepositoryPath,
    run: Option<Plain>,
    process: Option<Plain>,
    version: Option<Plain>,
    step: Option<Plain>,
    actor: Option<Plain>,
    worker: Option<Plain>,
    outcome: Option<Plain>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    allowed_signers: Option<Plain>,
    allowed_signers_file: Option<RepositoryPath>,
    /// How many problems are told at most.
    #[serde(default = "paging::thousand")]
    limit: usize,
}

impl Operation for Verify {
    const NAME: &'static str = "receipt.verify";

    type Reply = Checked;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Checked> {
        let run = self.run.as_ref().map(run_id).transpose()?;
        let query = Query {
            run: self.run.map(String::from),
            process: self.process.map(String::from),
            version: self.version.map(String::from),
            step: self.step.map(String::from),
            actor: self.actor.map(String::from),
            worker: self.worker.map(String::from),
            outcome: self.outcome.map(String::from),
            since_ms: self.since_ms,
            until_ms: self.until_ms,
        };
        let limit = paging::limit(self.limit)?;
        let signers = Signers { text: self.allowed_signers, file: self.allowed_signers_file };
        let checking = Checking { query, allowed: signers.read()?, limit };
        let mut checked = Checked::default();
        of_runs(&self.path, &checking, &mut checked, context)?;
        let is_one = 0 < checked.runs && run.is_some();
        if !is_one {
            of_others(&self.path, &checking, &mut checked, context)?;
        }
        if let Some(run) = run.filter(|_| checked.runs == 0 && checked.receipts == 0) {
            return Err(Error::not_found(format!("there is no run `{run}`, and no receipt of it")));
        }
        checked.ok = checked.found == 0;
        Ok(checked)
    }
}

/// What is on commits of runs: of each in a step of its own, so that nobody waits for all.
fn of_runs(
    path: &RepositoryPath,
    checking: &Checking,
    checked: &mut Checked,
    context: &Context,
) -> Result<()> {
    let runs = with_all(path, context, |keeper, _| Ok(keeper.ids_like(&checking.query)))?;
    for run in runs {
        context.watch.check()?;
        alone(path, context, |keeper, transaction| {
            keeper.check_receipts(&run, checking, checked, transaction)
        })?;
    }
    Ok(())
}

/// What is on anything else.
fn of_others(
    path: &RepositoryPath,
    checking: &Checking,
    checked: &mut Checked,
    context: &Context,
) -> Result<()> {
    let mut after = None;
    loop {
        let repository = opened(path, context)?;
        let wanted = NotesQuery { namespace: Namespace::receipts(), limit: READ_MAX, after };
        let page = repository.notes(&wanted, context.watch)?;
        for place in &page.notes {
            context.watch.check()?;
            let target: ObjectId = place.target.0.parse()?;
            if checked.seen.contains(&target) {
                continue;
            }
            let note = repository.note_content(place)?;
            if !checking.has(target, &note) {
                continue;
            }
            alone(path, context, |keeper, transaction| {
                keeper.check_stray((target, &note), checking, checked, transaction)
            })?;
        }
        match page.next {
            None => return Ok(()),
            next => after = next.map(|it| it.0),
        }
    }
}
