//! What is told of runs.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use super::{
    children::Called,
    keeper::{Keeper, Over},
    message::{self, Because, Cause},
    run::Run,
};
use crate::{
    engine::{
        definition::Data,
        offers::Offer,
        state::{Problem, Status},
    },
    error::{Error, Result},
    git::{RunId, Transaction},
};

/// How a run can end.
pub const ENDED: [&str; 3] = ["done", "failed", "cancelled"];
/// How a run can stand.
pub const STATUSES: [&str; 7] =
    ["running", "waiting", "stuck", "suspended", "done", "failed", "cancelled"];

/// A run in a list.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub run: String,
    pub process: String,
    pub version: Option<String>,
    pub digest: String,
    /// The digest of what it was started with.
    pub input: String,
    pub status: &'static str,
    pub actor: String,
    pub began_ms: i64,
    /// The newest commit, and how many there are.
    pub commit: String,
    pub seq: u64,
    pub attributes: BTreeMap<String, String>,
    /// Of one that began as another one was: which, and with the commit of which number.
    pub forked: Option<String>,
    /// Of one that migrated: the version and digest that it began with.
    #[serde(skip)]
    pub first: Option<(Option<String>, String)>,
}

/// All there is to say about a run at some moment.
#[derive(Debug, Serialize)]
pub struct Overview {
    #[serde(flatten)]
    pub summary: Summary,
    pub final_status: Option<String>,
    pub problem: Option<Problem>,
    /// When something last happened, and when time moves it next.
    pub updated_ms: i64,
    pub due_ms: Option<i64>,
    pub data: Data,
    pub offers: Vec<Offered>,
    /// What it has reached, by the commits with which it did.
    pub milestones: BTreeMap<String, String>,
    /// The processes that it calls, or has called.
    pub children: Vec<Called>,
}

/// Something that is offered, under way or waited for.
#[derive(Debug, Serialize)]
pub struct Offered {
    pub task: String,
    pub worker: Option<String>,
    #[serde(flatten)]
    pub offer: Offer,
}

/// Something that happened.
#[derive(Debug, Serialize)]
pub struct Happening {
    pub seq: u64,
    pub commit: String,
    pub parents: Vec<String>,
    pub event: String,
    pub step: Option<String>,
    pub outcome: Option<String>,
    pub actor: String,
    pub at_ms: Option<i64>,
    /// In words.
    pub subject: String,
    /// What happened from outside; those that follow without one follow from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

#[derive(Debug, Serialize)]
pub struct HistoryPage {
    events: Vec<Happening>,
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct RunPage {
    runs: Vec<Summary>,
    next: Option<String>,
}

/// Which runs are asked for.
#[derive(Debug, Default)]
pub struct RunQuery {
    pub process: Option<String>,
    pub version: Option<String>,
    pub status: Option<String>,
    /// Where something is offered, under way or waited for.
    pub step: Option<String>,
    /// Who began it.
    pub actor: Option<String>,
    pub attributes: BTreeMap<String, String>,
    pub since_ms: Option<i64>,
    pub until_ms: Option<i64>,
    pub limit: usize,
    pub after: Option<String>,
}

impl Run {
    pub fn summary(&self) -> Summary {
        Summary {
            run: self.id.clone(),
            process: self.birth.process.clone(),
            version: self.birth.version.clone(),
            digest: self.birth.digest.clone(),
            input: self.birth.input.clone(),
            status: self.state.status(&self.pinned.processes).word(),
            actor: self.birth.actor.clone(),
            began_ms: self.birth.began_ms,
            commit: self.newest().map(|it| it.to_string()).unwrap_or_default(),
            seq: self.seq,
            attributes: self.birth.attributes.clone(),
            forked: self.birth.forked.clone(),
            first: self.birth.first.clone(),
        }
    }

    pub fn overview(&self) -> Overview {
        let head = &self.state.head;
        let reached = self.milestones.iter();
        Overview {
            summary: self.summary(),
            final_status: head.final_status.clone(),
            problem: head.problem.clone(),
            updated_ms: head.now_ms,
            due_ms: self.state.due_ms(),
            data: self.state.data(),
            offers: self.offered(),
            milestones: reached.map(|(name, it)| (name.clone(), it.to_string())).collect(),
            children: self.called(),
        }
    }

    /// What can be done in it, is done or is waited for.
    pub fn offered(&self) -> Vec<Offered> {
        let offers = match self.state.head.status {
            Status::Running => self.state.offers(&self.pinned.processes),
            _ => Vec::new(),
        };
        let offered = |offer: Offer| Offered {
            task: format!("{}/{}", self.id, offer.item),
            worker: self.claims.get(&offer.item).map(|it| it.worker.clone()),
            offer,
        };
        offers.into_iter().map(offered).collect()
    }
}

impl Over {
    fn summary(&self, run: &RunId) -> Summary {
        Summary {
            run: run.to_string(),
            process: self.birth.process.clone(),
            version: self.birth.version.clone(),
            digest: self.birth.digest.clone(),
            input: self.birth.input.clone(),
            status: self.status.word(),
            actor: self.birth.actor.clone(),
            began_ms: self.birth.began_ms,
            commit: self.newest.to_string(),
            seq: self.seq,
            attributes: self.birth.attributes.clone(),
            forked: self.birth.forked.clone(),
            first: self.birth.first.clone(),
        }
    }
}

impl Keeper {
    /// How a run stands, or stood with the commit of a number.
    pub fn overview(
        &mut self,
        run: &RunId,
        until: Option<u64>,
        transaction: &mut Transaction,
    ) -> Result<Overview> {
        self.run_at(run, until, transaction).map(|it| it.overview())
    }

