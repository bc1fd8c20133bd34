//! Taking requests in: what the reader does with a frame.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rmp::encode;

use super::{
    Counted, Dispatch, From, Progressing, Then, Ticket,
    board::{Key, Waiting},
    guarded,
    pool::Task,
};
use crate::{
    error::{Error, Result},
    id::RequestId,
    ops::{self, Batch, Call, Control, Lane},
    port::{
        Frame,
        envelope::{self, Request, encoded},
    },
    watch::Watch,
};

/// The cheapest request, whose reply is always the same, skips what others go through.
const PING: &str = "ping";
const PONG: &[u8] = b"\xa4pong";

/// Whether a request has its reply already.
#[derive(PartialEq)]
pub(super) enum Taken {
    Answered,
    Pending,
}

impl Dispatch {
    /// Takes one request. Whatever can be answered at once is staged; the reader flushes it.
    pub fn take(self: &Arc<Self>, frame: &Frame) {
        let (id, request) = Request::read(frame.body);
        match id {
            Some(id) => self.take_named(id, request, frame),
            None => self.take_unnamed(frame.body),
        }
    }

    fn take_named(self: &Arc<Self>, id: RequestId, request: Result<Request>, frame: &Frame) {
        let (is_live, is_closing) = {
            let board = self.board();
            (board.contains(&id), board.is_closing())
        };
        let refusal = if is_live {
            let message = format!("the id {id} is waiting for its reply already");
            Error::bad_request(message).with("field", "id")
        } else if is_closing {
            closing()
        } else {
            match request {
                Ok(request) if request.op == PING && request.arguments.is_empty() => {
                    self.stats.count(PING, None, Duration::ZERO, false);
                    return self.output.stage(|it| envelope::reply(it, Some(&id), PONG));
                }
                Ok(request) => {
                    self.start(Key::Named(id), &request, frame, From::Reader);
                    return;
                }
                Err(error) => error,
            }
        };
        self.reply(Some(&id), Err(refusal), From::Reader);
    }

    fn take_unnamed(self: &Arc<Self>, body: &[u8]) {
        let first = {
            let mut board = self.board();
            match board.is_closing() {
                true => board.unnamed.refuse(closing()),
                false => board.unnamed.enter(body),
            }
            board.unnamed.first()
        };
        self.go_on_unnamed(first, From::Reader);
    }

    /// Goes on with requests without an id until one of them takes its time.
    pub(super) fn take_next_unnamed(self: &Arc<Self>, from: From) {
        let next = self.board().unnamed.next();
        self.go_on_unnamed(next, from);
    }

    fn go_on_unnamed(self: &Arc<Self>, mut next: Option<Waiting>, from: From) {
        while let Some(waiting) = next {
            match waiting {
                Waiting::Request(body) => match Request::read(&body).1 {
                    Ok(request) => {
                        let key = self.board().unnamed.new_key();
                        let frame = Frame { body: &body, came: Instant::now() };
                        if self.start(key, &request, &frame, from) == Taken::Pending {
                            return;
                        }
                    }
                    Err(error) => self.reply(None, Err(error), from),
                },
                Waiting::Refused(count, error) => {
                    (0..count).for_each(|_| self.reply(None, Err(error.clone()), from));
                }
            }
            next = self.board().unnamed.next();
        }
        self.board().tell_if_quiet();
    }

