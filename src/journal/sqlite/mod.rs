//! The journal's file: one table, append-only by trigger, readable by `sqlite3` and by other processes.

mod checkpoint;
mod read;
mod schema;
mod wire;
mod write;

pub(super) use read::{Page, Source};
pub(super) use wire::data_text;
pub(super) use write::{Store, lock};
