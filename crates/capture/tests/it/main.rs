//! Integration tests of captures; one binary, one module a file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed precondition of a test fails the test"
)]

mod analysis;
mod calls;
mod framing;
mod fuzz_checks;
mod mutation;
mod reading;
mod trace;
mod writing;
