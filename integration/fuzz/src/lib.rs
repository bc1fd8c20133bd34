//! The modules that read what others wrote, as they are in the program, and what the targets share.
#![allow(dead_code, reason = "the targets do not need all that the program needs")]

#[path = "../../../src/error.rs"]
pub mod error;
#[path = "../../../src/id.rs"]
pub mod id;
pub mod allocated;
pub mod packed;

#[path = "../../../src/port"]
pub mod port {
    pub mod envelope;
    pub mod frame;
    pub mod msgpack;
}

#[path = "../../../src/git"]
pub mod git {
    pub mod cache;
    pub mod pack;
}

/// Once more, for in `git::pack` it is private.
#[path = "../../../src/git/pack"]
pub mod pack {
    pub mod delta;

    pub use crate::git::pack::SMALL_BYTES_MAX;
}
