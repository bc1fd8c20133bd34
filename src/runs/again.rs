//! Runs that go on from where they were, in themselves or as others, or by another definition.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;

use super::{
    keeper::{Deed, Happened, Keeper, MYSELF},
    load,
    message::{Because, Said},
    pinned::Pinned,
    run::Run,
};
use crate::{
    engine::{
        event::{Names, What},
        migrate::migrated,
        state::Status,
    },
    error::{Detail, Error, Result},
    git::{ObjectId, RunId, Transaction},
};

/// Work that was done or under way, and is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Again {
    pub step: String,
    /// Who did it, or was at it.
    pub actor: String,
    /// The commit of the run in which it was taken up.
    pub seq: u64,
}

impl Keeper {
    /// Has a run go on from the commit of a number, or from before what made it fail; says what is
    /// done again.
    pub fn retry(
        &mut self,
        run: &RunId,
        actor: &str,
        seq: Option<u64>,
        transaction: &mut Transaction,
    ) -> Result<(Happened, Vec<Again>)> {
        expect_number(seq)?;
        let now = self.run_at(run, None, transaction)?.into_owned();
        let status = now.state.status(&now.pinned.processes);
        if !matches!(status, Status::Failed | Status::Cancelled | Status::Stuck) {
            let message = format!(
                "the run `{run}` is {}: one that failed, was cancelled or is stuck is tried again",
                status.word()
            );
            return Err(Error::conflict(message)
                .with("expected", "failed, cancelled or stuck")
                .with("actual", status.word()));
        }
        let seq = match seq {
            Some(seq) => seq,
            None => self.before_its_end(run, transaction)?,
        };
        let (earlier, again) = self.read_back(run, seq, transaction)?;
        let seq = earlier.seq;
        self.forget(run);
        // Whatever comes of this: what is known is read again where it is not kept.
        self.stale.insert(run.clone());
        let it = now.back_at(earlier);
        self.index_all(run, &it);
        self.open.insert(run.clone(), it);
        let happened = self.happen(run, actor, What::Retry { seq }, transaction)?;
        self.stale.remove(run);
        Ok((happened, again))
    }

    /// Begins a run as another one was with the commit of a number, or is now.
    pub fn fork(
        &mut self,
        (run, new): (&RunId, &RunId),
        actor: &str,
        seq: Option<u64>,
        transaction: &mut Transaction,
    ) -> Result<(Happened, Vec<Again>)> {
        expect_number(seq)?;
        let there = self.summary(new);
        let before = there.as_ref().and_then(|it| {
            let (of, seq) = it.forked.as_deref()?.rsplit_once('@')?;
            seq.parse().ok().filter(|_| of == run.as_str())
        });
        let seq = match seq.or(before) {
            Some(seq) => seq,
            None => self.run_at(run, None, transaction)?.seq,
        };
        let (earlier, again) = self.read_back(run, seq, transaction)?;
        // A fork of a fork may begin before that was one.
        let (seq, of) = (earlier.seq, earlier.id.clone());
        let it = earlier.forked(new.as_str());
        if let Some(there) = there {
            let fork = format!("{of}@{seq}");
            if there.forked.as_ref() == Some(&fork) {
                let commit = load::told(transaction.history(new)?)?.into_iter();
                let commit = commit.filter(|it| it.0.run == new.as_str()).min_by_key(|it| it.0.seq);
                return Ok((Happened { commit: commit.map(|it| it.1.id) }, again));
            }
            let message = format!("the run `{new}` is there");
            return Err(Error::conflict(message)
                .with("expected", fork)
                .with("actual", there.forked.unwrap_or(there.process)));
        }
        self.expect_free(new)?;
        self.index_all(new, &it);
        self.open.insert(new.clone(), it);
        let fork = What::Fork { run: of, seq };
        match self.happen(new, actor, fork, transaction) {
            Ok(happened) => Ok((happened, again)),
            Err(error) => {
                self.forget(new);
                Err(error)
            }
        }
    }

    /// Has a run go on by another process, in which steps are called as these names say.
    pub fn migrate(
        &mut self,
        run: &RunId,
        actor: &str,
        pinned: Arc<Pinned>,
        steps: Names,
        transaction: &mut Transaction,
    ) -> Result<Happened> {
        let it = self.run(run)?;
        if it.birth.process != pinned.name {
            let message = format!("the run `{run}` is one of `{}`", it.birth.process);
            return Err(Error::conflict(message)
                .with("expected", it.birth.process.as_str())
                .with("actual", pinned.name.as_str()));
        }
        if it.birth.digest == pinned.digest {
            let message = format!("the run `{run}` follows this definition already");
            return Err(Error::conflict(message).with("actual", pinned.digest.as_str()));
        }
        expect_names(&steps, &it.pinned, &pinned)?;
        let (old, new) = (&it.pinned.processes, &pinned.processes);
        if let Err(missing) = migrated(old, new, &it.state, &steps) {
            let message = format!("the run `{run}` is where the other definition has no place");
            let missing = missing.into_iter().map(Detail::Text).collect();
            return Err(Error::conflict(message).with("missing", Detail::List(missing)));
        }
        let (digest, version) = (pinned.digest.clone(), pinned.version.clone());
        let what = What::Migrate { digest, version, steps };
        let deed = Deed { pinned: Some(pinned), ..Deed::of(actor, what) };
        self.happen_by(run, deed, transaction)
    }

