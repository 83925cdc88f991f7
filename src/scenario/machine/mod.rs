//! The pure runner: events, outcomes and time in; commands, facts and a verdict out.
//!
//! No task, no clock, no journal: the same machine runs live, in tests and over recorded journals.

mod actions;
mod book;
mod commands;
mod engine;
mod history;
mod instead;
mod lists;
mod place;
mod provision;
mod reach;
mod seen;
mod teardown;
mod verdict;
mod watch;
mod world;

pub use engine::{Machine, Output, StepId};
pub use world::{ExistingPhone, Setup};

pub use crate::event::Ending;

#[cfg(test)]
mod tests;
