//! Reports of runs for people and CI, built from the one view of a run and its events.

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
    /// Tags to select it by.
    pub tags: Vec<String>,
    /// The run.
    pub run: RunId,
    /// The verdict.
    pub verdict: Verdict,
    /// The reason in one sentence.
    pub reason: String,
    /// How long it took.
    pub elapsed: Duration,
    /// Expectations that held.
    pub held: usize,
    /// What did not hold, in order.
    pub failures: Vec<FailureReport>,
    /// Remarks that do not change the verdict.
    pub notes: Vec<String>,
    /// The complete ladder of the run's SIP messages; empty if there were none.
    pub ladder: String,
    /// The part of it around the first failure.
    pub excerpt: String,
    /// Where to look further.
    pub look: Vec<String>,
}

/// Something that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReport {
    /// `file:line:column`, as far as known.
    pub place: String,
    /// The step, such as `steps[3]`; `None` for what must never happen.
    pub step: Option<String>,
    /// The hook or list.
    pub list: String,
    /// What was expected.
    pub expected: String,
    /// What happened instead.
    pub instead: String,
    /// The nearest event.
    pub by: Option<Seq>,
    /// How far signaling and media had come at that point.
    pub planes: Vec<String>,
}

#[cfg(test)]
mod tests;
