//! Appending groups of events.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, params};

use super::{
    checkpoint::Checkpoints,
    schema,
    wire::{COLUMNS, data_text, integer, nanoseconds},
};
use crate::{
    event::{Envelope, Event, SystemEvent},
    id::PhoneId,
    journal::JournalError,
};

/// How long the end of a journal waits for a reader in the middle of something.
const READERS: Duration = Duration::from_millis(200);

/// The writing end of a journal's file; there is one per folder.
pub(in crate::journal) struct Store {
    connection: Connection,
    checkpoints: Checkpoints,
    /// What SQLite said when it was last asked whether others had written.
    version: i64,
}

/// Takes a folder for this process, creating it when needed; dropping the file gives it back.
pub(in crate::journal) fn lock(folder: &Path) -> Result<File, JournalError> {
    let failed = |source| JournalError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    take(folder, "journal.lock")?.ok_or_else(|| JournalError::InUse { path: folder.to_owned() })
}

/// Takes the right to remove events of a folder, in this process or another; none while somebody has it.
pub(in crate::journal) fn lock_to_retire(folder: &Path) -> Result<Option<File>, JournalError> {
    take(folder, "journal.retention.lock")
}

fn take(folder: &Path, name: &str) -> Result<Option<File>, JournalError> {
    let failed = |source| JournalError::Folder { path: folder.to_owned(), source };
    let file = File::options().create(true).append(true).open(folder.join(name)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// What was removed is told by this event: nothing is owed any more.
fn told(transaction: &Connection, calls: &[[u64; 2]], runs: &[[u64; 2]]) -> rusqlite::Result<()> {
    for (column, ranges) in [("call", calls), ("run", runs)] {
        let sql = format!("DELETE FROM retired WHERE whole AND {column} BETWEEN ?1 AND ?2");
        let mut statement = transaction.prepare_cached(&sql)?;
        for [first, last] in ranges {
            statement.execute([integer(*first), integer(*last)])?;
        }
    }
    Ok(())
}

impl Store {
    /// Opens or makes the file.
    pub(in crate::journal) fn open(file: &Path) -> Result<Self, JournalError> {
        let mut store =
            Self { connection: schema::open(file)?, checkpoints: Checkpoints::start(file)?, version: 0 };
        store.note();
        Ok(store)
    }

    /// Brings everything into the one file and onto the disk, so that what is left behind can be copied as it is.
    pub(in crate::journal) fn finish(self) -> rusqlite::Result<()> {
        self.checkpoints.end();
        // A reader in the middle of something keeps its part of the log alive; the next start reads it from there.
        self.connection.busy_timeout(READERS)?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Returns a number that is another one when another connection has written.
    fn version_by_others(&self) -> rusqlite::Result<i64> {
        self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// Tells whether another connection has written since [`note`](Self::note).
    pub(in crate::journal) fn others_wrote(&self) -> bool {
        self.version_by_others().is_ok_and(|version| version != self.version)
    }

    /// Takes note of what others have written so far.
    pub(in crate::journal) fn note(&mut self) {
        self.version = self.version_by_others().unwrap_or(self.version);
    }

    /// Writes a group: all of it is durable when this returns, or none of it is there.
    pub(in crate::journal) fn insert(&mut self, events: &[Arc<Envelope>]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            // FAIL, as in the trigger: ABORT would copy every page aside that a row touches, to take one row back. A failure
            // takes the whole transaction back.
            let sql =
                format!("INSERT OR FAIL INTO events ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
            let mut statement = transaction.prepare_cached(&sql)?;
            for envelope in events {
                let cause = serde_json::to_string(&envelope.cause).unwrap_or_default();
                statement.execute(params![
                    integer(envelope.seq.0),
                    nanoseconds(envelope.at),
                    envelope.subject.phone.as_ref().map(PhoneId::as_str),
                    envelope.subject.call.map(|call| integer(call.0)),
                    envelope.subject.run.map(|run| integer(run.0)),
                    envelope.event.kind(),
                    cause,
                    data_text(&envelope.event),
                ])?;
                if let Event::System(SystemEvent::Pruned { calls, runs, .. }) = &envelope.event {
                    told(&transaction, calls, runs)?;
                }
            }
        }
        transaction.commit()?;
        self.checkpoints.wrote(events.len());
        Ok(())
    }
}
