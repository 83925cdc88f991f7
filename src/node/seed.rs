//! Values that differ from process to process.

use std::{
    hash::{BuildHasher, RandomState},
    path::PathBuf,
};

/// Returns a number that differs from process to process and from call to call: identifiers on the
/// wire must never repeat.
#[must_use]
pub fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Returns the name of a temporary folder that no other node uses.
#[must_use]
pub fn fresh_folder() -> PathBuf {
    std::env::temp_dir().join(format!("offhook-{}-{:08x}", std::process::id(), seed()))
}
