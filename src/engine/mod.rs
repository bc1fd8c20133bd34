//! What a process does: pure functions of its definition, its state and an event.
//!
//! Nothing in here reads or writes anything outside, knows the time or draws lots: the same events
//! give the same state, byte for byte, whoever is the host.

pub mod definition;
