//! Bringing the write-ahead log into the database, on a thread of its own.
//!
//! A checkpoint waits for the disk, and what phones send waits for the writer; so the writer leaves it to another thread.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::schema;
use crate::journal::JournalError;

/// Events after which the log is worth a checkpoint: some twenty-five megabytes. The pages of the indexes, which every commit
/// writes, are taken once for all of them.
const EVENTS: usize = 16_000;
/// Pause before the rest of a log is looked at again.
const AGAIN: Duration = Duration::from_millis(200);
/// Once nothing was written for so long, the log is brought in, however short it is: whoever copies the database has all of it.
const CALM: Duration = Duration::from_secs(1);
/// What is written little by little is brought in after so long without a pause.
const LONGEST: Duration = Duration::from_secs(10);

/// The thread, as its writer sees it.
pub(super) struct Checkpoints {
    due: SyncSender<()>,
    thread: JoinHandle<()>,
    written: Arc<AtomicUsize>,
}

impl Checkpoints {
    /// Starts the thread for a file that exists.
    pub(super) fn start(file: &Path) -> Result<Self, JournalError> {
        let connection = schema::open(file)?;
        // One that is waiting covers whatever is written until it runs.
        let (due, asked) = sync_channel(1);
        let written = Arc::<AtomicUsize>::default();
        let log = Log { connection, asked, written: Arc::clone(&written) };
        let thread = thread::Builder::new()
            .name("journal-log".to_owned())
            .spawn(move || log.run())
            .map_err(|source| JournalError::Folder { path: file.to_owned(), source })?;
        Ok(Self { due, thread, written })
    }

    /// Counts what was written; wakes the thread for the first of it, and when it is time for a checkpoint.
    pub(super) fn wrote(&self, events: usize) {
        let before = self.written.fetch_add(events, Ordering::Relaxed);
        if before == 0 || (before < EVENTS && before.saturating_add(events) >= EVENTS) {
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

/// The log, as its thread sees it.
struct Log {
    connection: Connection,
    asked: Receiver<()>,
    /// Events written since the last checkpoint began.
    written: Arc<AtomicUsize>,
}

impl Log {
    /// Checkpoints when it is time, and goes on until the writer can start the log from its beginning.
    fn run(&self) {
        while self.asked.recv().is_ok() && self.wait_for_calm() {
            let mut before = 0;
            loop {
                // Before each pass: who writes after it has to wake this thread again.
                self.written.store(0, Ordering::Relaxed);
                let Some(log) = pass(&self.connection, before) else { break };
                before = log;
                match self.asked.recv_timeout(AGAIN) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Waits until there is much to do or nothing more comes; false when the writer has ended.
    fn wait_for_calm(&self) -> bool {
        let since = Instant::now();
        let mut seen = self.written.load(Ordering::Relaxed);
        while seen < EVENTS && since.elapsed() < LONGEST {
            match self.asked.recv_timeout(CALM) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
            let now = self.written.load(Ordering::Relaxed);
            if now == seen {
                break;
            }
            seen = now;
        }
        true
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
