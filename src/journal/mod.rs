//! The event log: append-only, ordered, replayable.
//!
//! `append` puts an event into memory and at once wakes the readers that want it; one writer thread
//! makes it durable within milliseconds. Readers pull from a cursor, so a burst loses nothing.
//! Folds catch up when they are read, so a read after a reply is never behind the reply. Nothing is
//! rewritten; the oldest calls and runs may be retired as a whole.

mod error;
mod fold;
mod gaps;
mod handle;
mod interest;
mod jsonl;
mod lookup;
mod mark;
mod memory;
mod query;
mod reader;
mod redact;
mod replay;
mod retention;
mod snapshot;
mod sqlite;
mod state;
mod writer;

pub use error::{Gone, JournalError, PruneError, RowFault};
pub use fold::{Attached, Fold, KeptFold};
pub use handle::Journal;
pub use interest::{About, Interest, Kinds};
pub use jsonl::{BadLine, ExportError, Imported, LineFault, export, import, parse_line};
pub use query::Query;
pub use reader::{More, Reader};
pub use redact::redact;
pub use replay::{Archive, ReplayError, Replayed, Skipped, replay};
pub use retention::{Asker, Pruned, prune_beside};
pub use state::Health;

#[cfg(test)]
mod tests;
