//! The journal's file: events in one table, readable by `sqlite3` and by other processes.
//!
//! Append-only but for what is retired: triggers hold everybody else to that, and the writer looks at the order itself.

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
