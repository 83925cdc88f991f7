//! An event as hooks and expectations see it: under both names, with both forms of data.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use serde_json::{Value, json};

use super::super::{
    dialect::{CompatEvent, is_older_family, older_name},
    model::{CallRef, EventMatcher, Scope},
};
use crate::{
    event::{CallEvent, EndCause, Envelope, Event, EventPattern, MediaEvent, PhoneEvent, RunEvent, look_up},
    id::{CallId, PhoneId, Seq},
    view::describe,
};

/// The calls that steps captured, by name.
pub(super) type Captures = BTreeMap<String, CallId>;

/// One event of the journal, prepared for matching.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) envelope: Arc<Envelope>,
    /// The event's phone as the run calls it.
    pub(super) phone: Option<PhoneId>,
    compat: Option<CompatEvent>,
    older_document: bool,
    data: OnceLock<Value>,
}

/// How well an event fits a matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Another event, phone or call.
    No,
    /// The right event with the wrong data.
    Near,
    /// Everything fits.
    Full,
}

impl Seen {
    pub(super) fn new(
        envelope: Arc<Envelope>,
        phone: Option<PhoneId>,
        compat: Option<CompatEvent>,
        older_document: bool,
    ) -> Self {
        Self { envelope, phone, compat, older_document, data: OnceLock::new() }
    }

    fn is_for_any(&self) -> bool {
        !self.older_document && !matches!(self.envelope.event, Event::Run(_))
    }

    pub(super) fn seq(&self) -> Seq {
        self.envelope.seq
    }

    /// Returns whether a pattern can name events of this kind.
    pub(super) fn may_be_named(&self, pattern: &EventPattern) -> bool {
        // Signals have names of their own, which are older names.
        if matches!(self.envelope.event, Event::Run(RunEvent::Signal { .. })) {
            return true;
        }
        let kind = self.envelope.event.kind();
        pattern.matches(kind) || older_name(kind).is_some_and(|name| pattern.matches(name))
    }

    pub(super) fn fit(&self, matcher: &EventMatcher, captures: &Captures) -> Fit {
        let scope = (matcher.phone.as_ref(), matcher.call.as_ref());
        if !self.is_in(scope.0, scope.1, captures) {
            return Fit::No;
        }
        let kind = self.envelope.event.kind();
        let older = self.compat.as_ref().map(|compat| compat.name.as_str());
        let named = matcher.events.iter().any(|pattern| {
            // `*` means everything that happens, not what this run records about itself; in an
            // older document it means whatever has an older name. The same goes for a family of
            // older names there; otherwise what the native form records as two facts would match
            // twice.
            let native = pattern.matches(kind)
                && (!pattern.is_any() || self.is_for_any())
                && !(self.older_document && is_older_family(pattern));
            native || older.is_some_and(|name| pattern.matches(name))
        });
        if !named {
            return Fit::No;
        }
        let holds = matcher.conditions.iter().all(|condition| {
            let found = self.field(&condition.path);
            condition.holds(found.as_ref())
        });
        if holds { Fit::Full } else { Fit::Near }
    }

    /// Looks up a path in the older data, the native data and the event's own attributes, in this
    /// order.
    fn field(&self, path: &str) -> Option<Value> {
        let older = self.compat.as_ref().and_then(|compat| look_up(&compat.data, path));
        if let Some(value) = older.filter(|value| !value.is_null()) {
            return Some(value.clone());
        }
        let data = self.data.get_or_init(|| self.envelope.event.data());
        if let Some(value) = look_up(data, path).filter(|value| !value.is_null()) {
            return Some(value.clone());
        }
        match (path, &self.compat) {
            ("type", Some(compat)) => Some(json!(compat.name)),
            ("phone_id" | "phone", _) => self.phone.as_ref().map(|phone| json!(phone.as_str())),
            _ => self.envelope.attribute(path),
        }
    }

    pub(super) fn is_of(&self, scope: &Scope, captures: &Captures) -> bool {
        self.is_in(scope.phone.as_ref(), scope.call.as_ref(), captures)
    }

