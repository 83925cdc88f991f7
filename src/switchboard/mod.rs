//! The one door for commands and reads.
