//! Integration tests of the program; one binary, one module per file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed precondition of a test fails the test"
)]

mod captures;
mod closed_ports;
mod closing;
mod codecs;
mod command_line;
mod conferences;
mod contract;
mod credentials;
mod crossing;
mod dns;
mod durability;
mod edges;
mod hostile;
mod journal;
mod journal_exercise;
mod journal_lines;
mod lab;
mod ladders;
mod mcp;
mod media_names;
mod misled;
mod names;
mod net;
mod not_built;
mod offers;
mod outcomes;
mod phones;
mod process_end;
mod prose;
mod recordings;
mod runs;
mod scenario_exercise;
mod scenarios;
mod secrets;
mod support;
mod taps;
mod tidy;
mod unbuilt;
