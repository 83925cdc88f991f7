//! Appending groups of events.

use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use rusqlite::{Connection, Statement, TransactionBehavior, config::DbConfig, ffi};

use super::{
    checkpoint::Checkpoints,
    schema,
    wire::{COLUMN_COUNT, COLUMNS, data_text, integer, json_text, nanoseconds},
};
use crate::{
    event::{Envelope, Event, SystemEvent},
    id::PhoneId,
    journal::JournalError,
};

/// How long closing a journal waits for a reader in the middle of something.
const READERS: Duration = Duration::from_millis(200);

/// Rows per statement: starting a statement costs as much as a row.
const ROWS: usize = 8;

/// Writes to a journal's file; there is one per folder.
pub(in crate::journal) struct Store {
    connection: Connection,
    checkpoints: Checkpoints,
    /// SQLite's answer when it was last asked whether others had written.
    version: i64,
    /// Buffer for the texts of a row.
    text: Vec<u8>,
}

/// Locks a folder for removing events, against this process and others; `None` if somebody has the
/// lock.
pub(in crate::journal) fn lock_to_retire(folder: &Path) -> Result<Option<File>, JournalError> {
    take(folder, "journal.retention.lock")
}

/// Locks a file of a folder for this process; none while another has it.
pub(in crate::journal) fn take(folder: &Path, name: &str) -> Result<Option<File>, JournalError> {
    let failed = |source| JournalError::Folder { path: folder.to_owned(), source };
    let file = crate::private::open_to_change(&folder.join(name)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insertion(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insertion(ROWS));

/// Builds the statement that inserts `rows` rows.
fn insertion(rows: usize) -> String {
    let row = format!("({})", ["?"; COLUMN_COUNT].join(", "));
    format!("INSERT INTO events ({COLUMNS}) VALUES {}", vec![row; rows].join(", "))
}

/// Runs a statement for as many rows as it has room for.
fn insert_rows(
    statement: &mut Statement<'_>,
    rows: &[Arc<Envelope>],
    text: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    for (nth, envelope) in rows.iter().enumerate() {
        bind(statement, nth * COLUMN_COUNT, envelope, text)?;
    }
    statement.raw_execute().map(drop)
}

/// Binds an event to the parameters after `before`.
fn bind(
    statement: &mut Statement<'_>,
    before: usize,
    envelope: &Envelope,
    text: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let Envelope { seq, at, subject, cause, event } = envelope;
    statement.raw_bind_parameter(before + 1, integer(seq.0))?;
    statement.raw_bind_parameter(before + 2, nanoseconds(*at))?;
    statement.raw_bind_parameter(before + 3, subject.phone.as_ref().map(PhoneId::as_str))?;
    statement.raw_bind_parameter(before + 4, subject.call.map(|call| integer(call.0)))?;
    statement.raw_bind_parameter(before + 5, subject.run.map(|run| integer(run.0)))?;
    statement.raw_bind_parameter(before + 6, event.kind())?;
    statement.raw_bind_parameter(before + 7, json_text(cause, text))?;
    statement.raw_bind_parameter(before + 8, data_text(event, text))
}

/// Refuses events that are not after everything in the file, or not in order.
fn check_order(transaction: &Connection, events: &[Arc<Envelope>]) -> rusqlite::Result<()> {
    let newest: Option<i64> =
        transaction.prepare_cached("SELECT max(seq) FROM events")?.query_row([], |row| row.get(0))?;
    let first = events.first().map(|first| integer(first.seq.0));
    if events.is_sorted_by(|one, next| one.seq < next.seq) && first > newest {
        return Ok(());
    }
    let because = Some(schema::APPEND_ONLY.to_owned());
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT), because))
}

/// Deletes the records of removals that this event reports.
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
    /// Opens or creates the file.
    pub(in crate::journal) fn open(file: &Path) -> Result<Self, JournalError> {
        let connection = schema::open(file)?;
        // The triggers are for everybody else: `insert` checks the order itself, once for all its
        // rows. A statement with a trigger costs twice as much, since SQLite copies every page it
        // touches.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
            .map_err(|source| JournalError::Sqlite { path: file.to_owned(), source })?;
        let checkpoints = Checkpoints::start(file)?;
        let mut store = Self { connection, checkpoints, version: 0, text: Vec::new() };
        store.note();
        Ok(store)
    }

    /// Moves everything into the one file and onto the disk, so that the file can be copied as it
    /// is.
    pub(in crate::journal) fn finish(self) -> rusqlite::Result<()> {
        self.checkpoints.end();
        // A reader in the middle of something keeps its part of the log alive; the next start reads
        // it from there.
        self.connection.busy_timeout(READERS)?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Returns a number that changes when another connection has written.
    fn version_by_others(&self) -> rusqlite::Result<i64> {
        self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// Returns whether another connection has written since [`note`](Self::note).
    pub(in crate::journal) fn others_wrote(&self) -> bool {
        self.version_by_others().is_ok_and(|version| version != self.version)
    }

    /// Notes what others have written so far.
    pub(in crate::journal) fn note(&mut self) {
        self.version = self.version_by_others().unwrap_or(self.version);
    }

    /// Writes a group: when this returns, either all of it is durable or none of it is there.
    pub(in crate::journal) fn insert(&mut self, events: &[Arc<Envelope>]) -> rusqlite::Result<()> {
        // Immediate: a transaction that begins with a read would fail at its first write, instead
        // of waiting for another connection's short lock.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            check_order(&transaction, events)?;
            let mut one = transaction.prepare_cached(&INSERT_ONE)?;
            let mut many = transaction.prepare_cached(&INSERT_MANY)?;
            let (groups, rest) = events.as_chunks::<ROWS>();
            for group in groups {
                insert_rows(&mut many, group, &mut self.text)?;
            }
            for row in rest.chunks(1) {
                insert_rows(&mut one, row, &mut self.text)?;
            }
            for envelope in events {
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
