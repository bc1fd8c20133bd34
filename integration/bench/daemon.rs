//! The built program, started and spoken to as any client would.

use std::process::Command;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    git,
    reply::{HEADER_BYTES, Reply, body},
    wire::{Talk, Wire},
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gitport");

/// Starts the daemon and waits for its first reply.
pub fn start(arguments: &[&str]) -> Daemon {
    let mut command = Command::new(PROGRAM);
    command.arg("serve").args(arguments).envs(git::ENVIRONMENT).env("GITPORT_LOG", "error");
    let mut daemon = Daemon { wire: Wire::spawn(&mut command), last: 0 };
    let _: Value = daemon.call("hello", json!({}));
    daemon
}

pub struct Daemon {
    pub wire: Wire,
    last: u64,
}

impl Daemon {
    /// Carries out one operation that must succeed.
    pub fn call<T: DeserializeOwned>(&mut self, operation: &str, arguments: Value) -> T {
        let body = self.call_raw(operation, arguments);
        let reply = Reply::parse(&body);
        match reply.ok {
            Some(value) => rmp_serde::from_slice(value).expect("the reply has the wanted type"),
            None => panic!("{operation}: {} ({})", reply.err, reply.code),
        }
    }

    /// Carries out one operation and returns the whole reply.
    pub fn call_raw(&mut self, operation: &str, arguments: Value) -> Vec<u8> {
        self.send(operation, arguments);
        self.wire.receive(|input| {
            let body = body(input)?;
            Some((body.to_vec(), HEADER_BYTES + body.len()))
        })
    }

    /// Sends a request and returns its id.
    pub fn send(&mut self, operation: &str, arguments: Value) -> u64 {
        self.last += 1;
        self.wire.send(&frame(&request(operation, self.last, arguments)));
        self.last
    }

    pub fn receive(&mut self) -> OwnedReply {
        self.wire.receive(owned)
    }

    /// A reply that has come already.
    pub fn received(&mut self) -> Option<OwnedReply> {
        self.wire.received(owned)
    }
}

fn owned(input: &[u8]) -> Option<(OwnedReply, usize)> {
    let body = body(input)?;
    let reply = Reply::parse(body);
    let owned = OwnedReply {
        id: reply.id.number(),
        ok: reply.ok.map(<[u8]>::to_vec),
        err: reply.err.to_owned(),
        code: reply.code.to_owned(),
    };
    Some((owned, body.len() + HEADER_BYTES))
}

pub struct OwnedReply {
    pub id: Option<u64>,
    pub ok: Option<Vec<u8>>,
    pub err: String,
    pub code: String,
}

/// Requests of which each must succeed: the operation and its arguments for every index.
pub struct Requests<F>(pub F);

impl<F: FnMut(usize) -> (&'static str, Value)> Talk for Requests<F> {
    fn request(&mut self, index: usize, output: &mut Vec<u8>) {
        let (operation, arguments) = self.0(index);
        output.extend_from_slice(&frame(&request(operation, index as u64, arguments)));
    }

    fn reply(&mut self, input: &[u8]) -> Option<usize> {
        let body = body(input)?;
        let reply = Reply::parse(body);
        assert!(reply.ok.is_some(), "{} ({})", reply.err, reply.code);
        Some(HEADER_BYTES + body.len())
    }
}

/// A request of any operation, as msgpack.
pub fn request(operation: &str, id: u64, arguments: Value) -> Vec<u8> {
    let mut map =
        Map::from_iter([("op".to_owned(), operation.into()), ("id".to_owned(), id.into())]);
    if let Value::Object(arguments) = arguments {
        map.extend(arguments);
    }
    rmp_serde::to_vec(&map).expect("JSON fits into msgpack")
}

/// The length, then the body.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}
