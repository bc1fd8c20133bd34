//! Steps of runs that the daemon does itself, where whoever started it said that it shall.
//!
//! One thread looks at repositories in which there is such a step, or one is being done: whenever a
//! step of the dispatcher changed something there, and from time to time, since other daemons write
//! too. Operations it carries out on the spot; each program has a thread that waits for its end. A
//! task is held from a durable commit on until it is completed or failed by another one; what a
//! daemon held that was killed is done again by whoever looks next.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::{Dispatch, guarded, start};
use crate::{
    config::Settings,
    error::{Error, Result},
    git::{RepositoryPath, Scratch, Transaction, boottime_ms},
    ops::builtin,
    process::builtin::{Builtin, exec::Exec},
    runs::{
        builtin::{GRACE_MS, Handle, order, outcome, run},
        own::{End, Own, Taken},
        work::Holding,
    },
    watch::Watch,
};

/// How often it looks where others may have done something, or what could not be done may be.
const LOOK_MS: u64 = 1000;
/// So many operations are one step of a repository, so that others have their turn.
const TOGETHER_MAX: usize = 100;
/// How long it takes at the end, beyond what programs are given, to note what became of them.
const LAST_NOTES: Duration = Duration::from_millis(1500);

pub struct OwnSteps {
    pub own: Own,
    /// The programs that may be run.
    allowed: Vec<String>,
    /// How many at a time.
    most: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Repositories to be looked at, in this order.
    asked: VecDeque<PathBuf>,
    /// Others, and when: in milliseconds since the boot.
    later: BTreeMap<PathBuf, u64>,
    running: Vec<Running>,
    is_over: bool,
}

/// A program, by the task that it is for.
struct Running {
    folder: PathBuf,
    holding: Holding,
    handle: Arc<Handle>,
}

impl OwnSteps {
    pub fn new(settings: &Settings) -> OwnSteps {
        let named = settings.exec_allow.iter().filter(|it| !it.is_empty());
        let allowed: Vec<String> = named.cloned().collect();
        OwnSteps {
            own: Own {
                exec: !allowed.is_empty(),
                git: settings.git_steps,
                is_of_begun: settings.own_runs,
            },
            allowed,
            most: usize::from(settings.exec_parallel),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    /// Has the thread look at a repository.
    pub fn ask(&self, folder: &Path) {
        let mut state = self.state();
        if !state.asked.iter().any(|it| it == folder) {
            state.asked.push_back(folder.to_owned());
            self.changed.notify_all();
        }
    }

    /// Whether a program runs for a task of this repository.
    pub fn is_busy_in(&self, folder: &Path) -> bool {
        self.own.exec && self.state().running.iter().any(|it| it.folder == folder)
    }

    /// Begins no more, and stops what runs.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.running.iter().for_each(|it| it.handle.stop());
        self.changed.notify_all();
    }

    /// Waits until nothing runs, as long as programs have after they were asked to end.
    pub fn wait(&self) {
        let until = Instant::now() + Duration::from_millis(GRACE_MS) + LAST_NOTES;
        let mut state = self.state();
        while !state.running.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.expect("nobody panics with the lock").0;
        }
    }

