//! The result of a scenario run: a timeline of events, actions and marks, built from the journal.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    bounds::{Shown, keep_newest},
    rows,
};
use crate::{
    event::{Envelope, Event, MediaEvent, RunEvent, Verdict},
    id::{PhoneId, RunId},
    mcp::{runs::Validation, services::Services},
    scenario::dialect::{CallMemory, status, stop_reason},
    suite::Completed,
    view::{Failure, RunEnd},
};

/// How many of the newest timeline entries are shown: an agent pays for each of them.
const SHOWN: usize = 200;

/// Builds the timeline from the events of a run.
struct Timeline {
    /// What the older form of events repeats for each call.
    memory: CallMemory,
    run: RunId,
    started_ms: Option<f64>,
    entries: Vec<Value>,
    recordings: BTreeMap<String, String>,
}

/// An entry's content, before its time and owner are added.
struct Entry {
    kind: &'static str,
    name: String,
    data: Value,
    hook: Option<String>,
}

impl Entry {
    fn event(name: impl Into<String>, data: Value) -> Self {
        Self { kind: "event", name: name.into(), data, hook: None }
    }

    fn mark(name: &str, data: Value) -> Self {
        Self { kind: "meta", name: name.to_owned(), data, hook: None }
    }

    fn of_hook(self, hook: &str) -> Self {
        Self { hook: Some(hook.to_owned()), ..self }
    }
}

impl Timeline {
    fn new(run: RunId) -> Self {
        Self {
            memory: CallMemory::default(),
            run,
            started_ms: None,
            entries: Vec::new(),
            recordings: BTreeMap::new(),
        }
    }

    fn show(&mut self, envelope: &Envelope) {
        let at = milliseconds(envelope);
        let started = *self.started_ms.get_or_insert(at);
        for entry in self.entries(envelope) {
            let phone = self.phone(envelope).map(|phone| phone.to_string());
            let argument = |name: &str| (entry.kind == "action").then(|| entry.data.get(name)).flatten();
            self.entries.push(json!({
                "kind": entry.kind,
                "ts": round(at) / 1000.0,
                "ts_offset_ms": round(at - started),
                "type": entry.name,
                "phone_id": phone.map(Value::from).or_else(|| argument("phone_id").cloned()),
                "call_id": envelope.subject.call.map(|call| Value::from(call.0)).or_else(|| argument("call_id").cloned()),
                "data": entry.data,
                "hook_id": entry.hook,
                "pattern_name": (entry.kind == "action").then_some("<scenario>"),
            }));
        }
    }

    fn entries(&mut self, envelope: &Envelope) -> Vec<Entry> {
        if let Event::Run(event) = &envelope.event {
            return run_entries(event);
        }
        if let Event::Media(
            MediaEvent::RecordingStarted { path, .. } | MediaEvent::RecordingStopped { path, .. },
        ) = &envelope.event
            && let Some(phone) = self.phone(envelope)
        {
            self.recordings.insert(phone.to_string(), path.clone());
        }
        let older = self.memory.observe(envelope);
        older.map(|event| Entry::event(event.name, event.data)).into_iter().collect()
    }

    fn phone(&self, envelope: &Envelope) -> Option<PhoneId> {
        envelope.subject.phone.as_ref().map(|phone| phone.seen_by(self.run))
    }
}

