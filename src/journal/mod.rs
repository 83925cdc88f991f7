//! The event log: append-only, ordered, replayable.
