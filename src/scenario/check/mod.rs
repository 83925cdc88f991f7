//! Checking a document before anything is dialed.

mod logic;

pub use logic::{check_json, check_yaml};

#[cfg(test)]
mod tests;
