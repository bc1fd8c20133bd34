//! The process that started this one: when it is gone, so is the client, whoever has the pipes.
//!
//! A sibling that was forked with them keeps both pipes open when the parent is killed, and no
//! hang-up would ever come.

use std::{
    fs,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::process::{PidfdFlags, getppid, pidfd_open};

/// A descriptor that is ready when the parent ends; none where the port does not hang on it, or
/// where the system cannot tell.
pub fn parent(port: BorrowedFd) -> Option<OwnedFd> {
    if has_name(port) || is_hangup_ignored() {
        return None;
    }
    // The first process adopts whom others leave behind: it is nobody's client.
    let parent = getppid().filter(|it| !it.is_init())?;
    let end = pidfd_open(parent, PidfdFlags::empty()).ok()?;
    // Its number may have been given to another one before it was opened.
    (getppid() == Some(parent)).then_some(end)
}

/// Whether any process can open the port by its name: then it is no heirloom of the parent.
fn has_name(port: BorrowedFd) -> bool {
    let link = fs::read_link(format!("/proc/self/fd/{}", port.as_raw_fd())).unwrap_or_default();
    let link = link.to_string_lossy();
    !link.starts_with("pipe:[") && !link.starts_with("socket:[")
}

/// Whether this process is meant to outlive who started it, as `nohup` says.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|it| it.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|it| u64::from_str_radix(it.trim(), 16).ok());
    mask.is_some_and(|it| it & 1 != 0)
}
