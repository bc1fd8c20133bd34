//! Whatever is written to its input, the daemon says what was wrong, and lives where it can.

mod bodies;
mod fields;
mod lengths;
mod names;
