//! From frames to work and back.
//!
//! What happens is decided where it happens, under one short lock (the [`Board`]): the reader
//! takes requests in, workers finish them, the clock ends those that are late, [`serve`] ends
//! them all. A hop to a thread in between would cost more than most requests do.
//!
//! Every request gets exactly one reply: whoever takes its ticket off the board answers it.

mod board;
mod clock;
mod drain;
mod events;
mod hungry;
mod own;
mod parked;
mod pool;
mod take;
mod together;
mod upkeep;
mod watching;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{
            AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use self::drain::serve;
use self::{
    board::{Board, Key},
    clock::Alarm,
    drain::{End, start},
    events::Events,
    hungry::Hungry,
    own::OwnSteps,
    parked::Parked,
    pool::{Pool, Task},
    upkeep::Schedule,
};
use crate::{
    config::Settings,
    error::{Code, Error, Result},
    git::{Signer, Store, Transaction},
    id::RequestId,
    ops::{Batch, Context, Job, Lane, OPERATIONS, Work},
    port::{Output, envelope},
    runs::Runs,
    stats::{Queue, Stats},
    watch::Watch,
};

/// How many bytes of requests may wait before others are `busy`.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Also where it fetches what it needs from elsewhere, and so is no step with others.
const STARTS_RUNS: &str = "run.start";

/// Writers wait for the disk most of the time.
const WRITERS_MIN: u16 = 8;

pub struct Dispatch {
    settings: Settings,
    store: Store,
    runs: Arc<Runs>,
    stats: Arc<Stats>,
    output: Arc<Output>,
    events: Arc<Events>,
    board: Mutex<Board>,
    /// Requests that are off the board, and whose replies are just being written.
    replying: AtomicUsize,
    alarm: Alarm,
    workers: Pool,
    searchers: Pool,
    writers: Pool,
    surveyors: Pool,
    network: Pool,
    parked: Parked,
    hungry: Hungry,
    own_steps: OwnSteps,
    schedule: Schedule,
    ends: Sender<End>,
    /// Hears when nothing waits for a reply any more, after the board was closed.
    quiet: (Sender<()>, Receiver<()>),
}

/// One request from the moment it was read until its reply.
pub struct Ticket {
    key: Key,
    op: &'static str,
    path: Option<PathBuf>,
    started: Instant,
    deadline: Option<Instant>,
    timeout_ms: u64,
    watch: Watch,
}

/// What becomes of a result.
enum Then {
    Answer,
    /// It is one of a batch; the rest of that batch is carried out next.
    Continue(Box<Progressing>),
}

/// A batch that is being carried out.
struct Progressing {
    batch: Batch,
    replies: Vec<u8>,
    _counted: Counted,
}

/// The bytes of a batch, which are among those that wait until all of it was carried out.
struct Counted {
    stats: Arc<Stats>,
    bytes: usize,
}

impl Counted {
    /// Nothing where there is no room.
    fn new(stats: &Arc<Stats>, bytes: usize) -> Option<Counted> {
        let before = stats.workers.waiting_bytes.fetch_add(bytes, Relaxed);
        let counted = Counted { stats: stats.clone(), bytes };
        has_room(before, bytes).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.stats.workers.waiting_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// Whether so many bytes may wait too. Where nothing waits there is room for any request.
fn has_room(waiting: usize, bytes: usize) -> bool {
    waiting == 0 || bytes == 0 || waiting + bytes <= WAITING_BYTES_MAX
}

/// Which kind of thread answers: one that may wait for the client to read, or one that may not.
#[derive(Clone, Copy)]
enum From {
    Worker,
    Reader,
    Clock,
}

impl Dispatch {
    fn new(
        settings: Settings,
        store: Store,
        signer: Option<Signer>,
        output: Arc<Output>,
        ends: Sender<End>,
    ) -> Arc<Dispatch> {
        let waiting = u64::from(settings.waiting);
        let names = OPERATIONS.iter().map(|it| it.name);
        let stats = Arc::new(Stats::new(names, [waiting, (waiting / 4).max(1)]));
        let own_steps = OwnSteps::new(&settings);
        let runs = Arc::new(Runs::new(own_steps.own, signer));
        store.guard_by(runs.clone());
        Arc::new(Dispatch {
            store,
            runs,
            events: Arc::new(Events::new(output.clone(), stats.clone())),
            stats,
            output,
            board: Mutex::default(),
            replying: AtomicUsize::new(0),
            alarm: Alarm::default(),
            workers: Pool::new("worker", settings.workers, 100),
            searchers: Pool::new("searcher", settings.workers, 100),
            surveyors: Pool::new("surveyor", settings.workers, 1000),
            writers: Pool::new("writer", settings.workers.max(WRITERS_MIN), 100),
            network: Pool::new("network", settings.network, 1000),
            parked: Parked::default(),
            hungry: Hungry::default(),
            own_steps,
            schedule: Schedule::new(Duration::from_millis(settings.maintain_every_ms)),
            ends,
            quiet: bounded(1),
            settings,
        })
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("nobody panics with the board")
    }

    /// Runs a job where it is.
    fn run(&self, work: Box<dyn Work>, watch: &Watch, asked: Instant) -> Result<Vec<u8>> {
        guarded(|| work.run(&self.context(watch, asked, None)))?
    }

    /// The result of a job that waits for nothing.
    fn at_hand(&self, job: &Job, asked: Instant) -> Option<Result<Vec<u8>>> {
        let watch = Watch::default();
        guarded(|| job.work.at_hand(&self.context(&watch, asked, None)))
            .unwrap_or_else(|it| Some(Err(it)))
    }

    fn context<'a, 't>(
        &'a self,
        watch: &'a Watch,
        asked: Instant,
        transaction: Option<&'a RefCell<Transaction<'t>>>,
    ) -> Context<'a, 't> {
        let Dispatch { settings, store, stats, runs, .. } = self;
        Context { settings, store, stats, runs, watch, asked, transaction }
    }

    /// Hands a task to its threads, or to the queue of its lane; gives it back when that is full.
    fn submit(self: &Arc<Self>, task: Task) -> Option<(Task, Error)> {
        let (pool, queue) = self.place_of(&task.job.lane);
        let waiting = queue.waiting.fetch_add(1, Relaxed);
        let bytes = queue.waiting_bytes.fetch_add(task.bytes, Relaxed);
        if queue.limit <= waiting || !has_room(bytes, task.bytes) {
            queue.waiting.fetch_sub(1, Relaxed);
            queue.waiting_bytes.fetch_sub(task.bytes, Relaxed);
            let error = Error::busy(format!("{waiting} requests are waiting"));
            return Some((task, error.with("retry_after_ms", pool.retry_after_ms)));
        }
        let turn = match task.job.lane.written() {
            Some(_) => self.board().enter(task),
            None => Some(task),
        };
        if let Some(task) = turn {
            pool.send(self, task);
        }
        None
    }

    /// What a thread of a pool does with a task.
    fn perform(self: &Arc<Self>, task: Task) {
        if let Lane::Change(_) = task.job.lane {
            return self.perform_together(task);
        }
        let Task { ticket, mut job, then, bytes } = task;
        let (_, queue) = self.place_of(&job.lane);
        queue.waiting.fetch_sub(1, Relaxed);
        queue.waiting_bytes.fetch_sub(bytes, Relaxed);
        queue.running.fetch_add(1, Relaxed);
        let asked = match then {
            Then::Answer => ticket.started,
            // Those before it in its batch may have written since the batch came.
            Then::Continue(_) => Instant::now(),
        };
        let context = self.context(&ticket.watch, asked, None);
        let wait = ticket.watch.check();
        let wait = wait.and_then(|()| guarded(|| job.work.must_wait(&context))?);
        let result = match wait {
            Ok(None) => self.run(job.work, &ticket.watch, asked),
            Ok(Some(wait)) => {
                queue.running.fetch_sub(1, Relaxed);
                return self.set_aside(Task { ticket, job, then, bytes }, wait);
            }
            Err(error) => Err(error),
        };
        if result.as_ref().is_err_and(|it| it.code == Code::Denied) {
            self.record_denials();
        }
        queue.running.fetch_sub(1, Relaxed);
        if ticket.op == STARTS_RUNS {
            self.mind_all();
        }
        if let Some(path) = job.lane.written() {
            self.schedule.note(path);
            let next = self.board().leave(path);
            if let Some(next) = next {
                self.place_of(&next.job.lane).0.send(self, next);
            }
        }
        match then {
            Then::Answer => drop(self.answer(&ticket, result, From::Worker)),
            Then::Continue(progressing) => self.proceed(ticket, progressing, result, From::Worker),
        }
    }

    /// Whether no thread needs a core for a request.
    fn is_quiet(&self) -> bool {
        self.workers.is_idle() && self.searchers.is_idle() && self.writers.is_idle()
    }

    fn place_of(&self, lane: &Lane) -> (&Pool, &Queue) {
        match lane {
            Lane::Change(_) => (&self.writers, &self.stats.workers),
            Lane::Network(_) | Lane::Send(_) => (&self.network, &self.stats.network),
            Lane::Survey => (&self.surveyors, &self.stats.workers),
            Lane::Search(_) | Lane::Write(_) => (&self.searchers, &self.stats.workers),
            Lane::Read(_) | Lane::Quick => (&self.workers, &self.stats.workers),
        }
    }

    /// Answers a request; false if somebody did.
    fn answer(self: &Arc<Self>, ticket: &Ticket, result: Result<Vec<u8>>, from: From) -> bool {
        let is_closing = {
            let mut board = self.board();
            if !board.remove(ticket) {
                return false;
            }
            self.replying.fetch_add(1, SeqCst);
            board.is_closing()
        };
        let took = ticket.started.elapsed();
        self.stats.count(ticket.op, ticket.path.as_deref(), took, result.is_err());
        self.reply(ticket.key.id(), result, from);
        self.replying.fetch_sub(1, SeqCst);
        if let Key::Unnamed(_) = ticket.key {
            self.take_next_unnamed(from);
        }
        if is_closing {
            self.board().tell_if_quiet();
        }
        true
    }

    /// Ends a request that nobody waits for any more: answers it and stops what runs for it; false
    /// if it was answered already.
    fn give_up(self: &Arc<Self>, ticket: &Ticket, error: Error, from: From) -> bool {
        // Answered first: the work that is stopped would answer with less to say.
        let is_answer = self.answer(ticket, Err(ticket.watch.in_doubt(error)), from);
        ticket.watch.stop();
        self.parked.remove(ticket);
        self.hungry.remove(ticket);
        is_answer
    }

    fn reply(&self, id: Option<&RequestId>, result: Result<Vec<u8>>, from: From) {
        let limit = self.settings.reply_bytes_max as usize;
        let result = result.and_then(|value| match value.len() <= limit {
            true => Ok(value),
            false => Err(Error::too_large("the reply would be too long; ask for less at a time")
                .with("bytes", value.len() as u64)
                .with("limit", limit as u64)),
        });
        if let Err(error) = &result {
            log::debug!("request {id:?}: {error}");
        }
        let append = |output: &mut Vec<u8>| match &result {
            Ok(value) => envelope::reply(output, id, value),
            Err(error) => envelope::refusal(output, id, error),
        };
        match from {
            From::Worker if self.workers.has_more() => self.output.gather(append),
            From::Worker => self.output.send(append),
            From::Reader => self.output.stage(append),
            From::Clock => self.output.post(append),
        }
    }
}

/// A panic in this work costs one request.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::internal("a bug ended this request"))
}
