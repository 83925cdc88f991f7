//! What a person reads: a progress line during a run, a verdict that answers four questions, a last
//! line.

use std::{fmt::Write, time::Duration};

use super::RunReport;
use crate::event::{Event, RunEvent, Verdict};

/// Returns what a run is doing, from its newest event; `None` if the event does not change the
/// line.
#[must_use]
pub fn progress(event: &Event) -> Option<String> {
    if let Event::Run(RunEvent::ActionStarted { action, args, .. }) = event {
        let expectation = args.get("expectation").and_then(serde_json::Value::as_str);
        return Some(match expectation {
            Some(expectation) => format!("waiting: {expectation}"),
            None => action.clone(),
        });
    }
    if let Event::Run(RunEvent::ExpectationMet { expectation, .. }) = event {
        return Some(format!("✓ {expectation}"));
    }
    if let Event::Run(RunEvent::ExpectationFailed { expectation, .. }) = event {
        return Some(format!("✗ {expectation}"));
    }
    if let Event::Run(RunEvent::Started { .. }) = event {
        return Some("making phones".to_owned());
    }
    None
}

/// Returns the verdict of one scenario: one line if it passed, the four answers if not.
#[must_use]
pub fn verdict_block(report: &RunReport, with_ladder: bool) -> String {
    let mut text = String::new();
    let mark = match report.verdict {
        Verdict::Passed => "✓",
        Verdict::Flaky => "~",
        Verdict::Skipped => "-",
        Verdict::Failed | Verdict::Blocked | Verdict::Error => "✗",
    };
    let word = report.verdict.as_str();
    let time = seconds(report.elapsed);
    let held = match report.held {
        0 => String::new(),
        1 => ", 1 expectation held".to_owned(),
        count => format!(", {count} expectations held"),
    };
    if with_ladder && !report.ladder.is_empty() {
        put(&mut text, format_args!("{}\n", report.ladder));
    } else if !report.excerpt.is_empty() && matches!(report.verdict, Verdict::Failed) {
        put(&mut text, format_args!("{}\n", report.excerpt));
    }
    put(&mut text, format_args!("{mark} {word}  {} ({}, {time}{held})", report.name, report.source));
    // A scenario that is meant to fail, and does, says how; the failures of one that fails are
    // listed below.
    let told_below = report.verdict == Verdict::Failed && !report.failures.is_empty();
    let plain_pass = report.verdict == Verdict::Passed && report.failures.is_empty();
    if !plain_pass && (!told_below || report.reason.starts_with("must ")) {
        put(&mut text, format_args!("  {}", report.reason));
    }
    if report.verdict == Verdict::Failed {
        for failure in &report.failures {
            let step = failure.step.as_ref().map(|step| format!(", {step}")).unwrap_or_default();
            put(&mut text, format_args!("  expected  {} — {}{step}", failure.expected, failure.place));
            for (index, part) in failure.instead.split("; ").enumerate() {
                let key = if index == 0 { "instead" } else { "" };
                put(&mut text, format_args!("  {key:<9} {part}"));
            }
            for plane in &failure.planes {
                put(&mut text, format_args!("  planes    {plane}"));
            }
        }
    }
    for note in &report.notes {
        put(&mut text, format_args!("  note      {note}"));
    }
    if report.verdict != Verdict::Passed {
        for look in &report.look {
            put(&mut text, format_args!("  look      {look}"));
        }
    }
    text.trim_end().to_owned()
}

/// Returns the last line of a session.
#[must_use]
pub fn summary_line(reports: &[RunReport], elapsed: Duration) -> String {
    let mut parts = Vec::new();
    for verdict in
        [Verdict::Passed, Verdict::Failed, Verdict::Flaky, Verdict::Blocked, Verdict::Error, Verdict::Skipped]
    {
        let count = reports.iter().filter(|report| report.verdict == verdict).count();
        if count > 0 {
            parts.push(format!("{count} {}", verdict.as_str()));
        }
    }
    let noun = if reports.len() == 1 { "scenario" } else { "scenarios" };
    format!("{} {noun}: {} in {}", reports.len(), parts.join(", "), seconds(elapsed))
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let written = writeln!(text, "{line}");
    debug_assert!(written.is_ok(), "a string takes every line");
}
