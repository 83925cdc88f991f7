//! Profiles and limits read from files.
