//! The result of a scenario run: a timeline of events, actions and marks, made from the journal.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::rows;
use crate::{
    event::{CallEvent, Direction, Envelope, Event, MediaEvent, PhoneEvent, RunEvent, Verdict},
    id::{CallId, RunId},
    mcp::runs::Validation,
    view::Views,
};

/// Folds the events of a run into its result.
pub(in crate::mcp) struct RunResult<'a> {
    views: &'a Views,
    run: RunId,
    started_ms: Option<f64>,
    timeline: Vec<Value>,
    errors: Vec<Value>,
    phones: Vec<String>,
    recordings: BTreeMap<String, String>,
    finished: Option<(Verdict, String, u64)>,
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

impl<'a> RunResult<'a> {
    /// Starts the result of a run.
    pub(in crate::mcp) const fn new(views: &'a Views, run: RunId) -> Self {
        Self {
            views,
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
        match &envelope.event {
            Event::Phone(event) => phone_entry(event).into_iter().collect(),
            Event::Call(event) => {
                envelope.subject.call.and_then(|call| self.call_entry(call, event)).into_iter().collect()
            }
            Event::Media(event) => self.media_entry(envelope, event).into_iter().collect(),
            Event::Run(event) => self.run_entries(event),
            Event::Sip(_) | Event::System(_) => Vec::new(),
        }
    }

    fn call_entry(&self, call: CallId, event: &CallEvent) -> Option<Entry> {
        let (state, status, text) = match event {
            CallEvent::Placed { .. } => ("calling", 0, ""),
            CallEvent::Incoming { .. } => ("incoming", 100, "Trying"),
            CallEvent::Ringing { status, reason, .. } => ("early", *status, reason.as_str()),
            CallEvent::Answered { status, reason, .. } => ("connecting", *status, reason.as_str()),
            CallEvent::Established { .. } => ("confirmed", 200, "OK"),
            CallEvent::Ended { status, reason, .. } => ("disconnected", status.unwrap_or(0), reason.as_str()),
            CallEvent::Trying {}
            | CallEvent::Dialog { .. }
            | CallEvent::Held { .. }
            | CallEvent::Resumed { .. }
            | CallEvent::Modified { .. }
            | CallEvent::Modifying { .. }
            | CallEvent::ModifyFailed { .. }
            | CallEvent::Ending {}
            | CallEvent::TransferRequested { .. }
            | CallEvent::TransferProgress { .. }
            | CallEvent::Crashed { .. } => return None,
        };
        let view = self.views.call(call);
        let direction = view.as_ref().map(|call| match call.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        });
        let data = json!({
            "state": state,
            "remote_uri": view.as_ref().map_or("", |call| &call.remote),
            "last_status": status,
            "last_status_text": text,
            "direction": direction,
        });
        Some(Entry::event(format!("call.state.{state}"), data))
    }

    fn media_entry(&mut self, envelope: &Envelope, event: &MediaEvent) -> Option<Entry> {
        if let (
            MediaEvent::RecordingStarted { path } | MediaEvent::RecordingStopped { path, .. },
            Some(phone),
        ) = (event, &envelope.subject.phone)
        {
            self.recordings.insert(phone.to_string(), path.clone());
        }
        if let MediaEvent::DigitReceived { digit, .. } = event {
            return Some(Entry::event("dtmf.in", json!({ "digit": digit, "method": "rfc2833" })));
        }
        if let MediaEvent::DigitsSent { digits, .. } = event {
            return Some(Entry::event("dtmf.out", json!({ "digits": digits, "method": "rfc2833" })));
        }
        None
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
            RunEvent::Finished { verdict, reason, elapsed_ms } => {
                self.finished = Some((*verdict, reason.clone(), *elapsed_ms));
                let data = json!({ "status": status(*verdict, reason), "reason": reason });
                vec![Entry::event("scenario.stopped", data.clone()), Entry::mark("scenario.stopped", data)]
            }
        }
    }

    /// Ends the folding and returns the result.
    pub(in crate::mcp) fn finish(self) -> Value {
        let artifacts: Map<String, Value> =
            self.phones.iter().map(|phone| (phone.clone(), self.artifact(phone))).collect();
        let (verdict, reason, elapsed_ms) =
            self.finished.unwrap_or((Verdict::Error, "the run ended without a verdict".into(), 0));
        json!({
            "status": status(verdict, &reason),
            "reason": reason,
            "elapsed_ms": elapsed_ms,
            "timeline": self.timeline,
            "errors": self.errors,
            "artifacts": artifacts,
            "verdict": verdict,
            "run_id": self.run,
        })
    }

    fn artifact(&self, phone: &str) -> Value {
        match self.recordings.get(phone) {
            None => Value::Null,
            Some(path) => json!({ "recording": path, "recording_meta": rows::sidecar(path), "pcap": null }),
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

/// The word for how a run ended: a stop condition or the full duration is `ok`, whatever the hooks did.
fn status(verdict: Verdict, reason: &str) -> &'static str {
    match verdict {
        _ if reason.starts_with("timeout after") => "timeout",
        _ if reason == "stop_on matched" || reason.starts_with("full duration") => "ok",
        Verdict::Passed | Verdict::Flaky | Verdict::Skipped => "ok",
        Verdict::Failed => "failed",
        Verdict::Blocked | Verdict::Error => "error",
    }
}

fn phone_entry(event: &PhoneEvent) -> Option<Entry> {
    let registration = |status: Option<u16>, reason: &str, expires: u64| json!({ "status_code": status.unwrap_or(0), "reason": reason, "expires": expires });
    Some(match event {
        PhoneEvent::Registered { status, reason, expires_s } => {
            Entry::event("reg.success", registration(Some(*status), reason, *expires_s))
        }
        PhoneEvent::RegistrationFailed { status, reason, .. } => {
            Entry::event("reg.failed", registration(*status, reason, 0))
        }
        PhoneEvent::Unregistered { status } => Entry::event("reg.unregistered", registration(*status, "", 0)),
        PhoneEvent::MessageReceived { from, to, body, content_type } => Entry::event(
            "im.received",
            json!({ "from": from, "to": to, "body": body, "content_type": content_type }),
        ),
        PhoneEvent::Added { .. }
        | PhoneEvent::Updated { .. }
        | PhoneEvent::Bound { .. }
        | PhoneEvent::Dropped {}
        | PhoneEvent::Registering { .. }
        | PhoneEvent::Crashed { .. }
        | PhoneEvent::Restarted { .. }
        | PhoneEvent::MessageSent { .. }
        | PhoneEvent::MessageDelivered { .. }
        | PhoneEvent::MessageFailed { .. } => return None,
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
