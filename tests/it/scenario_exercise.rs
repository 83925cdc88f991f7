//! What is done with any bytes as a scenario, by ordinary tests and by the fuzz target alike.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use offhook::{
    event::{Cause, Surface},
    id::{RunId, Seq},
    scenario::{
        Known, check_json, check_yaml,
        machine::{Machine, Output, Setup},
    },
};

/// Reads, checks and starts the bytes as a scenario; returns whether it could be run.
pub(crate) fn scenario(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(document) = serde_json::from_slice(bytes) {
        let reading = check_json(&document, &Known::default());
        assert!(reading.findings.iter().all(|finding| finding.at.line == 0), "JSON has no places");
    }
    let reading = check_yaml(&text, Some("s.yaml"), &Known::default());
    // YAML 1.2 §5.4: a carriage return alone ends a line too.
    let lines = text.replace("\r\n", "\n").replace('\r', "\n").lines().count();
    let lines = u32::try_from(lines).unwrap_or(u32::MAX);
    for finding in &reading.findings {
        // The end of the text is a place too.
        assert!(finding.at.line <= lines + 1, "{finding:?}");
        assert!(!finding.line("s.yaml").contains('\n') || finding.text.contains('\n'), "{finding:?}");
    }
    let runnable = reading.is_runnable();
    if let Some(scenario) = reading.scenario.filter(|_| runnable) {
        run(scenario);
    }
    runnable
}

/// Starts the scenario on nothing and lets time pass: it must end, and report that.
fn run(scenario: offhook::scenario::Scenario) {
    let setup = Setup {
        run: RunId(0),
        cause: Cause::command(Surface::Library),
        profile: None,
        phones: Vec::new(),
        lease_wait: Duration::from_secs(30),
        captured: false,
    };
    let Ok(at) = "2026-01-02T03:04:05Z".parse() else { return };
    let mut machine = Machine::new(Arc::new(scenario), setup, at);
    let mut now = Instant::now();
    machine.start(now, Seq(0));
    for _ in 0..10_000 {
        while let Some(output) = machine.poll_output() {
            if let Output::Lease(wish) = output {
                machine.on_lease(now, wish.choose(|_| true).unwrap_or_default());
            }
        }
        match machine.deadline() {
            Some(at) => now = now.max(at),
            None => return,
        }
        machine.on_time(now);
    }
    panic!("the run never ends");
}
