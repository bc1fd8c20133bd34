//! What can go wrong in a child, on request.

use std::{process, thread, time::Duration};

pub fn commit(kind: &str, ms: u64) {
    match kind {
        "child_crash" => process::abort(),
        "child_print" => print(),
        _ => thread::park_timeout(Duration::from_millis(ms)),
    }
}

/// Prints the way careless code does: through C and through Rust.
#[allow(unsafe_code, clippy::print_stdout, reason = "what must do no harm is tried here")]
pub fn print() {
    println!("a stray line from Rust");
    // SAFETY: the text ends with a NUL byte, and a null stream means all of them.
    unsafe {
        libc::puts(c"a stray line from C".as_ptr());
        libc::fflush(std::ptr::null_mut());
    }
}
