//! How an event looks to documents of the older form: its name and its data there.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    event::{
        CallEvent, DigitMethod, Direction, Ending, Envelope, Event, EventPattern, MediaEvent, PhoneEvent,
        RunEvent, Verdict,
    },
    id::{CallId, InvalidPhoneId},
};

/// Native kind and older name, where they correspond one to one.
pub(super) const PAIRS: &[(&str, &str)] = &[
    ("phone.registering", "reg.started"),
    ("phone.registered", "reg.success"),
    ("phone.registration_failed", "reg.failed"),
    ("phone.unregistered", "reg.unregistered"),
    ("call.placed", "call.state.calling"),
    ("call.incoming", "call.state.incoming"),
    ("call.ringing", "call.state.early"),
    ("call.answered", "call.state.connecting"),
    ("call.established", "call.state.confirmed"),
    ("call.ended", "call.state.disconnected"),
    ("dtmf.started", "dtmf.in"),
    ("dtmf.sent", "dtmf.out"),
    ("message.received", "im.received"),
    ("run.started", "scenario.started"),
    ("run.finished", "scenario.stopped"),
];

/// The error when a step of an older document names no phone although there are several.
pub const WHICH_PHONE: &str = "phone_id is required — multiple phones registered";

/// Refuses a name that no phone can have, in words known to users of either form.
pub(super) fn invalid_phone(error: &InvalidPhoneId) -> String {
    format!("phone_id '{}' invalid — must match ^[a-z0-9_]{{1,32}}$", error.given)
}

/// An event in the older form.
#[derive(Clone, Debug, PartialEq)]
pub struct CompatEvent {
    /// Its name in the older form, such as `call.state.confirmed`.
    pub name: String,
    /// Its data in the older form.
    pub data: Value,
}

/// Remembers for each call what the older form repeats in each of its events.
#[derive(Clone, Debug, Default)]
pub struct CallMemory {
    calls: HashMap<CallId, Remembered>,
}

#[derive(Clone, Debug)]
struct Remembered {
    direction: Direction,
    remote: String,
    status: u16,
    status_text: String,
}

/// Returns the older name of a native kind, where they correspond one to one.
#[must_use]
pub fn older_name(kind: &str) -> Option<&'static str> {
    PAIRS.iter().find(|(native, _)| *native == kind).map(|(_, name)| *name)
}

/// Returns whether a pattern covers a family that has older names, such as `dtmf.*`.
#[must_use]
pub fn is_older_family(pattern: &EventPattern) -> bool {
    pattern.as_str().ends_with(".*") && PAIRS.iter().any(|(_, older)| pattern.matches(older))
}

impl CallMemory {
    /// Notes an event and returns its older form, if it has one.
    pub fn observe(&mut self, envelope: &Envelope) -> Option<CompatEvent> {
        let kind = envelope.event.kind();
        let (name, data) = match &envelope.event {
            Event::Phone(event) => (older_name(kind)?.to_owned(), phone(event)?),
            Event::Call(event) => {
                let data = self.call(envelope.subject.call?, event);
                let name = older_name(kind)?;
                let state = name.rsplit('.').next().unwrap_or_default();
                (name.to_owned(), data.state(state))
            }
            Event::Media(event) => (older_name(kind)?.to_owned(), digits(event)?),
            Event::Run(RunEvent::Signal { name, data }) => (format!("user.{name}"), data.clone()),
            Event::Run(event) => (older_name(kind)?.to_owned(), run(event)?),
            Event::Capture(_) | Event::Sip(_) | Event::System(_) => return None,
        };
        Some(CompatEvent { name, data })
    }

