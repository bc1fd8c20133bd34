//! The runs of one repository, as this process knows them: what is in Git, ready to go on.
//!
//! Whatever happens to a run goes through [`Keeper::happen`], in a transaction of the repository.
//! What is known here is compared with the refs whenever somebody else may have written, and
//! forgotten where a step failed: Git is what counts.

mod read;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    due::Due,
    giver::Given,
    lease::Leases,
    message::{Birth, Cause},
    own,
    pinned::Pinned,
    policy::Policing,
    receipt::Waiting,
    run::{Made, Run},
    tasks::{Lane, QUEUE, Tasks},
};
use crate::{
    engine::{
        event::{Event, Refused, What, Why},
        offers::Meant,
        or_join::Cache,
        state::{Id, ItemStatus, Status, table::Row},
    },
    error::{Error, Result},
    git::{Advance, ObjectId, RunId, Transaction, boottime_ms, now_ms},
};

/// Who does what the program does by itself.
pub const MYSELF: &str = "gitport";
/// How long it takes until what could not be done is tried again.
const POSTPONED_MS: u64 = 1000;
/// Steps of this type are complete as soon as they are offered.
const FINAL: &str = "final_commit";

#[derive(Default)]
pub struct Keeper {
    /// Which state of the repository this was last compared with.
    epoch: Option<u64>,
    /// Which refs it was compared with.
    stamp: Option<[u64; 6]>,
    pub(super) open: HashMap<RunId, Run>,
    pub(super) over: BTreeMap<RunId, Over>,
    /// Those that are in the repository, and were not read yet.
    pub(super) unread: BTreeMap<RunId, ObjectId>,
    /// Those that cannot be read, and why.
    unreadable: BTreeMap<RunId, (ObjectId, Error)>,
    /// The processes of runs, by the trees that they were read from, and which ones there.
    pinned: HashMap<(ObjectId, String, Option<String>), Arc<Pinned>>,
    /// Published processes that call no others, by their tags.
    published: HashMap<ObjectId, Arc<Pinned>>,
    pub(super) tasks: Tasks,
    pub(super) leases: Leases,
    due: Due,
    pub policy: Policing,
    /// What something happened to in the request that is under way.
    pub(super) touched: BTreeSet<RunId>,
    /// Whether there are new tasks.
    pub(super) has_news: bool,
    /// When what is due is tried again.
    not_before_ms: u64,
    /// What has to be read again before it is used.
    pub(super) stale: BTreeSet<RunId>,
    pub(super) receipts: Waiting,
}

/// A run that ended.
#[derive(Debug, Clone)]
pub struct Over {
    pub newest: ObjectId,
    pub birth: Birth,
    pub status: Status,
    pub seq: u64,
    /// When, in seconds since 1970.
    pub ended_s: i64,
}

/// A run that is to begin.
pub struct Begin {
    pub run: RunId,
    pub pinned: Arc<Pinned>,
    pub attributes: BTreeMap<String, String>,
    /// The commit of the repository that it is about.
    pub revision: Option<String>,
    pub input: crate::engine::definition::Data,
    pub actor: String,
}

/// What somebody does to a run.
pub(super) struct Deed<'d> {
    pub actor: &'d str,
    /// Of who takes something up: by whom it was given.
    pub given: Option<Given>,
    pub what: What,
    /// Of who has the run go on by another process.
    pub pinned: Option<Arc<Pinned>>,
}

impl Deed<'_> {
    pub fn of(actor: &str, what: What) -> Deed<'_> {
        Deed { actor, given: None, what, pinned: None }
    }
}

/// What came of something that happened.
pub struct Happened {
    /// The first commit of it, where it set anything off.
    pub commit: Option<ObjectId>,
}

impl Keeper {
    /// All runs that are known here.
    pub(super) fn all_ids(&self) -> impl Iterator<Item = &RunId> {
        let known = self.open.keys().chain(self.over.keys()).chain(self.unreadable.keys());
        known.chain(self.unread.keys())
    }

    /// The newest commit of a run that is known here.
    pub(super) fn newest(&self, run: &RunId) -> Option<ObjectId> {
        let open = || self.open.get(run)?.newest();
        let over = || Some(self.over.get(run)?.newest);
        let unreadable = || Some(self.unreadable.get(run)?.0);
        let unread = || self.unread.get(run).copied();
        open().or_else(over).or_else(unreadable).or_else(unread)
    }

    /// What the last request did is not kept.
    pub fn go_back(&mut self) {
        self.stale.append(&mut self.touched);
        self.receipts.look_again();
    }

    /// The next who comes compares all of it with the repository.
    pub fn doubt(&mut self) {
        self.epoch = None;
        self.receipts.look_again();
        self.policy.denials.doubt();
    }

