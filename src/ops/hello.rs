//! `hello`: who is there, what it can do, and within which limits.

use serde::{Deserialize, Serialize};

use super::{Context, ENTRIES_MAX, Event, Lane, OPERATIONS, Operation, plain::Plain};
use crate::{
    error::{Error, Result},
    git, port,
};

/// The version of the protocol. It changes only when something is taken away.
const PROTOCOL: u32 = 1;

/// Cargo features a client may care about; each is a line here.
const FEATURES: &[(&str, bool)] = &[
    ("vendored-openssl", cfg!(feature = "vendored-openssl")),
    ("postgres", cfg!(feature = "postgres")),
    ("s3", cfg!(feature = "s3")),
    ("faults", cfg!(feature = "faults")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    protocol: Option<u32>,
    client: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    protocol: u32,
    program: &'static str,
    version: &'static str,
    libgit2: String,
    operations: Vec<&'static str>,
    events: &'static [Event],
    features: Vec<&'static str>,
    limits: Limits,
}

#[derive(Serialize)]
struct Limits {
    request_bytes: u32,
    reply_bytes: u32,
    depth: usize,
    waiting: u64,
    waiting_network: u64,
    batch: usize,
    network_timeout_ms: u64,
}

impl Operation for Hello {
    const NAME: &'static str = "hello";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Quick
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let protocol = self.protocol.unwrap_or(PROTOCOL);
        if protocol != PROTOCOL {
            let message = format!("this daemon speaks protocol {PROTOCOL}, not {protocol}");
            return Err(Error::unsupported(message).with("feature", "protocol"));
        }
        if let Some(client) = &self.client {
            log::info!("the client is {:?}", &**client);
        }
        let settings = context.settings;
        Ok(Reply {
            protocol: PROTOCOL,
            program: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            libgit2: git::version(),
            operations: OPERATIONS.iter().map(|it| it.name).collect(),
            events: Event::ALL,
            features: FEATURES.iter().filter(|(_, is_on)| *is_on).map(|(it, _)| *it).collect(),
            limits: Limits {
                request_bytes: settings.request_bytes_max,
                reply_bytes: settings.reply_bytes_max,
                depth: port::DEPTH_MAX,
                waiting: context.stats.workers.limit,
                waiting_network: context.stats.network.limit,
                batch: ENTRIES_MAX,
                network_timeout_ms: settings.network_timeout_ms,
            },
        })
    }
}
