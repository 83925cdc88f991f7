//! How a run ended and what is said about it.

use std::time::Duration;

use super::super::diagnostic::Position;
use crate::{
    event::{Ending, Verdict},
    id::{CallId, RunId, Seq},
};

/// Something that did not hold or did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where it is written.
    pub at: Position,
    /// The hook or list that it belongs to.
    pub list: String,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub instead: String,
    /// The nearest event.
    pub by: Option<Seq>,
}

/// An expectation that held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where it is written.
    pub at: Position,
    /// What was expected.
    pub expected: String,
    /// The event that met it; none for an absence.
    pub by: Option<Seq>,
}

/// Everything about a finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Which run.
    pub run: RunId,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// What ended it.
    pub ending: Ending,
    /// How long it took until the verdict was clear.
    pub elapsed: Duration,
    /// What did not hold or did not work, in order.
    pub failures: Vec<Failure>,
    /// Expectations that held, in order.
    pub held: Vec<Held>,
    /// Names of the hooks that never matched.
    pub idle_hooks: Vec<String>,
    /// The run's calls.
    pub calls: Vec<CallId>,
    /// Calls that could not be ended in time.
    pub left_over: Vec<CallId>,
}

/// Facts from which the verdict follows.
pub(super) struct Evidence<'a> {
    pub(super) ending: Ending,
    pub(super) note: &'a str,
    pub(super) failures: &'a [Failure],
    pub(super) held: &'a [Held],
    pub(super) calls: u64,
    pub(super) expected_verdict: Option<Verdict>,
    /// What the first failure must be about.
    pub(super) expected_failure: Option<&'a str>,
}

/// Folds the evidence into a verdict: without evidence there is no pass.
pub(super) fn verdict(evidence: &Evidence<'_>) -> (Verdict, String) {
    let (verdict, reason) = plain_verdict(evidence);
    match evidence.expected_verdict {
        None => (verdict, reason),
        Some(wanted) if wanted == verdict => {
            if let Some(elsewhere) = failed_elsewhere(evidence) {
                return (Verdict::Failed, format!("must fail at '{elsewhere}' but: {reason}"));
            }
            let verb = if verdict == Verdict::Failed { "failed" } else { "ended" };
            (Verdict::Passed, format!("{verb} as it must: {reason}"))
        }
        Some(wanted) => match verdict {
            Verdict::Passed | Verdict::Failed | Verdict::Flaky => {
                let wanted = verdict_word(wanted);
                (Verdict::Failed, format!("must be {wanted} but is {}: {reason}", verdict_word(verdict)))
            }
            Verdict::Skipped | Verdict::Blocked | Verdict::Error => (verdict, reason),
        },
    }
}

/// Returns what should have failed when something else did.
fn failed_elsewhere<'a>(evidence: &Evidence<'a>) -> Option<&'a str> {
    let wanted = evidence.expected_failure?;
    let hit = evidence.failures.first().is_some_and(|failure| failure.expected.contains(wanted));
    (!hit).then_some(wanted)
}

fn plain_verdict(evidence: &Evidence<'_>) -> (Verdict, String) {
    let note = evidence.note.to_owned();
    match evidence.ending {
        Ending::NotReady => return (Verdict::Blocked, note),
        Ending::Skipped | Ending::Canceled => return (Verdict::Skipped, note),
        Ending::Broken => return (Verdict::Error, note),
        Ending::StepsDone
        | Ending::StopMatched
        | Ending::FullDuration
        | Ending::TimedOut
        | Ending::Forbidden => {}
    }
    if let Some(first) = evidence.failures.first() {
        let more = match evidence.failures.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let place = first.at.text().map(|at| format!(" at {at}")).unwrap_or_default();
        let reason = format!("expected {}{place}; instead: {}{more}", first.expected, first.instead);
        return (Verdict::Failed, reason);
    }
    if evidence.ending == Ending::TimedOut {
        return (Verdict::Failed, note);
    }
    let present = evidence.held.iter().filter(|held| held.by.is_some()).count();
    let stopped = evidence.ending == Ending::StopMatched;
    if evidence.held.is_empty() && !stopped {
        let reason = "nothing was expected, so nothing is shown; add an expect step or stop_on";
        return (Verdict::Failed, reason.to_owned());
    }
    if present == 0 && !stopped && evidence.calls == 0 {
        let reason = "there was no call, and only absences were expected, so nothing is shown";
        return (Verdict::Failed, reason.to_owned());
    }
    let reason = match (evidence.held.len(), stopped) {
        (0, _) => note,
        (1, _) => "the expectation held".to_owned(),
        (count, _) => format!("all {count} expectations held"),
    };
    (Verdict::Passed, reason)
}

/// Returns a verdict's wire name.
pub(super) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Flaky => "flaky",
        Verdict::Skipped => "skipped",
        Verdict::Blocked => "blocked",
        Verdict::Error => "error",
    }
}
