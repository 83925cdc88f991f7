//! The journal's file: events in one table, append-only by trigger but for what is retired, readable by `sqlite3` and by other processes.

mod checkpoint;
mod read;
mod retire;
mod schema;
mod wire;
mod write;

pub(super) use read::{Page, Source};
pub(super) use retire::{Owed, Retirer, Unit};
pub(super) use wire::data_text;
pub(super) use write::{Store, lock, lock_to_retire};
