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
use crate::{event::Envelope, id::PhoneId, journal::JournalError};

/// How long the end of a journal waits for a reader in the middle of something.
const READERS: Duration = Duration::from_millis(200);

/// The writing end of a journal's file; there is one per folder.
pub(in crate::journal) struct Store {
    connection: Connection,
    checkpoints: Checkpoints,
}

/// Takes a folder for this process, creating it when needed; dropping the file gives it back.
pub(in crate::journal) fn lock(folder: &Path) -> Result<File, JournalError> {
    let failed = |source| JournalError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let file = File::options().create(true).append(true).open(folder.join("journal.lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

impl Store {
    /// Opens or makes the file.
    pub(in crate::journal) fn open(file: &Path) -> Result<Self, JournalError> {
        Ok(Self { connection: schema::open(file)?, checkpoints: Checkpoints::start(file)? })
    }

    /// Brings everything into the one file and onto the disk, so that what is left behind can be copied as it is.
    pub(in crate::journal) fn finish(self) -> rusqlite::Result<()> {
        self.checkpoints.end();
        // A reader in the middle of something keeps its part of the log alive; the next start reads it from there.
        self.connection.busy_timeout(READERS)?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
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
            }
        }
        transaction.commit()?;
        self.checkpoints.wrote(events.len());
        Ok(())
    }
}
