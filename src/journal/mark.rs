//! How far a journal got, noted beside its database in the file that locks the folder.
//!
//! If the write-ahead log is missing or cut, SQLite opens the database as a shorter one without a
//! word. The note shows that events are missing at the end, and how many. It is written after each
//! commit, so it is never ahead of what a killed process leaves behind.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

use super::{JournalError, sqlite};
use crate::id::Seq;

/// Name of the file inside a data folder.
const FILE: &str = "journal.lock";

/// Digits of a position.
const DIGITS: usize = 20;

/// A position that no journal reaches.
const FAR: Seq = Seq(1 << 62);

/// The lock on a folder, which also holds the note; dropping it releases the folder.
pub(super) struct Mark {
    file: File,
    /// Whether a failure has been logged already.
    failing: bool,
}

impl Mark {
    /// Locks a folder for this process, creating it if needed.
    pub(super) fn lock(folder: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Folder { path: folder.to_owned(), source };
        crate::private::create_folder(folder).map_err(failed)?;
        match sqlite::take(folder, FILE)? {
            Some(file) => Ok(Self { file, failing: false }),
            None => Err(JournalError::InUse { path: folder.to_owned() }),
        }
    }

    /// Returns the newest event that was ever on disk; 0 if that is not known.
    pub(super) fn reached(&self) -> Seq {
        let mut found = [0; 2 * DIGITS + 2];
        self.file.read_exact_at(&mut found, 0).map(|()| parse(&found)).unwrap_or_default()
    }

    /// Notes that events up to `seq` are on disk.
    pub(super) fn note(&mut self, seq: Seq) {
        match self.file.write_all_at(text(seq).as_bytes(), 0) {
            Ok(()) => self.failing = false,
            // The note then lags, and a loss may go unnoticed; nothing else depends on it.
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, "how far the journal got is not noted");
            }
            Err(_) => {}
        }
    }
}

/// Returns the newest event that was ever on disk in a folder that another process may be using; 0
/// if that is not known.
pub(super) fn reached_in(folder: &Path) -> Seq {
    crate::private::read(&folder.join(FILE)).map(|found| parse(&found)).unwrap_or_default()
}

/// The position twice, so that a damaged note is not mistaken for a loss of events.
fn text(seq: Seq) -> String {
    format!("{seq:0DIGITS$} {seq:0DIGITS$}\n", seq = seq.0)
}

/// Reads what [`text`] wrote. A new folder has no note yet, nor has one that an earlier version
/// wrote.
fn parse(found: &[u8]) -> Seq {
    let digits = found.get(..DIGITS).and_then(|digits| str::from_utf8(digits).ok());
    let seq = digits.and_then(|digits| digits.parse().ok()).map(Seq);
    seq.filter(|seq| *seq < FAR && text(*seq).as_bytes() == found).unwrap_or_default()
}
