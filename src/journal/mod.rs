//! The event log: append-only, ordered, replayable.
//!
//! `append` gives an event its place in memory and wakes the readers at once; one writer thread makes it durable
//! within milliseconds. Readers pull from a cursor, so a burst loses nothing; folds run inside `append`, so a
//! read after a reply is never behind the reply. Retention and compaction are left out: a data folder grows.

mod error;
mod fold;
mod handle;
mod memory;
mod query;
mod reader;
mod redact;

pub use error::{Gone, JournalError};
pub use fold::Fold;
pub use handle::{Health, Journal};
pub use query::Query;
pub use reader::Reader;
pub use redact::redact;

#[cfg(test)]
mod tests;
