//! How memory is had from the system and given back to it.
//!
//! Only glibc is told anything; other allocators have no such interface and need none.

/// How much more than what is needed is had from the system at a time.
#[cfg(target_env = "gnu")]
const AHEAD_BYTES: libc::c_int = 1024 * 1024;

/// Has all threads share one heap: with one for each thread what is freed is scattered, and grows
/// by a page and a system call at a time.
#[cfg(target_env = "gnu")]
pub fn set_up() {
    #[allow(unsafe_code, reason = "glibc's own interface; it takes no pointer")]
    // SAFETY: see above; `main` calls this while there is one thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TOP_PAD, AHEAD_BYTES);
    }
}

/// Hands freed pages to the system; glibc keeps them otherwise.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    #[allow(unsafe_code, reason = "glibc's own interface; it takes no pointer and is thread-safe")]
    // SAFETY: see above.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
pub fn set_up() {}

#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
