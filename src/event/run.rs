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
    /// At least one expectation did not hold, or a step failed.
    Failed,
    /// Passed only after a retry.
    Flaky,
    /// Deliberately not run.
    Skipped,
    /// The environment was not ready, so the run says nothing about the system under test.
    Blocked,
    /// A failure of our own.
    Error,
}

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The main list was done or failed.
    StepsDone,
    /// An entry of `stop_on` matched.
    StopMatched,
    /// There was nothing to stop on, so the run took its full time.
    FullDuration,
    /// The time ran out first.
    TimedOut,
    /// Something happened that must never happen.
    Forbidden,
    /// The environment was not ready.
    NotReady,
    /// It was deliberately not run.
    Skipped,
    /// Somebody stopped it.
    Canceled,
    /// A failure of our own.
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
        /// The run has started.
        "run.started" => Started {
            /// The scenario's name.
            name: String,
            /// Its phones.
            phones: Vec<String>,
            /// The file it was read from; absent for one given inline.
            source: Option<String>,
            /// Tags to select it by.
            #[serde(default)]
            tags: Vec<String>,
        },
        /// A hook matched.
        "run.hook_fired" => HookFired {
            /// The hook's name.
            hook: String,
            /// The event it matched.
            by: Seq,
        },
        /// An action is about to be executed.
        "run.action_started" => ActionStarted {
            /// The action's name.
            action: String,
            /// Its arguments after substitution.
            args: Value,
            /// The hook or list it belongs to.
            hook: String,
            /// `line:column` in the file, if known.
            at: Option<String>,
        },
        /// An action was refused or failed.
        "run.action_failed" => ActionFailed {
            /// The action's name.
            action: String,
            /// Its arguments after substitution.
            args: Value,
            /// The hook or list it belongs to.
            hook: String,
            /// `line:column` in the file, if known.
            at: Option<String>,
            /// The reason in one sentence.
            error: String,
            /// The step, such as `steps[3]`, counted from 0; absent in older journals.
            #[serde(default)]
            step: Option<String>,
        },
        /// An action is over. Every started action has one such fact, unless the run ended first.
        "run.action_finished" => ActionFinished {
            /// The action's name.
            action: String,
            /// Its `run.action_started`.
            started: Seq,
            /// Whether it achieved its purpose; if not, an earlier fact says why.
            succeeded: bool,
            /// The journal position once its command was done: the command's effects are between
            /// the two. Absent for actions that give no command, and for rejected ones.
            outcome: Option<Seq>,
        },
        /// A checkpoint in the scenario was reached.
        "run.checkpoint" => Checkpoint {
            /// Its label.
            label: String,
        },
        /// A `log` action of the scenario.
        "run.log" => Log {
            /// The message.
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
            /// `line:column` in the file, if known.
            at: Option<String>,
            /// The event that met it; absent if it expected an absence.
            by: Option<Seq>,
        },
        /// An expectation did not hold.
        "run.expectation_failed" => ExpectationFailed {
            /// The expectation in words.
            expectation: String,
            /// `line:column` in the file, if known.
            at: Option<String>,
            /// What happened instead.
            instead: String,
            /// The nearest event, for reference.
            by: Option<Seq>,
            /// The step, such as `steps[3]`, counted from 0; absent for what must never happen, and
            /// in older journals.
            #[serde(default)]
            step: Option<String>,
        },
        /// The verdict can no longer change: from here on what the run started is ended.
        "run.cleaning_up" => CleaningUp {},
        /// The run is over.
        "run.finished" => Finished {
            /// The verdict.
            verdict: Verdict,
            /// The reason in one sentence.
            reason: String,
            /// Its duration, milliseconds.
            elapsed_ms: u64,
            /// What ended it; absent in journals of the first version.
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
