//! Whatever befalls client, worker, child or disk, the rest goes on and nothing is left behind.

mod client;
pub mod disk;
mod faults;
mod parent;
mod unread;

use std::time::Duration;

/// How long a process may be seen that nobody waits for any more.
const AT_ONCE: Duration = Duration::from_secs(1);