    fn start(self: &Arc<Self>, key: Key, request: &Request, frame: &Frame, from: From) -> Taken {
        let started = frame.came;
        let entry = match ops::find(request.op) {
            Ok(entry) => entry,
            Err(error) => {
                self.reply(key.id(), Err(error), from);
                return Taken::Answered;
            }
        };
        let decode = || entry.decode(&request.arguments, self.store.workspaces());
        let job = match guarded(decode).and_then(|it| it) {
            Ok(Call::Work(job)) => job,
            Ok(Call::Control(Control::Batch(batch))) => {
                let Some(_counted) = Counted::new(&self.stats, frame.body.len()) else {
                    let error = Error::busy("too many bytes of requests are waiting");
                    self.reply(key.id(), Err(error.with("retry_after_ms", 100)), from);
                    return Taken::Answered;
                };
                let ticket = self.new_ticket(key, entry.name, request, started, None);
                let progressing = Progressing { batch, replies: Vec::new(), _counted };
                self.proceed_from_start(ticket, Box::new(progressing), from);
                return Taken::Pending;
            }
            Ok(Call::Control(Control::Shutdown(shutdown))) => {
                return self.ask_to_leave(key, &shutdown, from);
            }
            Ok(Call::Control(Control::Cancel(cancel))) => {
                let is_live = self.cancel(&cancel.request, from);
                let reply = Ok(encoded(&is_live));
                return self.answer_now(key, entry.name, None, started, reply, from);
            }
            Ok(Call::Control(Control::Credit(credit))) => {
                let is_live = self.credit(&credit.request, credit.credits);
                let reply = Ok(encoded(&is_live));
                return self.answer_now(key, entry.name, None, started, reply, from);
            }
            Ok(Call::Control(Control::Subscribe(subscribe))) => {
                let reply = encoded(&subscribe);
                self.events.subscribe(subscribe.events);
                return self.answer_now(key, entry.name, None, started, Ok(reply), from);
            }
            Err(error) => {
                return self.answer_now(key, entry.name, None, started, Err(error), from);
            }
        };
        if entry.name == ops::TASKS && key.id().is_none() {
            let message = "give an `id`: what is sent is about the request with this id";
            let error = Err(Error::bad_request(message).with("field", "id"));
            return self.answer_now(key, entry.name, None, started, error, from);
        }
        if let Lane::Quick = job.lane {
            let result = self.run(job.work, &Watch::default(), started);
            return self.answer_now(key, entry.name, None, started, result, from);
        }
        if let Some(result) = self.at_hand(&job, started) {
            self.alarm.notice(None);
            return self.answer_now(key, entry.name, job.lane.path(), started, result, from);
        }
        let ticket = self.new_ticket(key, entry.name, request, started, Some(&job.lane));
        let bytes = frame.body.len();
        let task = Task { ticket: ticket.clone(), job, then: Then::Answer, bytes };
        if let Some((_, error)) = self.submit(task)
            && self.board().remove(&ticket)
        {
            self.reply(ticket.key.id(), Err(error), from);
            return Taken::Answered;
        }
        Taken::Pending
    }

    fn answer_now(
        &self,
        key: Key,
        op: &'static str,
        path: Option<&PathBuf>,
        started: Instant,
        result: Result<Vec<u8>>,
        from: From,
    ) -> Taken {
        let path = path.map(PathBuf::as_path);
        self.stats.count(op, path, started.elapsed(), result.is_err());
        self.reply(key.id(), result, from);
        Taken::Answered
    }

    /// Puts a request on the board, with its deadline.
    fn new_ticket(
        self: &Arc<Self>,
        key: Key,
        op: &'static str,
        request: &Request,
        started: Instant,
        lane: Option<&Lane>,
    ) -> Arc<Ticket> {
        let ticket = Arc::new(Ticket {
            watch: Watch::new(self.events.listener(key.id(), op)),
            key,
            op,
            path: lane.and_then(Lane::path).cloned(),
            started,
            deadline: request.timeout_ms.map(|it| started + Duration::from_millis(it)),
            timeout_ms: request.timeout_ms.unwrap_or(0),
        });
        let mut board = self.board();
        board.insert(ticket.clone());
        self.alarm.notice(ticket.deadline);
        ticket
    }

    fn cancel(self: &Arc<Self>, id: &RequestId, from: From) -> bool {
        let Some(ticket) = self.board().get(&Key::Named(id.clone())) else { return false };
        let error = Error::cancelled("the client cancelled this request");
        self.give_up(&ticket, error, from)
    }

