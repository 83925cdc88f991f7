//! The result of a scenario run: a timeline of events, actions and marks, made from the journal.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::rows;
use crate::{
    event::{Ending, Envelope, Event, MediaEvent, RunEvent, Verdict},
    id::RunId,
    mcp::{runs::Validation, services::Services},
    scenario::dialect::{CallMemory, status, stop_reason},
};

/// Folds the events of a run into its result.
pub(in crate::mcp) struct RunResult {
    /// What the older form of events repeats about each call.
    memory: CallMemory,
    run: RunId,
    started_ms: Option<f64>,
    timeline: Vec<Value>,
    errors: Vec<Value>,
    phones: Vec<String>,
    recordings: BTreeMap<String, String>,
    finished: Option<Finished>,
}

/// How the run ended.
struct Finished {
    verdict: Verdict,
    reason: String,
    elapsed_ms: u64,
    ending: Option<Ending>,
}

/// What an entry is about, before its time and owner are added.
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

impl RunResult {
    /// Starts the result of a run.
    pub(in crate::mcp) fn new(run: RunId) -> Self {
        Self {
            memory: CallMemory::default(),
            run,
            started_ms: None,
            timeline: Vec::new(),
            errors: Vec::new(),
            phones: Vec::new(),
            recordings: BTreeMap::new(),
            finished: None,
        }
    }

    /// Folds one event; those of other runs are left out.
    pub(in crate::mcp) fn apply(&mut self, envelope: &Envelope) {
        if envelope.subject.run.is_some_and(|run| run != self.run) {
            return;
        }
        let at = milliseconds(envelope);
        let started = *self.started_ms.get_or_insert(at);
        for entry in self.entries(envelope) {
            let phone = envelope.subject.phone.as_ref().map(|phone| phone.as_str());
            let argument = |name: &str| (entry.kind == "action").then(|| entry.data.get(name)).flatten();
            self.timeline.push(json!({
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
            return self.run_entries(event);
        }
        if let Event::Media(MediaEvent::RecordingStarted { path } | MediaEvent::RecordingStopped { path, .. }) =
            &envelope.event
            && let Some(phone) = &envelope.subject.phone
        {
            self.recordings.insert(phone.to_string(), path.clone());
        }
        let older = self.memory.observe(envelope);
        older.map(|event| Entry::event(event.name, event.data)).into_iter().collect()
    }

    fn run_entries(&mut self, event: &RunEvent) -> Vec<Entry> {
        match event {
            RunEvent::Started { name, phones, .. } => {
                self.phones.clone_from(phones);
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
            RunEvent::ActionFailed { action, args, hook, at, error } => {
                self.errors.push(
                    json!({ "stage": "action", "hook": hook, "action": action, "at": at, "error": error }),
                );
                let data = json!({ "name": action, "args": args, "error": error });
                vec![Entry::mark("action.failed", data).of_hook(hook)]
            }
            RunEvent::Checkpoint { label } => vec![Entry::mark("checkpoint", json!({ "label": label }))],
            RunEvent::Log { message } => vec![Entry::mark("log", json!({ "message": message }))],
            RunEvent::Signal { name, data } => vec![Entry::event(format!("user.{name}"), data.clone())],
            RunEvent::ExpectationMet { expectation, at, by } => {
                vec![Entry::mark(
                    "expectation.met",
                    json!({ "expectation": expectation, "at": at, "by": by }),
                )]
            }
            RunEvent::ExpectationFailed { expectation, at, instead, by } => {
                let data = json!({ "expectation": expectation, "at": at, "instead": instead, "by": by });
                self.errors.push(
                    json!({ "stage": "expectation", "expectation": expectation, "at": at, "error": instead }),
                );
                vec![Entry::mark("expectation.failed", data)]
            }
            RunEvent::Finished { verdict, reason, elapsed_ms, ending } => {
                let (verdict, elapsed_ms, ending) = (*verdict, *elapsed_ms, *ending);
                self.finished = Some(Finished { verdict, reason: reason.clone(), elapsed_ms, ending });
                let data =
                    json!({ "status": status(verdict, ending), "reason": stop_reason(ending, reason) });
                vec![Entry::event("scenario.stopped", data.clone()), Entry::mark("scenario.stopped", data)]
            }
        }
    }

    /// Ends the folding and returns the result.
    pub(in crate::mcp) fn finish(self, services: &Services) -> Value {
        let artifacts: Map<String, Value> =
            self.phones.iter().map(|phone| (phone.clone(), self.artifact(phone, services))).collect();
        let Finished { verdict, reason, elapsed_ms, ending } = self.finished.unwrap_or(Finished {
            verdict: Verdict::Error,
            reason: "the run ended without a verdict".into(),
            elapsed_ms: 0,
            ending: None,
        });
        json!({
            "status": status(verdict, ending),
            "reason": stop_reason(ending, &reason),
            "elapsed_ms": elapsed_ms,
            "timeline": self.timeline,
            "errors": self.errors,
            "artifacts": artifacts,
            "verdict": verdict,
            "verdict_reason": reason,
            "run_id": self.run,
        })
    }

    fn artifact(&self, phone: &str, services: &Services) -> Value {
        match self.recordings.get(phone) {
            None => Value::Null,
            Some(path) => json!({
                "recording": services.shown(path),
                "recording_meta": services.shown_sidecar(path),
                "pcap": null,
            }),
        }
    }
}

/// The result of a run that never began.
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

/// Two decimals, as readers know these fields.
fn round(milliseconds: f64) -> f64 {
    (milliseconds * 100.0).round() / 100.0
}
