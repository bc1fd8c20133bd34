//! What the contract promises about requests as such, whatever they ask for.

mod batch;
mod busy;
mod cancel;
mod deadlines;
mod end;
mod flood;
mod hello;
mod ids;
mod stats;
mod subscribe;

use std::{collections::HashMap, time::Duration};

use serde_json::Value;

use crate::daemon::Daemon;

/// How long a process may be seen that nobody waits for any more.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Takes this many replies and sorts them by their ids.
fn replies_by_id(daemon: &mut Daemon, count: usize) -> HashMap<String, Value> {
    let replies = daemon.receive_many(count).into_iter();
    let by_id: HashMap<String, Value> =
        replies.map(|reply| (reply["id"].to_string(), reply)).collect();
    assert_eq!(by_id.len(), count, "an id twice: {by_id:?}");
    by_id
}