    /// Waits for a repository to look at; nothing at the end.
    fn next(&self) -> Option<PathBuf> {
        let mut state = self.state();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(folder) = state.asked.pop_front() {
                state.later.remove(&folder);
                return Some(folder);
            }
            let now = boottime_ms();
            let first = state.later.iter().min_by_key(|it| it.1).map(|it| (it.0.clone(), *it.1));
            state = match first {
                Some((folder, at_ms)) if at_ms <= now => {
                    state.later.remove(&folder);
                    return Some(folder);
                }
                Some((_, at_ms)) => {
                    let pause = Duration::from_millis(at_ms - now);
                    let waited = self.changed.wait_timeout(state, pause);
                    waited.expect("nobody panics with the lock").0
                }
                None => self.changed.wait(state).expect("nobody panics with the lock"),
            };
        }
    }

    fn look_later(&self, folder: &Path, within_ms: Option<u64>) {
        let pause_ms = within_ms.unwrap_or(LOOK_MS).clamp(1, LOOK_MS);
        self.state().later.insert(folder.to_owned(), boottime_ms() + pause_ms);
    }

    /// What is held in a repository, and how many programs may be started.
    fn held(&self, folder: &Path) -> (Vec<Holding>, usize) {
        let state = self.state();
        let here = state.running.iter().filter(|it| it.folder == folder);
        let room = match self.own.exec && !state.is_over {
            true => self.most.saturating_sub(state.running.len()),
            false => 0,
        };
        (here.map(|it| it.holding.clone()).collect(), room)
    }

    fn stop(&self, lost: &[Holding]) {
        let is_lost = |it: &&Running| {
            lost.iter().any(|lost| lost.task == it.holding.task && lost.token == it.holding.token)
        };
        self.state().running.iter().filter(is_lost).for_each(|it| it.handle.stop());
    }

    /// Notes that a program runs from now on; at the end it is stopped before it begins.
    fn enter(&self, folder: &Path, holding: &Holding) -> Arc<Handle> {
        let handle = Arc::<Handle>::default();
        let mut state = self.state();
        if state.is_over {
            handle.stop();
        }
        let (folder, holding) = (folder.to_owned(), holding.clone());
        state.running.push(Running { folder, holding, handle: handle.clone() });
        handle
    }

    /// There is room for another one, wherever one waits.
    fn leave(&self, handle: &Arc<Handle>) {
        let mut state = self.state();
        state.running.retain(|it| !Arc::ptr_eq(&it.handle, handle));
        let waiting: Vec<PathBuf> = state.later.keys().cloned().collect();
        for folder in waiting {
            if !state.asked.contains(&folder) {
                state.asked.push_back(folder);
            }
        }
        self.changed.notify_all();
    }

    /// Lets some time pass; false at the end.
    fn pause(&self) -> bool {
        let state = self.state();
        let pause = Duration::from_millis(LOOK_MS);
        let waited = self.changed.wait_timeout_while(state, pause, |it| !it.is_over);
        !waited.expect("nobody panics with the lock").0.is_over
    }
}

impl Dispatch {
    /// The thread for it, until the end.
    pub(super) fn do_own_steps(self: &Arc<Self>) {
        while let Some(folder) = self.own_steps.next() {
            if let Err(error) = guarded(|| self.look_for_own_steps(&folder)).and_then(|it| it) {
                log::error!("{}: {error}", folder.display());
                if folder.exists() {
                    self.own_steps.look_later(&folder, None);
                }
            }
        }
    }

    /// Asks for a look at a repository, if there is something to be done or to be watched over.
    pub(super) fn mind_own_steps(&self, folder: &Path) {
        let own = &self.own_steps;
        if own.own.is_any() && (self.runs.has_own(folder) || own.is_busy_in(folder)) {
            own.ask(folder);
        }
    }

    /// The same of all repositories, where something may have begun that was no step of the
    /// dispatcher, with what time does to it.
    pub(super) fn mind_all(&self) {
        for folder in self.runs.folders() {
            self.mind_own_steps(&folder);
            self.mind_time(&folder);
        }
    }

    fn look_for_own_steps(self: &Arc<Self>, folder: &Path) -> Result<()> {
        let (held, room) = self.own_steps.held(folder);
        let looked = self.change_runs(folder, |context| {
            let mut done = 0;
            while self.own_steps.own.git && done < TOGETHER_MAX && builtin::do_git_step(context)? {
                done += 1;
            }
            let looked = builtin::look(context, &held, room, &self.own_steps.allowed)?;
            Ok((looked, done == TOGETHER_MAX))
        });
        let (looked, has_more_to_do) = looked?;
        self.own_steps.stop(&looked.lost);
        let is_watched = looked.has_more || !looked.taken.is_empty() || !held.is_empty();
        for taken in looked.taken {
            let handle = self.own_steps.enter(folder, &taken.holding);
            let (dispatch, folder) = (self.clone(), folder.to_owned());
            start("program", move || dispatch.do_program(&folder, &taken, &handle));
        }
        if has_more_to_do {
            self.own_steps.ask(folder);
        } else if is_watched {
            self.own_steps.look_later(folder, looked.within_ms);
        }
        Ok(())
    }

