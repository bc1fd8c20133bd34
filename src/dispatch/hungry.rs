//! Requests that wait for something to do, without a thread; and what time does to runs.
//!
//! Whoever makes a task carries out, in the same durable step, the request that waits for it. One
//! thread for all repositories does what is due: timers of runs, leases that ended, waits that
//! were long enough.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::{
    Dispatch, From, Ticket, guarded,
    pool::Task,
    together::{Seat, Turn},
};
use crate::{
    error::{Error, Result},
    git::{RepositoryPath, Store, Transaction, boottime_ms},
    ops::{self, Context, Job, Pause},
    watch::Watch,
};

/// How many requests may wait for tasks before others are `busy`.
const WAITING_MAX: usize = 16_384;
/// A clock that people set may jump: it is looked at so often while anything depends on it.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// How long it takes at most to see what another process did, while somebody waits for it.
const OTHERS_MS: u64 = 50;

/// How long it takes at most to see that another process died.
const DEAD_MS: u64 = 1000;

#[derive(Default)]
pub struct Hungry {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order in which they began to wait, by the folders of their repositories.
    waiting: BTreeMap<(PathBuf, u64), (Task, u64)>,
    numbers: u64,
    /// When the thread looks next, at the latest.
    looks_at: Option<u64>,
    /// When it was asked to, since it last looked.
    asked_for: Option<u64>,
    /// What repositories were like that somebody waits in, when it last looked.
    stamps: HashMap<PathBuf, [u64; 6]>,
    /// When it looks whether they changed or not.
    all_at: u64,
    /// Repositories in which somebody can take more.
    asked: BTreeSet<PathBuf>,
}

impl Hungry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    /// Lets go of a request that was answered.
    pub fn remove(&self, ticket: &Ticket) {
        let mut state = self.state();
        let is_it = |it: &&(Task, u64)| std::ptr::eq(&*it.0.ticket, ticket);
        let found = state.waiting.iter().find(|it| is_it(&it.1)).map(|it| it.0.clone());
        let removed = found.and_then(|it| state.waiting.remove(&it));
        drop(state);
        drop(removed);
    }

    /// Has the thread look at this time since the boot, or earlier.
    pub fn look_at(&self, at_ms: u64) {
        let mut state = self.state();
        state.asked_for = state.asked_for.into_iter().chain([at_ms]).min();
        if state.looks_at.is_none_or(|it| at_ms < it) {
            self.changed.notify_one();
        }
    }

    /// Has the thread look at once whether there is something to do in this repository.
    pub fn look_into(&self, path: &Path) {
        self.state().asked.insert(path.to_owned());
        self.look_at(0);
    }

    /// Those who wait for tasks of this repository, who had waited longest first.
    fn take(&self, folder: &Path) -> Vec<(u64, Task)> {
        let mut state = self.state();
        let here: Vec<(PathBuf, u64)> = (state.waiting)
            .range((folder.to_owned(), 0)..=(folder.to_owned(), u64::MAX))
            .map(|it| it.0.clone())
            .collect();
        let take = |it: (PathBuf, u64)| Some((it.1, state.waiting.remove(&it)?.0));
        here.into_iter().filter_map(take).collect()
    }

    /// The repositories that somebody waits in, and another process may have written.
    fn written(&self) -> Vec<PathBuf> {
        let mut state = self.state();
        // Those of one folder lie beside each other, and may be many.
        let mut folders: Vec<&PathBuf> = state.waiting.keys().map(|it| &it.0).collect();
        folders.dedup();
        let folders: Vec<PathBuf> = folders.into_iter().cloned().collect();
        // Whoever gave what others have may have died.
        if state.all_at <= boottime_ms() {
            state.all_at = boottime_ms() + DEAD_MS;
            state.stamps.clear();
        }
        let stamp = |it: PathBuf| (Store::stamp(&it), it);
        let now: Vec<_> = folders.into_iter().map(stamp).collect();
        let is_news = |it: &&([u64; 6], PathBuf)| state.stamps.get(&it.1) != Some(&it.0);
        let mut news: Vec<PathBuf> = now.iter().filter(is_news).map(|it| it.1.clone()).collect();
        news.extend(std::mem::take(&mut state.asked));
        state.stamps = now.into_iter().map(|(stamp, folder)| (folder, stamp)).collect();
        news
    }

    /// Those who waited long enough.
    fn over(&self) -> Vec<Task> {
        let now = boottime_ms();
        let mut state = self.state();
        let over: Vec<(PathBuf, u64)> =
            state.waiting.iter().filter(|it| it.1.1 <= now).map(|it| it.0.clone()).collect();
        over.into_iter().filter_map(|it| Some(state.waiting.remove(&it)?.0)).collect()
    }
}

impl Dispatch {
    /// Puts a request aside that waits for something to do, while its step still goes on: what the
    /// step makes comes to it, too. Gives all others back.
    pub(super) fn let_wait(&self, seat: Seat, number: Option<u64>) -> Option<Seat> {
        let Seat { ticket, then, lane, bytes, turn } = seat;
        let (work, folder, gives_up_ms) = match turn {
            Turn::Waits(work, Pause::Task { folder, gives_up_ms }) => (work, folder, gives_up_ms),
            turn => return Some(Seat { ticket, then, lane, bytes, turn }),
        };
        if self.board().is_closing() {
            return Some(Seat {
                ticket,
                then,
                lane,
                bytes,
                turn: Turn::Done(Err(nothing_comes())),
            });
        }
        let mut state = self.hungry.state();
        if WAITING_MAX <= state.waiting.len() {
            let error = Error::busy(format!("{WAITING_MAX} requests wait for tasks"));
            let turn = Turn::Done(Err(error.with("retry_after_ms", 1000)));
            return Some(Seat { ticket, then, lane, bytes, turn });
        }
        state.numbers += 1;
        let number = number.unwrap_or(state.numbers);
        let task = Task { ticket: ticket.clone(), job: Job { lane, work }, then, bytes };
        state.waiting.insert((folder, number), (task, gives_up_ms));
        drop(state);
        if ticket.watch.is_stopped() {
            // Whoever answered it did not find it here.
            self.hungry.remove(&ticket);
        }
        self.hungry.look_at(gives_up_ms);
        None
    }

