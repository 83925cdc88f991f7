//! Bringing the write-ahead log into the database, beside the writer.
//!
//! A checkpoint waits for the disk, and what phones send waits for the writer; so the writer leaves it to another thread.

use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use super::schema;
use crate::journal::JournalError;

/// Events after which the log is worth a checkpoint: some six megabytes.
const EVENTS: usize = 4_000;

/// The thread, as its writer sees it.
pub(super) struct Checkpoints {
    due: SyncSender<()>,
    thread: JoinHandle<()>,
    /// Events written since the last one was asked for.
    written: usize,
}

impl Checkpoints {
    /// Starts the thread for a file that exists.
    pub(super) fn start(file: &Path) -> Result<Self, JournalError> {
        let connection = schema::open(file)?;
        // One that is waiting covers whatever is written until it runs.
        let (due, asked) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("journal-log".to_owned())
            .spawn(move || run(&connection, &asked))
            .map_err(|source| JournalError::Folder { path: file.to_owned(), source })?;
        Ok(Self { due, thread, written: 0 })
    }

    /// Counts what was written and asks for a checkpoint when it is time.
    pub(super) fn wrote(&mut self, events: usize) {
        self.written = self.written.saturating_add(events);
        if self.written >= EVENTS {
            self.written = 0;
            // Full is as good: one is waiting already.
            let _asked = self.due.try_send(());
        }
    }

    /// Ends the thread and waits for it.
    pub(super) fn end(self) {
        drop(self.due);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoints of the journal failed");
        }
    }
}

fn run(connection: &Connection, asked: &Receiver<()>) {
    while asked.recv().is_ok() {
        // Passive: takes what it can without making anybody wait; the rest comes next time.
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "no checkpoint of the journal");
        }
    }
}
