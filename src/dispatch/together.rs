//! Requests that change one repository and wait together are one step: one flush of the disk
//! answers for all of them.

use std::{
    cell::RefCell,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{Dispatch, From, Then, Ticket, guarded, pool::Task};
use crate::{
    error::Result,
    git::{Changed, RepositoryPath, Transaction},
    ops::{Job, Lane, Next, Pause, Work, translated},
    watch::Watch,
};

/// How many requests one step carries out at most.
const TOGETHER_MAX: usize = 256;

/// What became of a request in its turn.
pub enum Turn {
    Done(Result<Vec<u8>>),
    /// It gets another one.
    Waits(Box<dyn Work>, Pause),
    /// It sends something, and gets another one.
    Sends(Box<dyn Work>, Vec<u8>),
}

/// A request that has had its turn.
pub struct Seat {
    pub ticket: Arc<Ticket>,
    pub then: Then,
    pub lane: Lane,
    pub bytes: usize,
    pub turn: Turn,
}

impl Dispatch {
    /// Carries out a task and all that wait behind it to change the same repository.
    pub(super) fn perform_together(self: &Arc<Self>, first: Task) {
        let path = first.job.lane.written().expect("it is a change").clone();
        let mut tasks = vec![first];
        tasks.extend(self.board().together(&path, TOGETHER_MAX - 1));
        let count = tasks.len() as u64;
        let queue = &self.stats.workers;
        for task in &tasks {
            queue.waiting.fetch_sub(1, Relaxed);
            queue.waiting_bytes.fetch_sub(task.bytes, Relaxed);
        }
        queue.running.fetch_add(count, Relaxed);
        let (seats, outcome, is_checkpoint_due) = self.change(&path, tasks);
        queue.running.fetch_sub(count, Relaxed);
        self.leave_seats(seats, &outcome);
        if is_checkpoint_due {
            let place = RepositoryPath::resolved_to(&path);
            let clear_up = || self.store.clear_up(&place, &Watch::default());
            if let Err(error) = guarded(clear_up).and_then(|it| it) {
                log::warn!("{}: {error}", path.display());
            }
        }
        self.schedule.note(&path);
        let next = self.board().leave(&path);
        if let Some(next) = next {
            self.place_of(&next.job.lane).0.send(self, next);
        }
    }

    /// The result of each, none of them good before the outcome of all of them is; and whether a
    /// checkpoint is due.
    fn change(self: &Arc<Self>, path: &Path, tasks: Vec<Task>) -> (Vec<Seat>, Result<()>, bool) {
        let asked = Instant::now();
        let path = RepositoryPath::resolved_to(path);
        let watch = Watch::default();
        let mut left: Vec<Task> = tasks;
        left.reverse();
        let left = RefCell::new(left);
        let change = || {
            self.store.change(&path, asked, &watch, |transaction| {
                let mut seats = Vec::new();
                while let Some(task) = left.borrow_mut().pop() {
                    let Task { ticket, job, then, bytes } = task;
                    let turn = self.run_in(transaction, &ticket, job.work, asked);
                    let seat = Seat { ticket, then, lane: job.lane, bytes, turn };
                    seats.extend(self.let_wait(seat, None));
                }
                seats.extend(self.feed(transaction, false));
                self.runs.record_denials(&mut transaction.borrow_mut());
                let transaction = transaction.borrow();
                self.mind_time(transaction.repository().common_folder());
                seats
            })
        };
        let changed: Changed<Vec<Seat>> = match guarded(change).and_then(|it| it) {
            Ok(changed) => changed,
            Err(error) => {
                let error = translated(error, &path, self.store.workspaces());
                let failed = |Task { ticket, job, then, bytes }| {
                    let turn = Turn::Done(Err(error.clone()));
                    Seat { ticket, then, lane: job.lane, bytes, turn }
                };
                return (left.into_inner().into_iter().rev().map(failed).collect(), Ok(()), false);
            }
        };
        if changed.outcome.is_err() {
            self.runs.doubt();
        }
        (changed.value, changed.outcome, changed.is_checkpoint_due)
    }

    /// Answers those who are done, and lets those who are not wait.
    pub(super) fn leave_seats(self: &Arc<Self>, seats: Vec<Seat>, outcome: &Result<()>) {
        for Seat { ticket, then, lane, bytes, turn } in seats {
            let result = match turn {
                Turn::Waits(work, pause) => {
                    self.set_aside(Task { ticket, job: Job { lane, work }, then, bytes }, pause);
                    continue;
                }
                Turn::Sends(work, value) => match outcome {
                    Ok(()) => {
                        self.events.send_to(ticket.key.id(), ticket.op, &value);
                        let task = Task { ticket, job: Job { lane, work }, then, bytes: 0 };
                        if let Some((task, error)) = self.submit(task) {
                            self.answer(&task.ticket, Err(error), From::Worker);
                        }
                        continue;
                    }
                    Err(error) => Err(error.clone()),
                },
                Turn::Done(Ok(value)) => outcome.clone().map(|()| value),
                Turn::Done(failed) => failed,
            };
            match then {
                Then::Answer => drop(self.answer(&ticket, result, From::Worker)),
                Then::Continue(it) => self.proceed(ticket, it, result, From::Worker),
            }
        }
    }

    /// Lets a request wait for what it has to wait for.
    pub(super) fn set_aside(self: &Arc<Self>, task: Task, pause: Pause) {
        match pause {
            Pause::Lock(wait) => self.park(task, wait),
            Pause::Task { .. } => {
                let Task { ticket, job: Job { lane, work }, then, bytes } = task;
                let seat = Seat { ticket, then, lane, bytes, turn: Turn::Waits(work, pause) };
                let left = self.let_wait(seat, None);
                self.leave_seats(left.into_iter().collect(), &Ok(()));
            }
        }
    }

    pub(super) fn run_in(
        &self,
        transaction: &RefCell<Transaction>,
        ticket: &Ticket,
        mut work: Box<dyn Work>,
        asked: Instant,
    ) -> Turn {
        let context = self.context(&ticket.watch, asked, Some(transaction));
        let savepoint = transaction.borrow().savepoint();
        let wait = ticket.watch.check();
        let pushed = wait.and_then(|()| guarded(|| work.push(&context)));
        match pushed.and_then(|it| it.transpose()) {
            Ok(None) => (),
            Ok(Some(Next::Sent(value))) => return Turn::Sends(work, value),
            Ok(Some(Next::Wait(pause))) => return Turn::Waits(work, pause),
            Err(error) => {
                transaction.borrow_mut().go_back(&savepoint);
                return Turn::Done(Err(error));
            }
        }
        let wait = guarded(|| work.must_wait(&context)).and_then(|it| it);
        match wait {
            Ok(None) => (),
            Ok(Some(wait)) => return Turn::Waits(work, wait),
            Err(error) => return Turn::Done(Err(error)),
        }
        let result = guarded(|| work.run(&context)).and_then(|it| it);
        let result =
            result.and_then(|it| transaction.borrow_mut().expect_allowed(&savepoint).map(|()| it));
        if result.is_err() {
            transaction.borrow_mut().go_back(&savepoint);
        }
        Turn::Done(result)
    }
}
