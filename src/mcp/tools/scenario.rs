//! Tools that check and run scenarios.

use std::{sync::Arc, time::Duration};

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use crate::{
    event::{Envelope, Event, RunEvent},
    id::RunId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::timeline::{self, RunResult},
        context::CallContext,
        result::Reply,
        runs::StartedRun,
        services::Services,
    },
};

pub(super) fn tools() -> Vec<ToolDefinition> {
    let label = |name, title, about, hints| Label { name, title, about, hints };
    vec![
        compat(
            label(
                "validate_scenario",
                "Check a scenario",
                "Check a test scenario without dialing; lists every mistake.",
                Hints::Reads,
            ),
            validate_scenario,
        ),
        compat(
            label(
                "run_scenario",
                "Run a scenario",
                "Run a test scenario (phones, hooks, steps, expectations) to its end and return verdict, timeline, errors and artifacts.",
                Hints::Dials,
            ),
            run_scenario,
        ),
    ]
}

arguments! {
    /// Arguments of `validate_scenario`.
    ValidateScenario {
        /// The scenario document.
        scenario: JsonObject,
    }
}

async fn validate_scenario(services: Arc<Services>, given: ValidateScenario, _: CallContext) -> Reply {
    let validation = services.runs.validate(&given.scenario);
    let status = if validation.issues.is_empty() { "ok" } else { "error" };
    let mut report = json!({
        "status": status,
        "issues": validation.issues,
        "scenario_name": validation.scenario_name,
    });
    if let (Value::Object(report), false) = (&mut report, validation.warnings.is_empty()) {
        report.insert("warnings".into(), validation.warnings.into());
    }
    Reply::compat(report)
}

arguments! {
    /// Arguments of `run_scenario`.
    RunScenario {
        /// The scenario document.
        scenario: JsonObject,
        /// Overrides the document's timeout.
        timeout_ms: Option<u64>,
    }
}

async fn run_scenario(services: Arc<Services>, given: RunScenario, context: CallContext) -> Reply {
    let timeout = given.timeout_ms.map(Duration::from_millis);
    match services.runs.start(given.scenario, timeout, context.cause.clone()).await {
        Ok(started) => follow(&services, started, context).await,
        Err(refusal) => Reply::compat(timeline::refused(&refusal.validation)),
    }
}

/// Follows a run to its end; gives it up when the client or the server does.
async fn follow(services: &Services, started: StartedRun, mut context: CallContext) -> Reply {
    let StartedRun { run, after, cancel, mut finished } = started;
    let mut reader = services.journal.reader(after);
    let mut result = RunResult::new(run);
    let mut ended = false;
    loop {
        tokio::select! {
            // Events first: the timeline must be complete when the run is.
            biased;
            next = reader.next() => {
                let Ok(envelope) = next else { continue };
                result.apply(&envelope);
                if let (Some(progress), Some(message)) = (&mut context.progress, worth_telling(&envelope, run)) {
                    progress.report(message).await;
                }
                if is_end(&envelope, run) {
                    break;
                }
            }
            () = &mut finished, if !ended => {
                ended = true;
                if services.views.run(run).is_none_or(|run| run.verdict.is_none()) {
                    break;
                }
            }
            () = context.canceled.cancelled(), if !cancel.is_cancelled() => cancel.cancel(),
            () = services.closing.cancelled(), if !cancel.is_cancelled() => cancel.cancel(),
        }
    }
    if !ended {
        finished.await;
    }
    Reply::compat(result.finish(services))
}

fn is_end(envelope: &Envelope, run: RunId) -> bool {
    envelope.subject.run == Some(run) && matches!(envelope.event, Event::Run(RunEvent::Finished { .. }))
}

fn worth_telling(envelope: &Envelope, run: RunId) -> Option<String> {
    if let Event::Run(event) = &envelope.event {
        if envelope.subject.run != Some(run) {
            return None;
        }
        return Some(match event {
            RunEvent::ActionStarted { action, .. } => format!("action {action}"),
            RunEvent::ActionFailed { action, error, .. } => format!("action {action} failed: {error}"),
            RunEvent::ExpectationMet { expectation, .. } => format!("met: {expectation}"),
            RunEvent::ExpectationFailed { expectation, .. } => format!("not met: {expectation}"),
            RunEvent::Checkpoint { label } => format!("checkpoint {label}"),
            RunEvent::Log { message } => message.clone(),
            RunEvent::Finished { reason, .. } => reason.clone(),
            RunEvent::Started { .. } | RunEvent::HookFired { .. } | RunEvent::Signal { .. } => return None,
        });
    }
    let phone = envelope.subject.phone.as_ref()?;
    matches!(envelope.event, Event::Call(_)).then(|| format!("{phone} {}", envelope.event.kind()))
}
