//! The layout of the file and how connections are set up.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::super::JournalError;

/// Version of the layout, in `user_version`.
const LAYOUT: i64 = 1;

/// How long a connection waits for another process's short locks.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE events (
  seq   INTEGER PRIMARY KEY,
  at    INTEGER NOT NULL,
  phone TEXT,
  call  INTEGER,
  run   INTEGER,
  kind  TEXT NOT NULL,
  cause TEXT NOT NULL,
  data  TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_phone ON events (phone) WHERE phone IS NOT NULL;
CREATE INDEX events_of_call ON events (call) WHERE call IS NOT NULL;
CREATE INDEX events_of_run ON events (run) WHERE run IS NOT NULL;
CREATE INDEX events_of_kind ON events (kind);
CREATE TRIGGER no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER in_order BEFORE INSERT ON events WHEN NEW.seq <= (SELECT max(seq) FROM events)
  BEGIN SELECT RAISE(FAIL, 'the journal is append-only'); END;
";

/// Opens the file for writing and makes its tables when it is new.
pub(super) fn open(file: &Path) -> Result<Connection, JournalError> {
    let failed = |source| JournalError::Sqlite { path: file.to_owned(), source };
    let connection = Connection::open(file).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    // NORMAL: a commit survives `kill -9`, which is what a test tool must bear; waiting for the disk itself on every
    // commit would widen the window in which a dying process loses facts. A power failure may cost the last moments.
    // Checkpoints are made beside the writer; it makes one itself only when those cannot keep up for 256 MB.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000; \
             PRAGMA wal_autocheckpoint = 64000;",
        )
        .map_err(failed)?;
    match layout(&connection).map_err(failed)? {
        0 => {
            let make = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;");
            connection.execute_batch(&make).map_err(failed)?;
        }
        LAYOUT => {}
        other => return Err(JournalError::Layout { path: file.to_owned(), found: other, known: LAYOUT }),
    }
    Ok(connection)
}

/// Opens an existing file for reading, also while another process writes it.
pub(super) fn open_to_read(file: &Path) -> Result<Connection, JournalError> {
    let failed = |source| JournalError::Sqlite { path: file.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    match layout(&connection).map_err(failed)? {
        LAYOUT => Ok(connection),
        other => Err(JournalError::Layout { path: file.to_owned(), found: other, known: LAYOUT }),
    }
}

fn layout(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
