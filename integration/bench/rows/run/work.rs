//! A client that keeps runs going in one repository or several, and does what there is to do in
//! them.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Claimed, DATA, IN_FLIGHT, LENGTH, Task};
use crate::{
    daemon::{Daemon, OwnedReply, frame, request},
    scratch::text,
};

/// What is done in each run.
#[derive(Clone, Copy)]
pub struct Plan {
    pub process: &'static str,
    /// So many steps of each run are done.
    pub steps: usize,
    /// So many runs are under way in each repository.
    pub in_flight: usize,
    /// What the completion of a task brings.
    pub data: fn(&str) -> Value,
}

/// Runs of ten steps.
pub const TEN: Plan =
    Plan { process: "ten", steps: LENGTH, in_flight: IN_FLIGHT, data: |_| json!({"said": DATA}) };

pub struct Client {
    pub daemon: Daemon,
    plan: Plan,
    /// One for each repository.
    flows: Vec<Flow>,
    asked: HashMap<u64, (usize, Asked)>,
    last: u64,
    output: Vec<u8>,
}

struct Flow {
    path: String,
    to_start: usize,
    completed: usize,
    is_claiming: bool,
}

enum Asked {
    Start,
    Claim,
    Complete,
}

impl Client {
    pub fn new(daemon: Daemon, plan: Plan, repositories: &[&Path]) -> Client {
        let flow =
            |it: &&Path| Flow { path: text(it), to_start: 0, completed: 0, is_claiming: false };
        let flows = repositories.iter().map(flow).collect();
        Client { daemon, plan, flows, asked: HashMap::new(), last: 0, output: Vec::new() }
    }

    /// Has so many runs done in each repository, from their beginning to their end.
    pub fn work(&mut self, runs: usize) -> Duration {
        let began = Instant::now();
        for flow in 0..self.flows.len() {
            (self.flows[flow].to_start, self.flows[flow].completed) = (runs, 0);
            (0..self.plan.in_flight).for_each(|_| self.start(flow));
            // One that found nothing may still wait from last time.
            if !self.flows[flow].is_claiming {
                self.claim(flow);
            }
        }
        while self.flows.iter().any(|it| it.completed < runs * self.plan.steps) {
            let output = std::mem::take(&mut self.output);
            self.daemon.wire.send(&output);
            let mut reply = self.daemon.receive();
            loop {
                self.hear(&reply);
                match self.daemon.received() {
                    Some(more) => reply = more,
                    None => break,
                }
            }
        }
        began.elapsed()
    }

    fn ask(&mut self, flow: usize, asked: Asked, operation: &str, mut arguments: Value) {
        // Behind what the daemon counted itself.
        self.last += 1;
        let id = 1_000_000_000 + self.last;
        arguments["path"] = self.flows[flow].path.as_str().into();
        self.output.extend_from_slice(&frame(&request(operation, id, arguments)));
        self.asked.insert(id, (flow, asked));
    }

    fn start(&mut self, flow: usize) {
        let to_start = &mut self.flows[flow].to_start;
        if 0 < *to_start {
            *to_start -= 1;
            let process = self.plan.process;
            let arguments = json!({"process": process, "version": "1.0.0", "actor": "ann"});
            self.ask(flow, Asked::Start, "run.start", arguments);
        }
    }

    fn claim(&mut self, flow: usize) {
        let arguments = json!({"worker": "w", "max": self.plan.in_flight, "wait_ms": 1000});
        self.flows[flow].is_claiming = true;
        self.ask(flow, Asked::Claim, "task.claim", arguments);
    }

    fn hear(&mut self, reply: &OwnedReply) {
        let id = reply.id.expect("it has an id");
        let (flow, asked) = self.asked.remove(&id).expect("it was asked");
        let value = reply.ok.as_ref().unwrap_or_else(|| panic!("{} ({})", reply.err, reply.code));
        match asked {
            Asked::Start => (),
            Asked::Claim => {
                let claimed: Claimed = rmp_serde::from_slice(value).expect("it has tasks");
                for Task { task, token } in claimed.tasks {
                    let data = (self.plan.data)(&task);
                    let arguments = json!({"task": task, "token": token, "data": data});
                    self.ask(flow, Asked::Complete, "task.complete", arguments);
                }
                self.claim(flow);
            }
            Asked::Complete => {
                self.flows[flow].completed += 1;
                // When as many steps are done as a run has, there is room for another one.
                if self.flows[flow].completed.is_multiple_of(self.plan.steps) {
                    self.start(flow);
                }
            }
        }
    }
}
