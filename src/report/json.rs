//! Results as JSON Lines: events as they come, one result per scenario, a summary at the end.

use serde_json::{Value, json};

use super::RunReport;

/// Returns the result of one scenario.
#[must_use]
pub fn result_line(report: &RunReport) -> Value {
    let failures: Vec<Value> = report
        .failures
        .iter()
        .map(|failure| {
            json!({
                "at": failure.place, "list": failure.list, "expected": failure.expected,
                "instead": failure.instead, "by": failure.by, "step": failure.step,
            })
        })
        .collect();
    json!({
        "type": "result",
        "name": report.name,
        "file": report.source,
        "tags": report.tags,
        "run": report.run,
        "verdict": report.verdict.as_str(),
        "reason": report.reason,
        "elapsed_ms": milliseconds(report),
        "held": report.held,
        "failures": failures,
        "notes": report.notes,
        "look": report.look,
    })
}

/// Returns the line that ends a session.
#[must_use]
pub fn suite_line(reports: &[RunReport], exit: u8) -> Value {
    let mut counts = serde_json::Map::new();
    for report in reports {
        let count = counts.entry(report.verdict.as_str()).or_insert(Value::from(0));
        *count = Value::from(count.as_u64().unwrap_or_default() + 1);
    }
    json!({ "type": "summary", "scenarios": reports.len(), "verdicts": counts, "exit": exit })
}

fn milliseconds(report: &RunReport) -> u64 {
    u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX)
}