    /// A run as it was with the commit of a number, and whose work after that does not count.
    fn read_back(
        &mut self,
        run: &RunId,
        seq: u64,
        transaction: &mut Transaction,
    ) -> Result<(Run, Vec<Again>)> {
        let earlier = self.read_until(run, Some(seq), transaction)?;
        if earlier.state.head.status != Status::Running {
            let status = earlier.state.head.status.word();
            let message = format!("with the commit {seq} the run `{run}` is {status}");
            return Err(Error::conflict(message)
                .with("expected", "a commit with which it is under way")
                .with("actual", status));
        }
        let told = load::told(transaction.history(run)?)?;
        let started = earlier.claims.values().map(|it| it.token);
        let started: BTreeSet<ObjectId> = started.collect();
        let is_undone = |said: &Said, commit: ObjectId| {
            let is_later = earlier.seq < said.seq && said.event == "start" && said.actor != MYSELF;
            is_later || started.contains(&commit)
        };
        let undone = told.into_iter().filter(|(said, commit)| is_undone(said, commit.id));
        let mut again: Vec<Again> = undone
            .map(|(said, _)| {
                let (step, actor) = (said.step.unwrap_or_default(), said.actor);
                Again { step, actor, seq: said.seq }
            })
            .collect();
        again.sort_unstable_by_key(|it| it.seq);
        let mut told = BTreeSet::new();
        again.retain(|it| told.insert(it.step.clone()));
        Ok((earlier, again))
    }

    /// The number of the commit before what made a run end as it did.
    fn before_its_end(&mut self, run: &RunId, transaction: &mut Transaction) -> Result<u64> {
        let told = load::told(transaction.history(run)?)?;
        let is_by_itself = |actor: &str, what: &What| {
            actor == MYSELF && matches!(what, What::Start { .. } | What::Complete { .. })
        };
        let is_cause = |said: &Said| match &said.cause {
            Because::Before => false,
            // A long one is data, which somebody brought.
            Because::File => true,
            Because::Of(cause) => !is_by_itself(&cause.actor, &cause.event.what),
        };
        let last = told.iter().filter(|it| is_cause(&it.0)).map(|it| it.0.seq).max();
        match last {
            Some(last) if 1 < last => Ok(last - 1),
            _ => {
                let message = format!("the run `{run}` ended as it began: start another one");
                Err(Error::conflict(message).with("actual", "ended at its beginning"))
            }
        }
    }
}

/// Commits are counted from 1.
pub fn expect_number(seq: Option<u64>) -> Result<()> {
    match seq {
        Some(0) => {
            let message = "`seq` is the number of a commit, from 1";
            Err(Error::bad_request(message).with("field", "seq"))
        }
        _ => Ok(()),
    }
}

/// Nobody knows how a run is with a commit that is to come.
pub fn expect_reached(run: &RunId, seq: u64, told: &[load::Told]) -> Result<()> {
    let newest = told.iter().map(|it| it.0.seq).max().unwrap_or_default();
    match newest < seq {
        true => {
            let message = format!("the run `{run}` has {newest} commits, and none is {seq}");
            Err(Error::bad_request(message).with("field", "seq"))
        }
        false => Ok(()),
    }
}

/// The steps that names lead from and to have to be there, and no two become one.
fn expect_names(steps: &Names, old: &Pinned, new: &Pinned) -> Result<()> {
    let has = |it: &Pinned, name: &str| {
        it.processes.nets.iter().any(|net| net.by_name.contains_key(name))
    };
    let bad = |message: String| Err(Error::bad_request(message).with("field", "steps"));
    for (from, to) in steps {
        if !has(old, from) {
            return bad(format!("the run's definition has no step `{from}`"));
        }
        if !has(new, to) {
            return bad(format!("the other definition has no step `{to}`"));
        }
    }
    for net in &old.processes.nets {
        let mut seen = BTreeSet::new();
        for name in net.by_name.keys() {
            let to = steps.get(name).unwrap_or(name);
            if !seen.insert(to) && (steps.contains_key(name) || steps.values().any(|it| it == to)) {
                return bad(format!("two steps would be `{to}`"));
            }
        }
    }
    Ok(())
}
