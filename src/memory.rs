//! How memory is had from the system and given back to it.
//!
//! Threads have heaps of their own, for what C libraries ask for, too: with one for all, threads
//! that write two repositories wait for each other at every other allocation.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

/// What nobody uses is given back after a second, by a thread that is there for it: whoever freed
/// it may do nothing for hours. More heaps than these would only scatter what is freed.
#[allow(unsafe_code, reason = "jemalloc looks for its settings under this name")]
// SAFETY: nothing else has this name but jemalloc's own, which gives way; it is a C string.
#[unsafe(export_name = "malloc_conf")]
pub static SETTINGS: &[u8; 95] = b"\
    background_thread:true,max_background_threads:1,\
    dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4\0";
