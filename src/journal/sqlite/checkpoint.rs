//! Bringing the write-ahead log into the database, on a thread of its own.
//!
//! A checkpoint waits for the disk, and what phones send waits for the writer; so the writer leaves it to another thread.

use std::{
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use super::schema;
use crate::journal::JournalError;

/// Events after which the log is worth a checkpoint: some twenty-five megabytes. The pages of the indexes, which every commit
/// writes, are taken once for all of them.
const EVENTS: usize = 16_000;
/// Pause before the rest of a log is looked at again.
const AGAIN: Duration = Duration::from_millis(200);

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

/// Checkpoints when asked, and goes on until the writer can start the log from its beginning.
fn run(connection: &Connection, asked: &Receiver<()>) {
    while asked.recv().is_ok() {
        let mut before = 0;
        while let Some(log) = pass(connection, before) {
            before = log;
            match asked.recv_timeout(AGAIN) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// Takes what it can without making anybody wait; returns the pages of the log while some of them are left to take.
///
/// The writer may add to the log during a pass, of which the pass says nothing: only a log that is no longer than
/// `before`, at the last pass, was taken whole, or has been started again.
fn pass(connection: &Connection, before: i64) -> Option<i64> {
    let row = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match row {
        Ok((busy, log, taken)) => (busy || taken < log || log > before).then_some(log),
        Err(error) => {
            tracing::warn!(%error, "no checkpoint of the journal");
            None
        }
    }
}