    fn credit(self: &Arc<Self>, id: &RequestId, credits: u64) -> bool {
        let ticket = self.board().get(&Key::Named(id.clone()));
        let Some(ticket) = ticket.filter(|it| it.op == ops::TASKS) else { return false };
        ticket.watch.add_credits(credits);
        ticket.path.iter().for_each(|it| self.hungry.look_into(it));
        true
    }

    fn proceed_from_start(
        self: &Arc<Self>,
        ticket: Arc<Ticket>,
        mut progressing: Box<Progressing>,
        from: From,
    ) {
        let total = progressing.batch.requests.len() as u32;
        encode::write_array_len(&mut progressing.replies, total)
            .expect("writing to memory does not fail");
        self.advance(ticket, progressing, from);
    }

    /// Notes one result of a batch and goes on with the next request.
    pub(super) fn proceed(
        self: &Arc<Self>,
        ticket: Arc<Ticket>,
        mut progressing: Box<Progressing>,
        result: Result<Vec<u8>>,
        from: From,
    ) {
        progressing.note(result);
        self.advance(ticket, progressing, from);
    }

    fn advance(
        self: &Arc<Self>,
        ticket: Arc<Ticket>,
        mut progressing: Box<Progressing>,
        from: From,
    ) {
        while let Some(body) = progressing.batch.requests.pop_front() {
            if ticket.watch.is_stopped() {
                return;
            }
            if progressing.replies.len() > self.settings.reply_bytes_max as usize {
                // The rest would only make it longer.
                break;
            }
            let job = match self.next_of_batch(&body) {
                Ok(job) => job,
                Err(error) => {
                    progressing.note(Err(error));
                    continue;
                }
            };
            if let Lane::Quick = job.lane {
                let result = self.run(job.work, &ticket.watch, Instant::now());
                progressing.note(result);
                continue;
            }
            // Not what was seen before its turn: those before it may have written.
            if let Some(result) = self.at_hand(&job, Instant::now()) {
                progressing.note(result);
                continue;
            }
            let then = Then::Continue(progressing);
            let task = Task { ticket: ticket.clone(), job, then, bytes: 0 };
            if let Some((Task { then: Then::Continue(refused), .. }, error)) = self.submit(task) {
                progressing = refused;
                progressing.note(Err(error));
                continue;
            }
            return;
        }
        self.answer(&ticket, Ok(progressing.replies), from);
    }

    fn next_of_batch(&self, body: &[u8]) -> Result<ops::Job> {
        let (id, request) = Request::read(body);
        let request = request?;
        Batch::admits(request.op, id.is_some(), request.timeout_ms.is_some())?;
        let entry = ops::find(request.op)?;
        match guarded(|| entry.decode(&request.arguments, self.store.workspaces()))?? {
            Call::Work(job) => Ok(job),
            Call::Control(_) => Err(Error::bad_request("this cannot be in a batch")),
        }
    }
}

pub(super) fn closing() -> Error {
    Error::unavailable("the daemon is shutting down")
}

impl Progressing {
    fn note(&mut self, result: Result<Vec<u8>>) {
        let is_error = result.is_err();
        self.push(result);
        if is_error && self.batch.stop_on_error {
            for _ in std::mem::take(&mut self.batch.requests) {
                self.push(Err(Error::cancelled("one before it failed")));
            }
        }
    }

    fn push(&mut self, result: Result<Vec<u8>>) {
        match result {
            Ok(value) => {
                encode::write_map_len(&mut self.replies, 1).expect("memory does not fail");
                encode::write_str(&mut self.replies, "ok").expect("memory does not fail");
                self.replies.extend_from_slice(&value);
            }
            Err(error) => self.replies.extend_from_slice(&encoded(&error)),
        }
    }
}
