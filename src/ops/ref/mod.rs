//! Operations on refs of any kind.

pub mod update;