    /// Runs a program, and notes what became of its task, as often as that takes.
    fn do_program(self: &Arc<Self>, folder: &Path, taken: &Taken, handle: &Arc<Handle>) {
        let end = guarded(|| self.end_of_program(folder, taken, handle));
        let mut end = Some(end.unwrap_or_else(|error| End::fail("internal", error.message, false)));
        while let Some(what) = end.take() {
            let noted = guarded(|| {
                self.change_runs(folder, |context| {
                    builtin::end_program(context, &taken.holding, what.clone())
                })
            });
            if let Err(error) = noted.and_then(|it| it) {
                log::error!("{}: {error}", taken.task.task);
                end = (folder.exists() && self.own_steps.pause()).then_some(what);
            }
        }
        self.own_steps.leave(handle);
        self.mind_own_steps(folder);
    }

    fn end_of_program(&self, folder: &Path, taken: &Taken, handle: &Handle) -> End {
        let Some(Ok(Builtin::Exec(exec))) = &taken.what else { return taken.unclear() };
        let end = self.try_program(folder, taken, exec, handle);
        end.unwrap_or_else(|error| match handle.is_stopped() {
            true => End::Release,
            false => End::fail(error.code.as_str(), error.message, false),
        })
    }

    fn try_program(
        &self,
        folder: &Path,
        taken: &Taken,
        exec: &Exec,
        handle: &Handle,
    ) -> Result<End> {
        let scratch = Scratch::new()?;
        if let Some(revision) = &taken.revision {
            let path = RepositoryPath::resolved_to(folder);
            let repository = self.store.open(&path, Instant::now())?;
            let unpacked = repository.unpack(revision, scratch.path(), &Watch::default());
            unpacked.map_err(|error| error.while_doing("the run's revision"))?;
        }
        if handle.is_stopped() {
            return Ok(End::Release);
        }
        let order = match order(&taken.task, exec, scratch.path()) {
            Ok(order) => order,
            Err(end) => return Ok(end),
        };
        Ok(outcome(run(&order, handle)?, exec, taken.step()))
    }

    /// Changes the runs of a repository in a step of its own, in which those who wait for tasks are
    /// given what comes of it.
    fn change_runs<T>(
        self: &Arc<Self>,
        folder: &Path,
        work: impl FnOnce(&crate::ops::Context) -> Result<T>,
    ) -> Result<T> {
        let path = RepositoryPath::resolved_to(folder);
        let watch = Watch::default();
        let asked = Instant::now();
        let changed =
            self.store.change(&path, asked, &watch, |transaction: &RefCell<Transaction>| {
                let savepoint = transaction.borrow().savepoint();
                let context = self.context(&watch, asked, Some(transaction));
                let done = guarded(|| work(&context)).and_then(|it| it);
                if done.is_err() {
                    transaction.borrow_mut().go_back(&savepoint);
                    self.runs.doubt();
                }
                let seats = self.feed(transaction, true);
                self.runs.record_denials(&mut transaction.borrow_mut());
                (done, seats)
            });
        let changed = match changed {
            Ok(changed) => changed,
            Err(error) if folder.exists() => return Err(error),
            Err(_) => {
                self.runs.forget(folder);
                return Err(Error::not_found(format!("{} is gone", folder.display())));
            }
        };
        if changed.outcome.is_err() {
            self.runs.doubt();
        }
        let (done, seats) = changed.value;
        self.leave_seats(seats, &changed.outcome);
        self.mind_time(folder);
        self.schedule.note(folder);
        changed.outcome.and(done)
    }
}
