//! Facts about the execution of a scenario.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events;
use crate::id::{CallId, Seq};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every expectation held.
    Passed,
    /// At least one did not, or a step failed.
    Failed,
    /// Passed only when tried again.
    Flaky,
    /// Not run, on purpose.
    Skipped,
    /// The environment was not ready, so nothing is said about the system under test.
    Blocked,
    /// Our own failure.
    Error,
}

/// What brought a run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The main list was done or failed.
    StepsDone,
    /// An entry of `stop_on` matched.
    StopMatched,
    /// There was nothing to stop on, so it took its full time.
    FullDuration,
    /// The time was over before.
    TimedOut,
    /// Something happened that must never happen.
    Forbidden,
    /// The environment was not ready.
    NotReady,
    /// It was not run, on purpose.
    Skipped,
    /// Someone stopped it.
    Canceled,
    /// Our own failure.
    Broken,
}

impl Verdict {
    /// Returns the word that every surface uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Flaky => "flaky",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::Error => "error",
        }
    }
}

events! {
    /// Facts about a run.
    RunEvent {
        /// The run begins.
        "run.started" => Started {
            /// The scenario's name.
            name: String,
            /// Its phones.
            phones: Vec<String>,
            /// File it was read from; absent for one given inline.
            source: Option<String>,
            /// Words to select it by.
            #[serde(default)]
            tags: Vec<String>,
        },
        /// A hook matched.
        "run.hook_fired" => HookFired {
            /// The hook's name.
            hook: String,
            /// The event that it matched.
            by: Seq,
        },
        /// An action is about to be executed.
        "run.action_started" => ActionStarted {
            /// The action's name.
            action: String,
            /// Its arguments after substitution.
            args: Value,
            /// The hook or list that it belongs to.
            hook: String,
            /// `line:column` in the file, where known.
            at: Option<String>,
        },
        /// An action was refused or failed.
        "run.action_failed" => ActionFailed {
            /// The action's name.
            action: String,
            /// Its arguments after substitution.
            args: Value,
            /// The hook or list that it belongs to.
            hook: String,
            /// `line:column` in the file, where known.
            at: Option<String>,
            /// Why, in a sentence.
            error: String,
            /// Which step it was, as `steps[3]`, counted from 0; absent in journals of before.
            #[serde(default)]
            step: Option<String>,
        },
        /// An action is over. Each that was started has one such fact, unless the run ended before.
        "run.action_finished" => ActionFinished {
            /// The action's name.
            action: String,
            /// Its `run.action_started`.
            started: Seq,
            /// Whether it came to what it was for; if not, a fact before this one says why.
            succeeded: bool,
            /// Where the journal was once its command was done: what it did is between the two. Absent for what commands
            /// nothing and for what was refused.
            outcome: Option<Seq>,
        },
        /// A place in the scenario was reached.
        "run.checkpoint" => Checkpoint {
            /// Its label.
            label: String,
        },
        /// The scenario said something.
        "run.log" => Log {
            /// What.
            message: String,
        },
        /// The scenario emitted an event of its own, `user.<name>`.
        "run.signal" => Signal {
            /// The name, without the prefix.
            name: String,
            /// Its data.
            data: Value,
        },
        /// An expectation held.
        "run.expectation_met" => ExpectationMet {
            /// The expectation in words.
            expectation: String,
            /// `line:column` in the file, where known.
            at: Option<String>,
            /// The event that met it; absent for an absence.
            by: Option<Seq>,
        },
        /// An expectation did not hold.
        "run.expectation_failed" => ExpectationFailed {
            /// The expectation in words.
            expectation: String,
            /// `line:column` in the file, where known.
            at: Option<String>,
            /// What came instead.
            instead: String,
            /// The nearest event, for looking it up.
            by: Option<Seq>,
            /// Which step it was, as `steps[3]`, counted from 0; absent for what must never happen, and in journals of before.
            #[serde(default)]
            step: Option<String>,
        },
        /// Nothing more is found out: what the run started is ended from here on.
        "run.cleaning_up" => CleaningUp {},
        /// The run is over.
        "run.finished" => Finished {
            /// The verdict.
            verdict: Verdict,
            /// Why, in a sentence.
            reason: String,
            /// How long it took, milliseconds.
            elapsed_ms: u64,
            /// What brought it to its end; absent in journals of the first version.
            #[serde(default)]
            ending: Option<Ending>,
            /// Names of the hooks that never matched.
            #[serde(default)]
            idle_hooks: Vec<String>,
            /// Calls that could not be ended in time.
            #[serde(default)]
            left_over: Vec<CallId>,
        },
    }
}
