//! Tests of tests.
