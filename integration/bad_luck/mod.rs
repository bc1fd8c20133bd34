//! Whatever befalls client, worker, child or disk, the rest goes on and nothing is left behind.

mod client;
mod disk;
mod faults;
mod unread;
