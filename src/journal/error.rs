//! What can go wrong with a journal.

use std::{io, path::PathBuf};

use crate::{event::EventError, id::Seq};

/// The events that a reader wants next cannot be read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events before {oldest} cannot be read any more")]
pub struct Gone {
    /// The oldest event that can still be read; a reader continues there by itself.
    pub oldest: Seq,
}

/// The journal's files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The folder cannot be made or locked.
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
        /// The layout found.
        found: i64,
        /// The layout known.
        known: i64,
    },
    /// SQLite refused.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A stored event cannot be understood.
    #[error("event {seq}: {source}")]
    Damaged {
        /// Its position.
        seq: Seq,
        /// Why.
        source: RowFault,
    },
    /// The newest events are in memory only.
    #[error("events after {durable} are not on disk: {because}")]
    NotDurable {
        /// The newest event on disk.
        durable: Seq,
        /// The disk's failure.
        because: String,
    },
    /// A reader asked for events that are no longer kept.
    #[error(transparent)]
    Gone(#[from] Gone),
}

/// Nothing, or not everything that could go, was removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The journal has no disk, and memory bounds itself.
    #[error("a journal in memory keeps what fits")]
    InMemory,
    /// Another task or process removes already.
    #[error("events are being removed already")]
    Busy,
    /// The folds could not be kept, so that nothing may go.
    #[error("the views cannot be kept: {0}")]
    NotKept(#[source] io::Error),
    /// The disk refuses; what was removed whole until then is gone and told.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why a stored event cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum RowFault {
    /// A column is missing or of another type.
    #[error(transparent)]
    Column(#[from] rusqlite::Error),
    /// The phone's name breaks the rule.
    #[error(transparent)]
    Phone(#[from] crate::id::InvalidPhoneId),
    /// Cause or data are not the JSON they should be.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The time is out of range.
    #[error(transparent)]
    Time(#[from] jiff::Error),
    /// The event is unknown or its data do not fit.
    #[error(transparent)]
    Event(#[from] EventError),
}