    /// A run, as it is or was with the commit of a number.
    pub fn run_at(
        &mut self,
        run: &RunId,
        until: Option<u64>,
        transaction: &mut Transaction,
    ) -> Result<Cow<'_, Run>> {
        if until.is_none() && self.open.contains_key(run) {
            return self.run(run).map(Cow::Borrowed);
        }
        if !self.open.contains_key(run) && !self.over.contains_key(run) {
            return Err(self.missing(run));
        }
        let mut it = self.read_until(run, until, transaction)?;
        // One that was forked was another one before.
        it.id = run.to_string();
        Ok(Cow::Owned(it))
    }

    /// How a run stands.
    pub fn status(&self, run: &RunId) -> Option<&'static str> {
        let open = self.open.get(run).map(|it| it.state.status(&it.pinned.processes));
        open.or_else(|| Some(self.over.get(run)?.status)).map(Status::word)
    }

    /// What there is of a run without reading all of its commits.
    pub fn summary(&self, run: &RunId) -> Option<Summary> {
        let open = self.open.get(run).map(Run::summary);
        open.or_else(|| Some(self.over.get(run)?.summary(run)))
    }

    pub fn list(&self, query: &RunQuery) -> RunPage {
        let mut ids: Vec<&RunId> = self.open.keys().chain(self.over.keys()).collect();
        ids.sort_unstable();
        let after = query.after.as_deref();
        let later = ids.into_iter().filter(|it| after.is_none_or(|after| after < it.as_str()));
        let mut runs: Vec<Summary> = Vec::new();
        for run in later {
            let Some(it) = self.summary(run).filter(|it| query.has(it)) else { continue };
            let is_at = |step: &String| {
                let offers = self.open.get(run).map(|it| it.state.offers(&it.pinned.processes));
                offers.is_some_and(|it| it.iter().any(|it| it.path == *step))
            };
            if !query.step.as_ref().is_none_or(is_at) {
                continue;
            }
            if query.limit <= runs.len() {
                let next = runs.last().map(|it| it.run.clone());
                return RunPage { runs, next };
            }
            runs.push(it);
        }
        RunPage { runs, next: None }
    }
}

impl RunQuery {
    fn has(&self, it: &Summary) -> bool {
        self.process.as_ref().is_none_or(|wanted| *wanted == it.process)
            && self.version.as_ref().is_none_or(|wanted| it.version.as_ref() == Some(wanted))
            && self.status.as_ref().is_none_or(|wanted| wanted == it.status)
            && self.actor.as_ref().is_none_or(|wanted| *wanted == it.actor)
            && self.since_ms.is_none_or(|since| since <= it.began_ms)
            && self.until_ms.is_none_or(|until| it.began_ms < until)
            && self.attributes.iter().all(|(name, value)| it.attributes.get(name) == Some(value))
    }
}

/// What happened to a run, in its order, after the commit of this number.
pub fn history(
    run: &RunId,
    after: u64,
    limit: usize,
    transaction: &mut Transaction,
) -> Result<HistoryPage> {
    let mut events = Vec::new();
    for commit in transaction.history(run)? {
        let said = message::read(&commit.message)?;
        if said.seq <= after {
            continue;
        }
        let file = match said.cause {
            Because::File => transaction.file(commit.tree, message::CAUSE_FILE)?,
            _ => None,
        };
        let cause = match said.cause {
            Because::Of(cause) => Some(*cause),
            Because::File => file.map(|it| Cause::read(&it)).transpose()?,
            Because::Before => None,
        };
        let subject = commit.message.split(|it| *it == b'\n').next().unwrap_or_default();
        events.push(Happening {
            seq: said.seq,
            commit: commit.id.to_string(),
            parents: commit.parents.iter().map(ToString::to_string).collect(),
            event: said.event,
            step: said.step,
            outcome: said.outcome,
            actor: said.actor,
            at_ms: cause.as_ref().map(|it| it.event.at_ms),
            subject: String::from_utf8_lossy(subject).into_owned(),
            cause,
        });
    }
    events.sort_unstable_by_key(|it| it.seq);
    if events.is_empty() && transaction.execution(run)?.is_none() {
        return Err(Error::not_found(format!("there is no run `{run}`")));
    }
    let has_more = limit < events.len();
    events.truncate(limit);
    let next = events.last().filter(|_| has_more).map(|it| it.seq);
    Ok(HistoryPage { events, next })
}
