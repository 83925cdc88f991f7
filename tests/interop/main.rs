//! Tests against real peers on loopback. `cargo xtask test` starts the peers first; a missing peer
//! is a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed precondition of a test fails the test"
)]

mod captures;
mod lab;
mod mcp;
mod phones;
mod probe;
mod restart;
mod scenarios;
