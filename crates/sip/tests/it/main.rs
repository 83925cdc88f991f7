//! Integration tests of the SIP engine; one binary, one module a file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helper functions as well"
)]

mod answering;
mod calling;
mod cast;
mod corpus;
mod dialogs;
mod digest;
mod exercise;
mod faulty;
mod flows;
mod framing;
mod headers;
mod mutation;
mod naming;
mod next_hop;
mod oracle;
mod races;
mod recovery;
mod registering;
mod requesting;
mod returned;
mod solo;
mod subscriptions;
mod sweep;
mod torture;
mod understanding;
mod uris;
mod written;
