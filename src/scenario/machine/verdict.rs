//! The result of a run: the verdict and its sentence.

use super::super::diagnostic::Position;
use crate::event::{Ending, Verdict};

/// Something that did not hold or did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) at: Position,
    /// The step, such as `steps[3]`; `None` for what must never happen.
    pub(super) step: Option<String>,
    pub(super) expected: String,
    pub(super) instead: String,
}

/// The facts from which the verdict follows.
pub(super) struct Evidence<'a> {
    pub(super) ending: Ending,
    pub(super) note: &'a str,
    pub(super) failures: &'a [Failure],
    pub(super) held: usize,
    pub(super) held_by_events: usize,
    pub(super) calls: u64,
    pub(super) expected_verdict: Option<Verdict>,
    /// What the first failure must be about.
    pub(super) expected_failure: Option<&'a str>,
}

/// Derives a verdict from the evidence: without evidence a run cannot pass.
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
                let wanted = wanted.as_str();
                (Verdict::Failed, format!("must be {wanted} but is {}: {reason}", verdict.as_str()))
            }
            Verdict::Skipped | Verdict::Blocked | Verdict::Error => (verdict, reason),
        },
    }
}

/// Returns what should have failed if something else did.
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
        let place: Vec<String> = first.step.clone().into_iter().chain(first.at.text()).collect();
        let place = if place.is_empty() { String::new() } else { format!(" at {}", place.join(", ")) };
        let reason = format!("expected {}{place}; instead: {}{more}", first.expected, first.instead);
        return (Verdict::Failed, reason);
    }
    if evidence.ending == Ending::TimedOut {
        return (Verdict::Failed, note);
    }
    let stopped = evidence.ending == Ending::StopMatched;
    if evidence.held == 0 && !stopped {
        let reason = "nothing was expected, so nothing is shown; add an expect step or stop_on";
        return (Verdict::Failed, reason.to_owned());
    }
    if evidence.held_by_events == 0 && !stopped && evidence.calls == 0 {
        let reason = "there was no call, and only absences were expected, so nothing is shown";
        return (Verdict::Failed, reason.to_owned());
    }
    let reason = match (evidence.held, stopped) {
        (0, _) => note,
        (1, _) => "the expectation held".to_owned(),
        (count, _) => format!("all {count} expectations held"),
    };
    (Verdict::Passed, reason)
}
