//! What a process does: pure functions of its definition, its state and an event.
//!
//! Nothing in here reads or writes anything outside, knows the time or draws lots: the same events
//! give the same state, byte for byte, whoever is the host.
//!
//! [`definition`] is the language, [`net`] what it is compiled to. [`decide::decide`] works an
//! [`event`] into a [`state`]: it happens in [`decide`] itself, [`time`] or [`signal`], a
//! [`step`] begins or [ends](leave), and [`settle`] lets everything follow that follows by itself.

pub mod definition;
pub mod canonical;
pub mod net;
pub mod expression;
pub mod schema;
pub mod event;
pub mod state;
pub mod decide;
pub mod offers;
mod settle;
mod step;
mod leave;
mod again;
pub mod migrate;
mod each;
mod scope;
mod signal;
mod time;
mod join;
pub mod or_join;
mod data;
mod work;

#[cfg(test)]
mod tests;