    fn call(&mut self, id: CallId, event: &CallEvent) -> Remembered {
        let call = self.calls.entry(id).or_insert_with(|| Remembered {
            direction: Direction::Outbound,
            remote: String::new(),
            status: 0,
            status_text: String::new(),
        });
        if let CallEvent::Placed { target, .. } = event {
            call.direction = Direction::Outbound;
            call.remote.clone_from(target);
        } else if let CallEvent::Incoming { remote, .. } = event {
            call.direction = Direction::Inbound;
            call.remote.clone_from(remote);
            // The older form reports a call when the 100 is sent.
            (call.status, call.status_text) = (100, "Trying".to_owned());
        }
        let status = if let CallEvent::Ringing { status, reason, .. }
        | CallEvent::Answered { status, reason, .. }
        | CallEvent::Ended { status: Some(status), reason, .. } = event
        {
            Some((*status, reason))
        } else if let CallEvent::Ended { status: None, cause, reason, .. } = event {
            cause.counts_as().map(|status| (status, reason))
        } else {
            None
        };
        if let Some((status, reason)) = status {
            call.status = status;
            call.status_text.clone_from(reason);
        }
        let seen = call.clone();
        if matches!(event, CallEvent::Ended { .. }) {
            self.calls.remove(&id);
        }
        seen
    }
}

impl Remembered {
    fn state(&self, state: &str) -> Value {
        json!({
            "state": state,
            "remote_uri": self.remote,
            "last_status": self.status,
            "last_status_text": self.status_text,
            "direction": self.direction,
        })
    }
}

fn phone(event: &PhoneEvent) -> Option<Value> {
    let registration = |status: u16, reason: &str, expires: u64| json!({ "status_code": status, "reason": reason, "expires": expires });
    if let PhoneEvent::Registering { .. } = event {
        return Some(registration(0, "", 0));
    }
    if let PhoneEvent::Registered { status, reason, expires_s } = event {
        return Some(registration(*status, reason, *expires_s));
    }
    // RFC 3261 §8.1.3.1: no response at all counts as 408.
    if let PhoneEvent::RegistrationFailed { status, reason, .. } = event {
        return Some(registration(status.unwrap_or(408), reason, u64::from(u32::MAX)));
    }
    if let PhoneEvent::Unregistered { status } = event {
        return Some(registration(status.unwrap_or(408), "OK", 0));
    }
    if let PhoneEvent::MessageReceived { from, to, body, content_type } = event {
        return Some(json!({ "from": from, "to": to, "body": body, "content_type": content_type }));
    }
    None
}

fn digits(event: &MediaEvent) -> Option<Value> {
    // The older form reports a digit at its first packet.
    if let MediaEvent::DigitStarted { digit, method, .. } = event {
        return Some(json!({ "digit": digit, "method": way(*method) }));
    }
    if let MediaEvent::DigitsSent { digits, method, .. } = event {
        return Some(json!({ "digits": digits, "method": way(*method) }));
    }
    None
}

/// Returns the older name of a way to send digits.
const fn way(method: DigitMethod) -> &'static str {
    match method {
        DigitMethod::Rfc4733 => "rfc2833",
        DigitMethod::Inband => "inband",
        DigitMethod::Info => "info",
    }
}

fn run(event: &RunEvent) -> Option<Value> {
    if let RunEvent::Started { name, .. } = event {
        return Some(json!({ "name": name }));
    }
    if let RunEvent::Finished { verdict, reason, ending, .. } = event {
        return Some(json!({ "status": status(*verdict, *ending), "reason": stop_reason(*ending, reason) }));
    }
    None
}

/// Returns the older form's word for how a run stopped: a run that stopped as intended is `ok`,
/// whatever failed in it.
#[must_use]
pub const fn status(verdict: Verdict, ending: Option<Ending>) -> &'static str {
    match (verdict, ending) {
        (Verdict::Passed | Verdict::Flaky | Verdict::Skipped, _)
        | (_, Some(Ending::StopMatched | Ending::FullDuration)) => "ok",
        (_, Some(Ending::TimedOut)) => "timeout",
        (Verdict::Failed | Verdict::Blocked | Verdict::Error, _) => "error",
    }
}