    pub fn forget(&mut self, run: &RunId) {
        self.open.remove(run);
        self.over.remove(run);
        self.unreadable.remove(run);
        self.unread.remove(run);
        self.due.set(run, None);
        self.tasks.forget(run);
        self.leases.forget(run);
    }

    /// Fails where there is a run of this id, whatever is wrong with it.
    pub fn expect_free(&self, run: &RunId) -> Result<()> {
        match self.newest(run) {
            Some(_) => Err(self.missing(run)),
            None => Ok(()),
        }
    }

    /// Why a run is not under way.
    pub fn missing(&self, run: &RunId) -> Error {
        match self.unreadable.get(run) {
            Some((_, error)) => error.clone(),
            None if self.over.contains_key(run) => {
                Error::conflict(format!("the run `{run}` has ended"))
                    .with("expected", "a run that is under way")
                    .with("actual", "ended")
            }
            None => Error::not_found(format!("there is no run `{run}`")),
        }
    }

    /// Begins a run, of an id that is free.
    pub fn begin(&mut self, begin: Begin, transaction: &mut Transaction) -> Result<()> {
        let Begin { run, pinned, attributes, revision, input, actor } = begin;
        let mut it = Run::new(run.as_str(), pinned, attributes);
        it.birth.revision = revision;
        self.open.insert(run.clone(), it);
        match self.happen(&run, &actor, What::Begin { data: input }, transaction) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.forget(&run);
                Err(error)
            }
        }
    }

    /// Works something into a run, and all that follows from it without anybody.
    pub fn happen(
        &mut self,
        run: &RunId,
        actor: &str,
        what: What,
        transaction: &mut Transaction,
    ) -> Result<Happened> {
        self.happen_by(run, Deed::of(actor, what), transaction)
    }

    /// The same, with all there is to say of who does it.
    pub(super) fn happen_by(
        &mut self,
        run: &RunId,
        deed: Deed,
        transaction: &mut Transaction,
    ) -> Result<Happened> {
        let commit = self.happen_once(run, deed, transaction)?;
        while let Some(item) = self.at_its_end(run) {
            self.happen_once(run, Deed::of(MYSELF, What::Start { item }), transaction)?;
            let done = What::Complete { item, outcome: None, data: Default::default() };
            self.happen_once(run, Deed::of(MYSELF, done), transaction)?;
        }
        if let Some(it) = self.open.get(run)
            && it.state.head.status != Status::Running
            && let Some(newest) = it.newest()
        {
            let (birth, head) = (it.birth.clone(), &it.state.head);
            let (status, seq, ended_s) = (head.status, it.seq, head.now_ms.div_euclid(1000).max(0));
            let over = Over { newest, birth, status, seq, ended_s };
            self.forget(run);
            self.over.insert(run.clone(), over);
        }
        self.begin_receipts(transaction);
        Ok(Happened { commit })
    }

    fn happen_once(
        &mut self,
        run: &RunId,
        Deed { actor, given, what, pinned }: Deed,
        transaction: &mut Transaction,
    ) -> Result<Option<ObjectId>> {
        what.expect_fit().map_err(refused)?;
        let Some(it) = self.open.get_mut(run) else { return Err(self.missing(run)) };
        let (before, was_suspended) = (it.newest(), it.state.head.suspended);
        // Time that went back is none for the run.
        let at_ms = now_ms().cast_signed().max(it.state.head.now_ms);
        let overrode = self.policy.take_overrode();
        let event = Event { at_ms, what };
        let cause = Cause { actor: actor.to_owned(), given, overrode, event };
        let made = it.happen(&cause, pinned.as_ref()).map_err(refused)?;
        let Some(newest) = it.newest().filter(|_| !made.commits.is_empty()) else {
            return Ok(None);
        };
        self.touched.insert(run.clone());
        let Made { changes, commits, objects, marks, finished } = made;
        self.receipts.keep(run, finished);
        self.due.set(run, it.state.due_ms());
        // Of a run that is suspended or resumed, all that could be claimed.
        let turned: Vec<(Id, bool)> = match it.state.head.suspended == was_suspended {
            true => Vec::new(),
            false => it.state.items.iter().map(|it| (*it.0, false)).collect(),
        };
        let changed = changes.iter().flat_map(|it| it.rows.items.iter());
        let changed = changed.map(|(item, row)| (*item, matches!(row, Row::Gone)));
        for (item, is_gone) in turned.into_iter().chain(changed) {
            self.index(run, item, is_gone);
        }
        transaction.advance(run, Advance { objects, before, newest, marks });
        Ok(commits.first().copied())
    }

    /// A step that is only there for the end, and can begin.
    fn at_its_end(&self, run: &RunId) -> Option<Id> {
        let lane = Lane { queue: FINAL.to_owned(), step_type: FINAL.to_owned() };
        let it = self.open.get(run).filter(|it| !it.state.head.suspended)?;
        let mut cache = Cache::default();
        let mut there = self.tasks.of_run(run, &lane).into_iter();
        there.find(|item| it.state.is_there(&it.pinned.processes, *item, &mut cache))
    }

    pub(super) fn index_all(&mut self, run: &RunId, it: &Run) {
        self.due.set(run, it.state.due_ms());
        for (item, _) in it.state.items.iter() {
            put(&mut self.tasks, run, it, *item, true);
        }
    }

    fn index(&mut self, run: &RunId, item: Id, is_gone: bool) {
        let it = self.open.get(run).filter(|_| !is_gone);
        if it.is_none_or(|it| !put(&mut self.tasks, run, it, item, false)) {
            self.tasks.remove(run, item);
        }
        // Any change may have made room for what could not begin before.
        self.has_news = true;
        let is_started = |it: &Run| it.claims.contains_key(&item);
        if it.is_none_or(|it| !is_started(it)) {
            self.leases.remove(run, item);
        }
    }

    /// The process that is published in this repository by a tag object, if it was used before.
    pub fn known(&self, tag: ObjectId) -> Option<Arc<Pinned>> {
        self.published.get(&tag).cloned()
    }

    pub fn know(&mut self, tag: ObjectId, pinned: Arc<Pinned>) {
        self.published.insert(tag, pinned);
    }

    pub fn run(&self, run: &RunId) -> Result<&Run> {
        self.open.get(run).ok_or_else(|| self.missing(run))
    }

    /// Whether there are tasks that there were not when it was last asked.
    pub fn takes_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// When time does something next, in milliseconds since the boot.
    pub fn next_ms(&self) -> Option<u64> {
        let now = boottime_ms();
        let in_ms = |at: i64| u64::try_from(at - now_ms().cast_signed()).unwrap_or(0);
        let due = self.due.first_ms().map(|it| now + in_ms(it));
        let next =
            due.into_iter().chain(self.leases.next_ms()).chain(self.receipts.next_ms()).min();
        let reads = (!self.unread.is_empty()).then_some(now);
        let next = next.into_iter().chain(reads).min().map(|it| it.max(self.not_before_ms));
        next.into_iter().chain(self.policy.denials.next_ms()).min()
    }

    /// What is due could not be done, and may be in a while.
    pub fn postpone(&mut self) {
        self.not_before_ms = boottime_ms() + POSTPONED_MS;
    }

    /// What time does: timers that are due, and tasks that nobody works at any more.
    pub fn tick(&mut self, transaction: &mut Transaction) -> Result<()> {
        self.read_more(transaction)?;
        let now = now_ms().cast_signed();
        for run in self.due.until(now) {
            // It is asked once more where something is still due afterwards.
            self.due.set(&run, None);
            if let Err(error) = self.happen(&run, MYSELF, What::Tick, transaction) {
                log::error!("the run {run} takes no notice of the time: {error}");
            }
        }
        for (run, item) in self.leases.expired() {
            if let Err(error) = self.happen(&run, MYSELF, What::Release { item }, transaction) {
                log::error!("{run}/{item} is not offered again: {error}");
            }
        }
        self.write_receipts_in_time(transaction);
        Ok(())
    }
}

/// Puts an item among the tasks, if somebody can claim it.
fn put(tasks: &mut Tasks, run: &RunId, it: &Run, item: Id, is_void: bool) -> bool {
    let Some(row) = it.state.items.get(&item) else { return false };
    let processes = &it.pinned.processes;
    let step = it.state.claimable(processes, row);
    // Whoever had it when this process did not live yet may be gone.
    let void = || {
        it.state.step_of(processes, row).filter(|_| is_void && row.status == ItemStatus::Started)
    };
    let Some(step) = step.or_else(void) else { return false };
    let meant = Meant::of(step, row);
    let step_type = step.step_type.clone().unwrap_or_default();
    let queue = match &*step_type {
        FINAL => FINAL,
        it if tasks.is_own(run, it) => own::LANE,
        _ => meant.queue.unwrap_or(QUEUE),
    };
    tasks.put(run, item, Lane { queue: queue.to_owned(), step_type }, meant.priority);
    true
}

pub fn refused(refused: Refused) -> Error {
    match refused.why {
        Why::NotFound => Error::not_found(refused.message),
        Why::Conflict => Error::conflict(refused.message),
        Why::Invalid => Error::invalid(refused.message),
        Why::TooLarge => Error::too_large(refused.message),
    }
}
