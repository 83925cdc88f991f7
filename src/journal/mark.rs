//! How far a journal got, kept beside its database in the file that locks the folder.
//!
//! SQLite takes a database whose write-ahead log is gone or cut for a shorter one, and says nothing. The mark shows that events
//! are missing at its end, and how many. It is written after each commit, so it is never ahead of what a killed process left.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use super::{JournalError, sqlite};
use crate::id::Seq;

/// Name of the file inside a data folder.
const FILE: &str = "journal.lock";

/// Digits of a position.
const DIGITS: usize = 20;

/// A position that no journal reaches, and from which no more could follow for long.
const FAR: Seq = Seq(1 << 62);

/// The lock on a folder, which also holds the mark; dropping it gives the folder back.
pub(super) struct Mark {
    file: File,
    /// Whether a failure was told already.
    failing: bool,
}

impl Mark {
    /// Takes a folder for this process, creating it when needed.
    pub(super) fn lock(folder: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Folder { path: folder.to_owned(), source };
        crate::private::create_folder(folder).map_err(failed)?;
        match sqlite::take(folder, FILE)? {
            Some(file) => Ok(Self { file, failing: false }),
            None => Err(JournalError::InUse { path: folder.to_owned() }),
        }
    }

    /// Returns the newest event that was ever on disk; 0 when nobody knows.
    pub(super) fn reached(&self) -> Seq {
        reached(&self.file)
    }

    /// Notes that events up to `seq` are on disk.
    pub(super) fn note(&mut self, seq: Seq) {
        match self.file.write_all_at(text(seq).as_bytes(), 0) {
            Ok(()) => self.failing = false,
            // It then stays behind, and a loss may go unnoticed; nothing else depends on it.
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, "how far the journal got is not noted");
            }
            Err(_) => {}
        }
    }
}

/// Returns the newest event that was ever on disk in a folder that another process may use; 0 when nobody knows.
pub(super) fn reached_in(folder: &Path) -> Seq {
    File::open(folder.join(FILE)).map(|file| reached(&file)).unwrap_or_default()
}

/// The position twice, so that damage to the file is not taken for a loss of events.
fn text(seq: Seq) -> String {
    format!("{seq:0DIGITS$} {seq:0DIGITS$}\n", seq = seq.0)
}

fn reached(file: &File) -> Seq {
    let read = || -> io::Result<Option<Seq>> {
        let mut found = [0; 2 * DIGITS + 2];
        file.read_exact_at(&mut found, 0)?;
        let digits = found.get(..DIGITS).and_then(|digits| str::from_utf8(digits).ok());
        let seq = digits.and_then(|digits| digits.parse().ok()).map(Seq);
        Ok(seq.filter(|seq| *seq < FAR && text(*seq).as_bytes() == found))
    };
    // A file without a mark is that of a new folder, or of a program that made none.
    read().ok().flatten().unwrap_or_default()
}
