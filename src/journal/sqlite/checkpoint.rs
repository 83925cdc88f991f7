//! Moving the write-ahead log into the database, on a thread of its own.
//!
//! A checkpoint waits for the disk, and the messages of phones wait for the writer, so the writer
//! leaves checkpoints to another thread.

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

/// Events after which a checkpoint is worthwhile: about 25 MB. Index pages, which every commit
/// writes, are then copied once for all those events.
const EVENTS: usize = 16_000;
/// Pause before looking at the rest of a log again.
const AGAIN: Duration = Duration::from_millis(200);
/// Once nothing has been written for this long, the log is moved however short it is, so that
/// whoever copies the database has all of it.
const CALM: Duration = Duration::from_secs(1);
/// Events that trickle in without such a pause are moved after this time.
const LONGEST: Duration = Duration::from_secs(10);

/// The thread, as the writer sees it.
pub(super) struct Checkpoints {
    due: SyncSender<()>,
    thread: JoinHandle<()>,
    written: Arc<AtomicUsize>,
}

impl Checkpoints {
    /// Starts the thread for an existing file.
    pub(super) fn start(file: &Path) -> Result<Self, JournalError> {
        let connection = schema::open(file)?;
        // One pending request covers whatever is written until the thread runs.
        let (due, asked) = sync_channel(1);
        let written = Arc::<AtomicUsize>::default();
        let log = Log { connection, asked, written: Arc::clone(&written) };
        let thread = thread::Builder::new()
            .name("journal-log".to_owned())
            .spawn(move || log.run())
            .map_err(|source| JournalError::Folder { path: file.to_owned(), source })?;
        Ok(Self { due, thread, written })
    }

    /// Counts what was written; wakes the thread for the first events, and when it is time for a
    /// checkpoint.
    pub(super) fn wrote(&self, events: usize) {
        let before = self.written.fetch_add(events, Ordering::Relaxed);
        if before == 0 || (before < EVENTS && before.saturating_add(events) >= EVENTS) {
            // If it is full, a request is already pending.
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
    /// Runs a checkpoint when it is time, and repeats it until the writer can start the log from
    /// its beginning.
    fn run(&self) {
        while self.asked.recv().is_ok() && self.wait_for_calm() {
            let mut before = 0;
            loop {
                // Before each pass: whoever writes after this has to wake the thread again.
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

    /// Waits until there is much to do or nothing more comes; returns false when the writer has
    /// ended.
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

/// Moves what it can without making anybody wait; returns the length of the log in pages while some
/// of it remains to be moved.
///
/// The writer may add to the log during a pass, which SQLite does not report. Only a log no longer
/// than `before`, its length at the last pass, was moved completely, or has been started again.
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
