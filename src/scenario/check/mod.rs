//! Checking a document before anything is dialed.

mod logic;
mod sounds;

pub use logic::{check_json, check_yaml};
pub use sounds::check_sounds;

#[cfg(test)]
mod tests;
