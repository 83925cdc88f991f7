//! Running scenarios: what to run, one run of it, and the order of runs, for every surface alike.

mod attempt;
mod plan;
mod schedule;

pub use attempt::{Attempt, Completed};
pub use plan::Plan;
pub use schedule::{Schedule, SuiteError, Watch};
