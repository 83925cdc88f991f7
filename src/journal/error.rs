//! What can go wrong with a journal.

use crate::id::Seq;

/// The events that a reader wants next are no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events before {oldest} are no longer kept")]
pub struct Gone {
    /// The oldest event that can still be read; a reader continues there by itself.
    pub oldest: Seq,
}

/// The journal's files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A reader asked for events that are no longer kept.
    #[error(transparent)]
    Gone(#[from] Gone),
}
