//! Tools that check and run scenarios.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    command::Code,
    event::{Envelope, Event, RunEvent},
    id::RunId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, compat},
        compat::timeline,
        context::CallContext,
        result::Reply,
        runs::{Document, NotStarted, Validation},
        services::Services,
    },
    suite::Attempt,
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
        /// The scenario document, or its YAML text: mistakes then have a line and a column.
        scenario: Document,
    }
}

async fn validate_scenario(services: Arc<Services>, given: ValidateScenario, _: CallContext) -> Reply {
    let validation = services.runs.validate(given.scenario).await;
    let status = if validation.issues.is_empty() { "ok" } else { "error" };
    let mut report = json!({
        "status": status,
        "issues": validation.issues,
        "scenario_name": validation.scenario_name,
    });
    if let (Value::Object(report), false) = (&mut report, validation.warnings.is_empty()) {
        report.insert("warnings".into(), validation.warnings.clone().into());
    }
    if let (Value::Object(report), Some(more)) = (&mut report, more(&validation)) {
        report.insert("more".into(), more.into());
    }
    Reply::compat(report)
}

/// Says how many findings were left out, if any.
fn more(validation: &Validation) -> Option<String> {
    let left_out = validation.left_out;
    (left_out > 0).then(|| format!("{left_out} further findings are left out: mend these first"))
}

arguments! {
    /// Arguments of `run_scenario`.
    RunScenario {
        /// The scenario document, or its YAML text: mistakes then have a line and a column.
        scenario: Document,
        /// Overrides the document's timeout.
        timeout_ms: Option<u64>,
    }
}

async fn run_scenario(services: Arc<Services>, given: RunScenario, context: CallContext) -> Reply {
    if given.timeout_ms == Some(0) {
        let sentence = "timeout_ms is 0, so the run would be over before it began: give at least 1, or leave it out for the document's own";
        return Reply::compat_error(sentence, &[("code", Code::InvalidArgument.as_str().into())]);
    }
    let timeout = given.timeout_ms.map(Duration::from_millis);
    match services.runs.start(given.scenario, timeout, context.cause.clone()).await {
        Ok(started) => follow(&services, started, context).await,
        Err(NotStarted::Mistakes(validation)) => {
            let mut refused = timeline::refused(&validation);
            if let (Value::Object(refused), Some(more)) = (&mut refused, more(&validation)) {
                refused.insert("more".into(), more.into());
            }
            Reply::compat(refused)
        }
        Err(NotStarted::Refused(rejection)) => Reply::compat_rejection(&rejection, &[]),
    }
}

/// Follows a run to its end; cancels it if the client or the server gives up.
async fn follow(services: &Services, mut attempt: Attempt, mut context: CallContext) -> Reply {
    let mut given_up = false;
    loop {
        tokio::select! {
            next = attempt.next() => {
                let Some(envelope) = next else { break };
                if let (Some(progress), Some(message)) = (&mut context.progress, worth_telling(&envelope, attempt.run())) {
                    progress.report(message).await;
                }
            }
            () = context.canceled.cancelled(), if !given_up => {
                given_up = true;
                attempt.cancel("canceled by the client");
            }
            () = services.closing.cancelled(), if !given_up => {
                given_up = true;
                attempt.cancel("canceled by the client");
            }
        }
    }
    Reply::compat(timeline::result(&attempt.finish().await, services).await)
}

fn worth_telling(envelope: &Envelope, run: RunId) -> Option<String> {
    if let Event::Run(event) = &envelope.event {
        return Some(match event {
            RunEvent::ActionStarted { action, .. } => format!("action {action}"),
            RunEvent::ActionFailed { action, error, .. } => format!("action {action} failed: {error}"),
            RunEvent::ExpectationMet { expectation, .. } => format!("met: {expectation}"),
            RunEvent::ExpectationFailed { expectation, .. } => format!("not met: {expectation}"),
            RunEvent::Checkpoint { label } => format!("checkpoint {label}"),
            RunEvent::Log { message } => message.clone(),
            RunEvent::Finished { reason, .. } => reason.clone(),
            RunEvent::Started { .. } | RunEvent::HookFired { .. } | RunEvent::CleaningUp {} => return None,
            RunEvent::ActionFinished { .. } | RunEvent::Signal { .. } => return None,
        });
    }
    let phone = envelope.subject.phone.as_ref()?.seen_by(run);
    matches!(envelope.event, Event::Call(_)).then(|| format!("{phone} {}", envelope.event.kind()))
}