/// Returns why a run stopped; `reason` explains its verdict.
#[must_use]
pub const fn stop_reason(ending: Option<Ending>, reason: &str) -> &str {
    match ending {
        Some(Ending::StopMatched) => "stop_on matched",
        Some(Ending::FullDuration) => "full duration (no stop_on defined)",
        Some(
            Ending::StepsDone
            | Ending::TimedOut
            | Ending::Forbidden
            | Ending::NotReady
            | Ending::Skipped
            | Ending::Canceled
            | Ending::Broken,
        )
        | None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Cause, EndCause, Party, Subject},
        id::Seq,
    };

    fn seen(memory: &mut CallMemory, event: CallEvent) -> Option<CompatEvent> {
        memory.observe(&Envelope {
            seq: Seq(1),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            subject: Subject::call("a".parse().unwrap(), CallId(0)),
            cause: Cause::Start,
            event: event.into(),
        })
    }

    #[test]
    fn a_call_event_repeats_direction_and_last_status() {
        let mut memory = CallMemory::default();
        let placed = CallEvent::Placed {
            target: "sip:600@pbx".into(),
            local: "sip:a@pbx".into(),
            sip_call_id: "x".into(),
        };
        seen(&mut memory, placed);
        seen(&mut memory, CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false });
        seen(&mut memory, CallEvent::Answered { by: Party::Remote, status: 200, reason: "OK".into() });
        let confirmed = seen(&mut memory, CallEvent::Established { contact: None }).unwrap();
        assert_eq!(confirmed.name, "call.state.confirmed");
        assert_eq!(
            confirmed.data,
            json!({
                "state": "confirmed", "remote_uri": "sip:600@pbx", "last_status": 200,
                "last_status_text": "OK", "direction": "outbound"
            })
        );
        assert_eq!(seen(&mut memory, CallEvent::Trying {}), None);
    }

    #[test]
    fn an_end_without_a_response_has_the_status_that_it_counts_as() {
        for (cause, status) in
            [(EndCause::TransportFailed, 503), (EndCause::TimedOut, 408), (EndCause::Normal, 180)]
        {
            let mut memory = CallMemory::default();
            seen(
                &mut memory,
                CallEvent::Ringing { status: 180, reason: "Ringing".into(), early_media: false },
            );
            let reason = "why".to_owned();
            let ended = CallEvent::Ended { by: Party::Local, cause, status: None, reason, duration_ms: 0 };
            let data = seen(&mut memory, ended).unwrap().data;
            let text = if status == 180 { "Ringing" } else { "why" };
            assert_eq!((&data["last_status"], &data["last_status_text"]), (&json!(status), &json!(text)));
        }
    }

    #[test]
    fn an_incoming_call_has_been_answered_with_100() {
        let mut memory = CallMemory::default();
        let incoming = CallEvent::Incoming {
            remote: "<sip:x@h>".into(),
            local: "<sip:a@h>".into(),
            sip_call_id: "x".into(),
            contact: None,
        };
        let data = seen(&mut memory, incoming).unwrap().data;
        assert_eq!((&data["last_status"], &data["last_status_text"]), (&json!(100), &json!("Trying")));
        let ended = CallEvent::Ended {
            by: Party::Remote,
            cause: EndCause::Canceled,
            status: Some(487),
            reason: "Request Terminated".into(),
            duration_ms: 0,
        };
        assert_eq!(seen(&mut memory, ended).unwrap().data["last_status"], 487);
    }

    #[test]
    fn every_pair_names_a_known_event_on_both_sides() {
        for (native, compatible) in PAIRS {
            assert!(Event::kinds().contains(native), "{native}");
            assert!(
                super::super::events::COMPATIBLE.iter().any(|(name, _)| name == compatible),
                "{compatible}"
            );
        }
    }

    #[test]
    fn digits_are_said_to_come_the_way_they_came() {
        for (method, named) in
            [(DigitMethod::Rfc4733, "rfc2833"), (DigitMethod::Info, "info"), (DigitMethod::Inband, "inband")]
        {
            let received = MediaEvent::DigitStarted { digit: '5', method, epoch: 1 };
            assert_eq!(digits(&received), Some(json!({ "digit": "5", "method": named })));
            let sent = MediaEvent::DigitsSent { digits: "12".into(), method, epoch: 1 };
            assert_eq!(digits(&sent), Some(json!({ "digits": "12", "method": named })));
        }
    }
}