    fn is_in(&self, phone: Option<&PhoneId>, call: Option<&CallRef>, captures: &Captures) -> bool {
        let subject = &self.envelope.subject;
        let phone_fits = phone.is_none_or(|phone| self.phone.as_ref() == Some(phone));
        let call_fits = call.is_none_or(|call| {
            let id = resolve(call, captures);
            id.is_some() && subject.call == id
        });
        phone_fits && call_fits
    }

    /// Returns whether the event is worth mentioning when something else was expected.
    pub(super) fn is_telling(&self) -> bool {
        match &self.envelope.event {
            Event::Phone(_) => true,
            Event::Call(event) => {
                !matches!(event, CallEvent::Trying {} | CallEvent::Dialog { .. } | CallEvent::Ending {})
            }
            Event::Media(event) => !matches!(event, MediaEvent::Statistics { .. }),
            Event::Capture(_) | Event::Sip(_) | Event::Run(_) | Event::System(_) => false,
        }
    }

    /// Describes what happened, without its subject.
    pub(super) fn fact(&self) -> String {
        let kind = self.envelope.event.kind();
        let detail = detail(&self.envelope.event).map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!("{kind}{detail}, event {}", self.seq())
    }

    /// Describes what happened, for "what came instead".
    pub(super) fn words(&self) -> String {
        let subject = &self.envelope.subject;
        let mut words = self.envelope.event.kind().to_owned();
        if let Some(call) = subject.call {
            words.push_str(&format!(" of {call}"));
        }
        if let Some(phone) = &self.phone {
            words.push_str(&format!(" on {phone}"));
        }
        if let Some(detail) = detail(&self.envelope.event) {
            words.push_str(&format!(" ({detail})"));
        }
        format!("{words}, event {}", self.seq())
    }
}

/// Returns the important part of an event's data in a few words.
fn detail(event: &Event) -> Option<String> {
    match event {
        Event::Call(CallEvent::Ended { by, cause, status, reason, .. }) => {
            let name = serde_json::to_value(cause).ok()?;
            let by = serde_json::to_value(by).ok()?;
            let (name, by) = (name.as_str()?, by.as_str()?);
            // Without a status the cause says it all, except for a reason from the network.
            let more = match status {
                Some(status) => format!(", {status} {reason}"),
                None if *cause == EndCause::TransportFailed => format!(": {reason}"),
                None => String::new(),
            };
            Some(format!("{name} by the {by} side{more}"))
        }
        Event::Call(
            CallEvent::Ringing { status, reason, .. } | CallEvent::Answered { status, reason, .. },
        ) => Some(format!("{status} {reason}")),
        // The tag of the header tells a reader nothing.
        Event::Call(CallEvent::Incoming { remote, .. }) => {
            Some(format!("from {}", remote.split(";tag=").next().unwrap_or_default()))
        }
        Event::Phone(PhoneEvent::RegistrationFailed { status, reason, .. }) => {
            Some(status.map_or_else(|| reason.clone(), |status| format!("{status} {reason}")))
        }
        Event::Media(MediaEvent::DigitReceived { digit, .. }) => Some(format!("digit {digit}")),
        Event::Media(MediaEvent::ToneStarted { hz, .. } | MediaEvent::ToneEnded { hz, .. }) => {
            Some(format!("{hz:.0} Hz"))
        }
        Event::Phone(_)
        | Event::Call(_)
        | Event::Media(_)
        | Event::Capture(_)
        | Event::Sip(_)
        | Event::Run(_)
        | Event::System(_) => Some(describe(event)).filter(|words| !words.is_empty()),
    }
}

/// Returns the call that a reference names, if it is known.
pub(super) fn resolve(call: &CallRef, captures: &Captures) -> Option<CallId> {
    match call {
        CallRef::Id(id) => Some(*id),
        CallRef::Captured(name) => captures.get(name).copied(),
    }
}
