//! The journal's file: events in one table, readable by `sqlite3` and by other processes.
//!
//! Append-only except for retired events. Triggers enforce that for everybody else; the writer
//! checks the order itself.

mod checkpoint;
mod read;
mod retire;
mod schema;
mod wire;
mod write;

pub(super) use read::{Page, Source};
pub(super) use retire::{Owed, Retirer, Unit};
pub(super) use wire::data_text;
pub(super) use write::{Store, lock_to_retire, take};
