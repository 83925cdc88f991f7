//! Events: every fact the journal can hold, as pure data.
//!
//! Kinds are `subject.past_or_state`. Their JSON is the journal's wire format, so a rename needs an
//! entry in `upcast`.

mod call;
mod capture;
mod condition;
mod envelope;
mod fields;
mod media;
mod pattern;
mod phone;
mod run;
mod sip;
mod system;
mod timer;
mod upcast;

pub use call::{CallEvent, CallPhase, Change, DialogIdentity, Direction, EndCause, Party};
pub use capture::CaptureEvent;
pub use condition::{Comparison, Condition, Expected, NotAComparison, look_up, status_class};
pub use envelope::{Cause, Envelope, Subject, Surface};
pub use fields::{ImpossibleCondition, check as check_condition, fields_of};
pub use media::{Agreement, DigitMethod, MediaDirection, MediaEvent, MediaSocket, MediaStatistics};
pub use pattern::{EventPattern, UnknownKind};
pub use phone::{PhoneEvent, PhoneSpec, Transport};
pub use run::{Ending, RunEvent, Verdict};
pub use sip::{NameLookup, NextHop, OnWire, RawMessage, SipEvent, SipSummary};
pub use system::SystemEvent;
pub use timer::TimerReason;
pub(crate) use upcast::former_kinds;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Defines one subject's events: the enum, its wire names and the list of them.
macro_rules! events {
    (
        $(#[$enum_meta:meta])*
        $name:ident {
            $( $(#[$variant_meta:meta])* $kind:literal => $variant:ident {
                $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* $(,)?
            } ),* $(,)?
        }
    ) => {
        $(#[$enum_meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "kind", content = "data")]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $kind)] $variant { $( $(#[$field_meta])* $field: $type ),* } ),*
        }

        impl $name {
            /// Every kind of this subject, in the order of the reference.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// Returns the wire name, such as `call.answered`.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $kind ),* }
            }

            /// Returns the index of the kind among those of this subject.
            pub(crate) const fn ordinal(&self) -> usize {
                match self { $( Self::$variant { .. } => const { $crate::event::place(Self::KINDS, $kind) } ),* }
            }
        }
    };
    // Every fact has its epoch.
    (
        $(#[$enum_meta:meta])*
        $name:ident with epoch {
            $( $(#[$variant_meta:meta])* $kind:literal => $variant:ident {
                $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* $(,)?
            } ),* $(,)?
        }
    ) => {
        $crate::event::events! {
            $(#[$enum_meta])*
            $name {
                $( $(#[$variant_meta])* $kind => $variant {
                    $( $(#[$field_meta])* $field: $type, )*
                    /// Number of the offer/answer exchange that media followed; 0 before the first,
                    /// and in facts written before it was recorded.
                    #[serde(default)]
                    epoch: u32
                } ),*
            }
        }

        impl $name {
            /// Returns the number of the offer/answer exchange that media followed.
            #[must_use]
            pub const fn epoch(&self) -> u32 {
                match self { $( Self::$variant { epoch, .. } )|* => *epoch }
            }
        }
    };
}
pub(crate) use events;

/// Returns the index of a kind in a list; the length of the list if it is not there.
pub(crate) const fn place(kinds: &[&str], kind: &str) -> usize {
    let mut left = kinds;
    while let Some((first, rest)) = left.split_first() {
        if same(first.as_bytes(), kind.as_bytes()) {
            break;
        }
        left = rest;
    }
    kinds.len() - left.len()
}

const fn same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let (Some((a, rest_of_one)), Some((b, rest_of_other))) = (one.split_first(), other.split_first()) {
        if *a != *b {
            return false;
        }
        (one, other) = (rest_of_one, rest_of_other);
    }
    one.is_empty() && other.is_empty()
}

/// Any fact; one variant per subject.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Event {
    /// A phone and its registration, and messages it exchanged.
    Phone(PhoneEvent),
    /// A call.
    Call(CallEvent),
    /// The media of a call, digits included.
    Media(MediaEvent),
    /// The captures of a phone.
    Capture(CaptureEvent),
    /// A SIP message on the wire.
    Sip(SipEvent),
    /// A scenario run.
    Run(RunEvent),
    /// The process itself.
    System(SystemEvent),
}

/// A line has an event that this version does not know, or its data do not fit.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// No event has this kind.
    #[error("unknown event kind '{kind}'")]
    UnknownKind {
        /// The kind as written.
        kind: String,
    },
    /// The data do not have the fields of that kind.
    #[error("event '{kind}': {source}")]
    Data {
        /// The kind as written.
        kind: String,
        /// What does not fit.
        source: serde_json::Error,
    },
}

impl Event {
    /// Returns the wire name, such as `call.answered`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Phone(event) => event.kind(),
            Self::Call(event) => event.kind(),
            Self::Media(event) => event.kind(),
            Self::Capture(event) => event.kind(),
            Self::Sip(event) => event.kind(),
            Self::Run(event) => event.kind(),
            Self::System(event) => event.kind(),
        }
    }

    /// Returns the index of the kind in [`kinds`](Self::kinds).
    #[must_use]
    pub(crate) const fn ordinal(&self) -> usize {
        const CALL: usize = PhoneEvent::KINDS.len();
        const MEDIA: usize = CALL + CallEvent::KINDS.len();
        const CAPTURE: usize = MEDIA + MediaEvent::KINDS.len();
        const SIP: usize = CAPTURE + CaptureEvent::KINDS.len();
        const RUN: usize = SIP + SipEvent::KINDS.len();
        const SYSTEM: usize = RUN + RunEvent::KINDS.len();
        match self {
            Self::Phone(event) => event.ordinal(),
            Self::Call(event) => CALL + event.ordinal(),
            Self::Media(event) => MEDIA + event.ordinal(),
            Self::Capture(event) => CAPTURE + event.ordinal(),
            Self::Sip(event) => SIP + event.ordinal(),
            Self::Run(event) => RUN + event.ordinal(),
            Self::System(event) => SYSTEM + event.ordinal(),
        }
    }

    /// Returns the data as JSON, without the kind; this is what conditions look into.
    #[must_use]
    pub fn data(&self) -> Value {
        match serde_json::to_value(self) {
            Ok(Value::Object(mut fields)) => fields.remove("data").unwrap_or(Value::Null),
            Ok(_) | Err(_) => Value::Null,
        }
    }

    /// Returns every kind of every subject.
    #[must_use]
    pub fn kinds() -> Vec<&'static str> {
        [
            PhoneEvent::KINDS,
            CallEvent::KINDS,
            MediaEvent::KINDS,
            CaptureEvent::KINDS,
            SipEvent::KINDS,
            RunEvent::KINDS,
            SystemEvent::KINDS,
        ]
        .concat()
    }

    /// Rebuilds an event from its stored form, however old.
    ///
    /// # Errors
    /// [`EventError`] names the kind and what does not fit.
    pub fn from_parts(kind: &str, data: Value) -> Result<Self, EventError> {
        let (kind, data) = upcast::upcast(kind, data);
        let kind = kind.as_str();
        let mut fields = serde_json::Map::new();
        fields.insert("kind".to_owned(), Value::String(kind.to_owned()));
        fields.insert("data".to_owned(), data);
        let whole = Value::Object(fields);
        let named = |source| EventError::Data { kind: kind.to_owned(), source };
        let is = |kinds: &[&str]| kinds.contains(&kind);
        if is(PhoneEvent::KINDS) {
            serde_json::from_value(whole).map(Self::Phone).map_err(named)
        } else if is(CallEvent::KINDS) {
            serde_json::from_value(whole).map(Self::Call).map_err(named)
        } else if is(MediaEvent::KINDS) {
            serde_json::from_value(whole).map(Self::Media).map_err(named)
        } else if is(CaptureEvent::KINDS) {
            serde_json::from_value(whole).map(Self::Capture).map_err(named)
        } else if is(SipEvent::KINDS) {
            serde_json::from_value(whole).map(Self::Sip).map_err(named)
        } else if is(RunEvent::KINDS) {
            serde_json::from_value(whole).map(Self::Run).map_err(named)
        } else if is(SystemEvent::KINDS) {
            serde_json::from_value(whole).map(Self::System).map_err(named)
        } else {
            Err(EventError::UnknownKind { kind: kind.to_owned() })
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Parts {
            kind: String,
            #[serde(default)]
            data: Value,
        }
        let parts = Parts::deserialize(from)?;
        Self::from_parts(&parts.kind, parts.data).map_err(serde::de::Error::custom)
    }
}