    /// Carries out, in a step that made tasks, or is sure that there are others, the requests that
    /// wait for them.
    pub(super) fn feed(&self, transaction: &RefCell<Transaction>, is_sure: bool) -> Vec<Seat> {
        let folder = transaction.borrow().repository().common_folder().to_owned();
        let is_news = self.runs.takes_news(&folder);
        if is_news {
            self.mind_own_steps(&folder);
        }
        if !is_news && !is_sure {
            return Vec::new();
        }
        let mut seats = Vec::new();
        for (number, Task { ticket, job, then, bytes }) in self.hungry.take(&folder) {
            let turn = self.run_in(transaction, &ticket, job.work, Instant::now());
            let seat = Seat { ticket, then, lane: job.lane, bytes, turn };
            seats.extend(self.let_wait(seat, Some(number)));
        }
        seats
    }

    /// Has the thread look when something is due in this repository.
    pub(super) fn mind_time(&self, folder: &Path) {
        if let Some(at_ms) = self.runs.next_ms(folder) {
            self.hungry.look_at(at_ms);
        }
    }

    /// The thread for it, for ever.
    pub(super) fn keep_runs_going(self: &Arc<Self>) {
        loop {
            let mut next = None;
            for (folder, at_ms) in self.runs.times() {
                let is_due = at_ms <= boottime_ms();
                if is_due {
                    self.take_time_unharmed(&folder);
                }
                let at_ms = self.runs.next_ms(&folder).map(|it| it.max(boottime_ms() + 1));
                next = next.into_iter().chain(at_ms).min();
            }
            self.hungry.written().iter().for_each(|it| self.take_time_unharmed(it));
            for task in self.hungry.over() {
                // It is answered with what there is, and comes back where there is no room.
                if let Some((task, _)) = self.submit(task) {
                    let error = Err(Error::busy("too many requests are waiting"));
                    self.answer(&task.ticket, error, From::Worker);
                }
            }
            let mut state = self.hungry.state();
            let waits = state.waiting.values().map(|it| it.1.min(boottime_ms() + OTHERS_MS));
            let next = next.into_iter().chain(waits).min();
            let next = next.into_iter().chain(state.asked_for.take()).min();
            state.looks_at = next;
            let pause = next.map(|it| Duration::from_millis(it.saturating_sub(boottime_ms())));
            let waited = match pause {
                Some(pause) => {
                    let waited = self.hungry.changed.wait_timeout(state, pause.min(LOOK_MAX));
                    waited.map(|it| it.0).ok()
                }
                None => self.hungry.changed.wait(state).ok(),
            };
            let mut state = waited.expect("nobody panics with the lock");
            // It looks now.
            (state.looks_at, state.asked_for) = (Some(0), None);
        }
    }

    /// Nothing more comes for those who wait.
    pub(super) fn send_away(self: &Arc<Self>) {
        let tickets: Vec<Arc<Ticket>> =
            self.hungry.state().waiting.values().map(|it| it.0.ticket.clone()).collect();
        for ticket in tickets {
            self.give_up(&ticket, nothing_comes(), From::Clock);
        }
    }

    /// Records what was refused outside of any step that could have done so.
    pub(super) fn record_denials(self: &Arc<Self>) {
        self.runs.with_denials().iter().for_each(|it| self.take_time_unharmed(it));
    }

    /// Leaves no receipt unwritten.
    pub(super) fn write_receipts(self: &Arc<Self>) {
        self.runs.with_receipts().iter().for_each(|it| self.take_time_unharmed(it));
    }

    /// Does what is due in a repository; a bug there ends no thread.
    fn take_time_unharmed(self: &Arc<Self>, folder: &Path) {
        if let Err(error) = guarded(|| self.take_time(folder)) {
            log::error!("{}: {error}", folder.display());
        }
    }

    /// Does what is due in a repository.
    pub(super) fn take_time(self: &Arc<Self>, folder: &Path) {
        self.runs.tell_receipts(folder);
        match self.step_by_itself(folder, ops::tick) {
            Ok(()) => (),
            Err(_) if !folder.exists() => self.runs.forget(folder),
            Err(error) => {
                self.runs.postpone(folder);
                log::error!("{}: {error}", folder.display());
            }
        }
    }

    /// A step that nobody asked for, and what waits for the tasks that it makes.
    pub(super) fn step_by_itself(
        self: &Arc<Self>,
        folder: &Path,
        work: fn(&Context) -> Result<()>,
    ) -> Result<()> {
        let path = RepositoryPath::resolved_to(folder);
        let watch = Watch::default();
        let changed = self.store.change(&path, Instant::now(), &watch, |transaction| {
            let context = self.context(&watch, Instant::now(), Some(transaction));
            let done = work(&context);
            let seats = self.feed(transaction, true);
            self.runs.record_denials(&mut transaction.borrow_mut());
            (done, seats)
        })?;
        let (done, seats) = changed.value;
        if let Err(error) = &done {
            log::error!("{}: {error}", folder.display());
        }
        if changed.outcome.is_err() {
            self.runs.doubt();
        }
        self.leave_seats(seats, &changed.outcome);
        self.mind_time(folder);
        Ok(())
    }
}

fn nothing_comes() -> Error {
    Error::cancelled("the daemon ended before there was anything to do")
}
