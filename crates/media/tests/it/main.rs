//! Integration tests of the media engine; one binary, one module a file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed precondition of a test fails the test"
)]

mod fuzz_checks;
mod g711_peers;
mod g722_peer;
mod impairment;
mod mutation;
mod negotiated_call;
mod rtcp_oracle;
mod strangers;
mod time;
mod wideband;
