//! Reports of runs for people and CI, made of the one fold of a run and of its events.

mod json;
mod junit;
mod label;
mod ladder;
mod run;
mod text;

pub use json::{result_line, suite_line};
pub use junit::junit;
pub use ladder::{Ladder, Selection};
pub use text::{progress, summary_line, verdict_block};

use std::time::Duration;

use crate::{
    event::Verdict,
    id::{RunId, Seq},
};

/// One scenario's result, as every report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// The scenario's name.
    pub name: String,
    /// Its file.
    pub source: String,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// Which run.
    pub run: RunId,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// How long it took.
    pub elapsed: Duration,
    /// Expectations that held.
    pub held: usize,
    /// What did not hold, in order.
    pub failures: Vec<FailureReport>,
    /// Remarks that do not change the verdict.
    pub notes: Vec<String>,
    /// Whole ladder of the run's SIP messages; empty when there were none.
    pub ladder: String,
    /// The part of it around the first failure.
    pub excerpt: String,
    /// Where to look further.
    pub look: Vec<String>,
}

/// Something that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReport {
    /// `file:line:column`, or as much of it as is known.
    pub place: String,
    /// Which step it was, as `steps[3]`; none for what must never happen.
    pub step: Option<String>,
    /// The hook or list.
    pub list: String,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub instead: String,
    /// The nearest event.
    pub by: Option<Seq>,
    /// How far signaling and media of that place came.
    pub planes: Vec<String>,
}

#[cfg(test)]
mod tests;
