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
    git::{Changed, RepositoryPath, Transaction, Wait},
    ops::{Job, Work, translated},
    watch::Watch,
};

/// How many requests one step carries out at most.
const TOGETHER_MAX: usize = 256;

/// What became of a request in its turn.
enum Turn {
    Done(Result<Vec<u8>>),
    /// It gets another one.
    Waits(Box<dyn Work>, Wait),
}

impl Dispatch {
    /// Carries out a task and all that wait behind it to change the same repository.
    pub(super) fn perform_together(self: &Arc<Self>, first: Task) {
        let path = first.job.lane.written().expect("it is a change").clone();
        let mut tasks = vec![first];
        tasks.extend(self.board().together(&path, TOGETHER_MAX - 1));
        let queue = &self.stats.workers;
        let (mut waiting, mut works) = (Vec::new(), Vec::new());
        for Task { ticket, job, then, bytes } in tasks {
            queue.waiting.fetch_sub(1, Relaxed);
            queue.waiting_bytes.fetch_sub(bytes, Relaxed);
            queue.running.fetch_add(1, Relaxed);
            works.push((ticket.clone(), job.work));
            waiting.push((ticket, then, job.lane, bytes));
        }
        let (turns, is_checkpoint_due) = self.change(&path, works);
        queue.running.fetch_sub(waiting.len() as u64, Relaxed);
        for ((ticket, then, lane, bytes), turn) in waiting.into_iter().zip(turns) {
            match (turn, then) {
                (Turn::Waits(work, wait), then) => {
                    self.park(Task { ticket, job: Job { lane, work }, then, bytes }, wait);
                }
                (Turn::Done(result), Then::Answer) => {
                    self.answer(&ticket, result, From::Worker);
                }
                (Turn::Done(result), Then::Continue(progressing)) => {
                    self.proceed(ticket, progressing, result, From::Worker);
                }
            }
        }
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

    /// The result of each, none of them good before all of them are durable; and whether a
    /// checkpoint is due.
    fn change(&self, path: &Path, works: Vec<(Arc<Ticket>, Box<dyn Work>)>) -> (Vec<Turn>, bool) {
        let count = works.len();
        let asked = Instant::now();
        let path = RepositoryPath::resolved_to(path);
        let watch = Watch::default();
        let change = || {
            self.store.change(&path, asked, &watch, |transaction| {
                let works = works.into_iter();
                works.map(|(ticket, work)| self.run_in(transaction, &ticket, work, asked)).collect()
            })
        };
        let failed = |turn, error| match turn {
            Turn::Done(Ok(_)) => Turn::Done(Err(error)),
            turn => turn,
        };
        let changed: Changed<Vec<Turn>> = match guarded(change).and_then(|it| it) {
            Ok(changed) => changed,
            Err(error) => {
                let error = translated(error, &path, self.store.workspaces());
                return ((0..count).map(|_| Turn::Done(Err(error.clone()))).collect(), false);
            }
        };
        let turns = match changed.outcome {
            Ok(()) => changed.value,
            Err(error) => changed.value.into_iter().map(|it| failed(it, error.clone())).collect(),
        };
        (turns, changed.is_checkpoint_due)
    }

    fn run_in(
        &self,
        transaction: &RefCell<Transaction>,
        ticket: &Ticket,
        mut work: Box<dyn Work>,
        asked: Instant,
    ) -> Turn {
        let context = self.context(&ticket.watch, asked, Some(transaction));
        let wait = ticket.watch.check();
        let wait = wait.and_then(|()| guarded(|| work.must_wait(&context)).and_then(|it| it));
        match wait {
            Ok(None) => (),
            Ok(Some(wait)) => return Turn::Waits(work, wait),
            Err(error) => return Turn::Done(Err(error)),
        }
        let savepoint = transaction.borrow().savepoint();
        let result = guarded(|| work.run(&context)).and_then(|it| it);
        if result.is_err() {
            transaction.borrow_mut().go_back(&savepoint);
        }
        Turn::Done(result)
    }
}