macro_rules! from_subject {
    ($($subject:ident => $variant:ident),*) => {
        $(impl From<$subject> for Event {
            fn from(event: $subject) -> Self { Self::$variant(event) }
        })*
    };
}
from_subject!(PhoneEvent => Phone, CallEvent => Call, MediaEvent => Media, CaptureEvent => Capture, SipEvent => Sip, RunEvent => Run, SystemEvent => System);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CallId, Seq};

    #[test]
    fn a_phone_of_two_words_is_the_same_in_code_and_in_json() {
        let read = serde_json::json!({ "domain": "example.com", "username": "a" });
        assert_eq!(PhoneSpec::new("example.com", "a"), serde_json::from_value(read).unwrap());
    }

    #[test]
    fn an_envelope_survives_its_wire_form() {
        let envelope = Envelope {
            seq: Seq(41),
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            subject: Subject::call("a".parse().unwrap(), CallId(7)),
            cause: Cause::Sip { seq: Seq(40) },
            event: CallEvent::Answered { by: Party::Remote, status: 200, reason: "OK".into() }.into(),
        };
        let line = serde_json::to_string(&envelope).unwrap();
        insta::assert_snapshot!(line, @r#"{"seq":41,"at":"2026-01-02T03:04:05.678Z","phone":"a","call":"call-7","cause":{"sip":{"seq":40}},"kind":"call.answered","data":{"by":"remote","status":200,"reason":"OK"}}"#);
        assert_eq!(serde_json::from_str::<Envelope>(&line).unwrap(), envelope);
    }

    #[test]
    fn an_unknown_kind_and_a_wrong_field_are_named() {
        let unknown = Event::from_parts("call.banana", Value::Null).unwrap_err();
        assert_eq!(unknown.to_string(), "unknown event kind 'call.banana'");
        let wrong = Event::from_parts("call.answered", serde_json::json!({ "by": "remote" })).unwrap_err();
        assert!(wrong.to_string().contains("missing field `status`"), "{wrong}");
    }

    #[test]
    fn kinds_are_unique_and_start_with_a_subject() {
        let kinds = Event::kinds();
        let unique: std::collections::BTreeSet<_> = kinds.iter().collect();
        assert_eq!(unique.len(), kinds.len());
        assert!(kinds.iter().all(|kind| kind.contains('.')));
    }
}
