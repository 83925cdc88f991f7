//! What can go wrong with a journal.

use std::{io, path::PathBuf};

use crate::{event::EventError, id::Seq};

/// The events a reader wants next are no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events before {oldest} cannot be read any more")]
pub struct Gone {
    /// The oldest event that is still kept; the reader continues there by itself.
    pub oldest: Seq,
}

/// The journal's files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The folder cannot be created or locked.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes this journal.
    #[error("{}: the journal is in use by another process", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file was written by another version of this program, or by another program.
    #[error("{}: the journal has layout {found}, this program knows {known}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The layout of the file.
        found: i64,
        /// The layout this version knows.
        known: i64,
    },
    /// SQLite reported an error.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A stored event cannot be read.
    #[error("event {seq}: {source}")]
    Damaged {
        /// Its position.
        seq: Seq,
        /// Why.
        source: RowFault,
    },
    /// The newest events are only in memory.
    #[error("events after {durable} are not on disk: {because}")]
    NotDurable {
        /// The newest event on disk.
        durable: Seq,
        /// The disk error.
        because: String,
    },
    /// A reader asked for events that are no longer kept.
    #[error(transparent)]
    Gone(#[from] Gone),
}

/// Nothing was removed, or not everything that was due.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The journal has no disk, and memory limits itself.
    #[error("a journal in memory keeps what fits")]
    InMemory,
    /// Another task or process is already removing events.
    #[error("events are being removed already")]
    Busy,
    /// The folds could not be saved, so nothing may be removed.
    #[error("the views cannot be kept: {0}")]
    NotKept(#[source] io::Error),
    /// The disk failed; calls and runs removed up to then are gone completely and have been
    /// journaled.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowFault {
    /// A column is missing or of another type.
    #[error(transparent)]
    Column(#[from] rusqlite::Error),
    /// The phone's name is not valid.
    #[error(transparent)]
    Phone(#[from] crate::id::InvalidPhoneId),
    /// Cause or data are not the expected JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The time is out of range.
    #[error(transparent)]
    Time(#[from] jiff::Error),
    /// The event is unknown, or its data do not fit.
    #[error(transparent)]
    Event(#[from] EventError),
}
