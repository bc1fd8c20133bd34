//! Repositories that are named by an id, and what goes out of any repository in one piece.

pub mod create;
pub mod delete;
pub mod export;
pub mod import;
pub mod imported;
pub mod info;
pub mod list;
pub mod restore;

mod source;
