//! Whatever befalls the client, a worker, a child or the disk, the rest goes on and nothing is left.

mod client;
mod disk;
mod faults;
mod unread;