fn run_entries(event: &RunEvent) -> Vec<Entry> {
    match event {
        RunEvent::Started { name, phones, .. } => {
            vec![
                Entry::mark("scenario.started", json!({ "name": name, "phones": phones })),
                Entry::event("scenario.started", json!({ "name": name })),
            ]
        }
        RunEvent::HookFired { hook, by } => {
            vec![Entry::mark("hook.fired", json!({ "hook": hook, "by": by })).of_hook(hook)]
        }
        RunEvent::ActionStarted { action, args, hook, .. } => {
            vec![Entry { kind: "action", ..Entry::mark(action, args.clone()).of_hook(hook) }]
        }
        RunEvent::ActionFailed { action, args, hook, error, .. } => {
            let data = json!({ "name": action, "args": args, "error": error });
            vec![Entry::mark("action.failed", data).of_hook(hook)]
        }
        // The older form has no word for these.
        RunEvent::ActionFinished { .. } | RunEvent::CleaningUp {} => Vec::new(),
        RunEvent::Checkpoint { label } => vec![Entry::mark("checkpoint", json!({ "label": label }))],
        RunEvent::Log { message } => vec![Entry::mark("log", json!({ "message": message }))],
        RunEvent::Signal { name, data } => vec![Entry::event(format!("user.{name}"), data.clone())],
        RunEvent::ExpectationMet { expectation, at, by } => {
            let data = json!({ "expectation": expectation, "at": at, "by": by });
            vec![Entry::mark("expectation.met", data)]
        }
        RunEvent::ExpectationFailed { expectation, at, instead, by, .. } => {
            let data = json!({ "expectation": expectation, "at": at, "instead": instead, "by": by });
            vec![Entry::mark("expectation.failed", data)]
        }
        RunEvent::Finished { verdict, reason, ending, .. } => {
            let data = json!({ "status": status(*verdict, *ending), "reason": stop_reason(*ending, reason) });
            vec![Entry::event("scenario.stopped", data.clone()), Entry::mark("scenario.stopped", data)]
        }
    }
}

/// The result of a run that is over.
pub(in crate::mcp) async fn result(completed: &Completed, services: &Services) -> Value {
    let run = &completed.run;
    let mut timeline = Timeline::new(run.id);
    for envelope in &completed.events {
        timeline.show(envelope);
    }
    let mut artifacts = Map::new();
    for name in run.phones.iter().map(ToString::to_string) {
        let recording = match timeline.recordings.get(&name) {
            Some(path) => recorded(path, services).await,
            None => Value::Null,
        };
        artifacts.insert(name, recording);
    }
    let RunEnd { verdict, reason, ending, elapsed, .. } = run.outcome();
    let Shown { list, total, left_out } = keep_newest(timeline.entries, SHOWN);
    let mut result = json!({
        "status": status(verdict, ending),
        "reason": stop_reason(ending, &reason),
        "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "timeline": list,
        "errors": run.failures.iter().map(error).collect::<Vec<_>>(),
        "artifacts": artifacts,
        "verdict": verdict,
        "verdict_reason": reason,
        "run_id": run.id,
    });
    if let (Value::Object(result), true) = (&mut result, left_out > 0) {
        result.insert("timeline_total".into(), total.into());
        let more =
            format!("{left_out} older entries are left out; query_events shows the events of a run_id");
        result.insert("more".into(), more.into());
    }
    result
}

fn error(failure: &Failure) -> Value {
    let Failure { at, list, action, expected, instead, .. } = failure;
    match action {
        Some(action) => {
            json!({ "stage": "action", "hook": list, "action": action, "at": at, "error": instead })
        }
        None => json!({ "stage": "expectation", "expectation": expected, "at": at, "error": instead }),
    }
}

async fn recorded(path: &str, services: &Services) -> Value {
    json!({
        "recording": services.shown(path),
        "recording_meta": services.shown_sidecar(path).await,
        "pcap": null,
    })
}

/// The result of a run that never started.
pub(in crate::mcp) fn refused(validation: &Validation) -> Value {
    let in_stage = |issue: &Value| {
        let mut error = rows::object([("stage", "validation".into())]);
        if let Value::Object(issue) = issue {
            error.extend(issue.clone());
        }
        Value::Object(error)
    };
    json!({
        "status": "error",
        "reason": "pre-flight validation failed",
        "elapsed_ms": 0.0,
        "timeline": [],
        "errors": validation.issues.iter().map(in_stage).collect::<Vec<_>>(),
        "artifacts": {},
        "verdict": Verdict::Error,
    })
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit a double's 53 bits")]
fn milliseconds(envelope: &Envelope) -> f64 {
    envelope.at.as_microsecond() as f64 / 1000.0
}

/// Two decimals, as readers expect in these fields.
fn round(milliseconds: f64) -> f64 {
    (milliseconds * 100.0).round() / 100.0
}
