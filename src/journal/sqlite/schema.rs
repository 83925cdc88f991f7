//! The layouts of the file, the steps from each to the next, and the setup of connections.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::super::JournalError;

/// How long a connection waits for another process's short locks.
const PATIENCE: Duration = Duration::from_secs(5);

/// The error message of every trigger.
pub(super) const APPEND_ONLY: &str = "the journal is append-only";

/// The steps in order; `user_version` says how many a file has taken. A published step never
/// changes.
const STEPS: [&str; 3] = [EVENTS, RETIREMENT, WITHOUT_KINDS];

/// The layout after all steps.
const LAYOUT: i64 = 3;
const _: () = assert!(LAYOUT as usize == STEPS.len());

/// The first layout with retired events.
const WITH_RETIREMENT: i64 = 2;

/// Layout 1: the events, append-only.
const EVENTS: &str = "
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

/// Layout 2: the oldest events may be retired, whole calls and runs at a time.
///
/// A row of `retired` is written before the first event of its call or run is removed. It says what
/// is removed and how far that has come, and stays until `journal.pruned` is written. Only such
/// events can be deleted. Nothing is missing after `horizon`.
const RETIREMENT: &str = "
CREATE TABLE retired (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  call   INTEGER UNIQUE,
  run    INTEGER UNIQUE,
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL,
  count  INTEGER NOT NULL,
  whole  INTEGER NOT NULL,
  asker  TEXT NOT NULL,
  CHECK ((call IS NULL) <> (run IS NULL))
) STRICT;
CREATE TABLE horizon (seq INTEGER NOT NULL) STRICT;
INSERT INTO horizon VALUES (0);
DROP TRIGGER no_delete;
CREATE TRIGGER no_delete BEFORE DELETE ON events
  WHEN NOT EXISTS (SELECT 1 FROM retired WHERE call = OLD.call) AND NOT EXISTS (SELECT 1 FROM retired WHERE run = OLD.run)
  BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
";

/// Layout 3: no index by kind.
///
/// The kinds in one commit are spread all over such an index, so every commit rewrote nearly all of
/// it: more than half of everything written. A query by kind alone now scans all events.
const WITHOUT_KINDS: &str = "DROP INDEX events_of_kind;";

/// Opens the file for writing and creates its tables if it is new.
pub(super) fn open(file: &Path) -> Result<Connection, JournalError> {
    let failed = |source| JournalError::Sqlite { path: file.to_owned(), source };
    // Created before SQLite does, so that the files beside it get the same permissions.
    for beside in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(beside);
        let path = Path::new(&name);
        let closed = if beside.is_empty() { crate::private::open_to_append(path).map(drop) } else { Ok(()) };
        closed
            .and_then(|()| crate::private::close_to_others(path))
            .map_err(|source| JournalError::Folder { path: path.to_owned(), source })?;
    }
    let connection = Connection::open(file).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    // NORMAL: a commit survives `kill -9`, which a test tool must withstand; waiting for the disk
    // on every commit would widen the window in which a dying process loses facts. A power failure
    // may cost the last moments. Checkpoints have a thread of their own; this connection runs one
    // itself only when that thread is more than 256 MB behind.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000; \
             PRAGMA wal_autocheckpoint = 64000;",
        )
        .map_err(failed)?;
    let found = layout(&connection).map_err(failed)?;
    let taken = usize::try_from(found).unwrap_or(usize::MAX);
    let Some(steps) = STEPS.get(taken..) else {
        return Err(JournalError::Layout { path: file.to_owned(), found, known: LAYOUT });
    };
    for (step, to) in steps.iter().zip(found.saturating_add(1)..) {
        // One transaction per step: a process that dies leaves a complete layout.
        let take = format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {to}; COMMIT;");
        connection.execute_batch(&take).map_err(failed)?;
    }
    Ok(connection)
}

/// Opens an existing file for reading, even while another process writes it; also returns whether
/// its layout has retired events.
///
/// A file of an earlier layout is read as it is: events have the same columns in all of them.
pub(super) fn open_to_read(file: &Path) -> Result<(Connection, bool), JournalError> {
    let failed = |source| JournalError::Sqlite { path: file.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    match layout(&connection).map_err(failed)? {
        layout @ 1..=LAYOUT => Ok((connection, layout >= WITH_RETIREMENT)),
        other => Err(JournalError::Layout { path: file.to_owned(), found: other, known: LAYOUT }),
    }
}

fn layout(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
