//! Event names that documents may use, native and older, and the fields of each event.

use std::collections::BTreeSet;

use super::{
    super::{
        diagnostic::{Level, Rule, nearest},
        node::Node,
    },
    fields::Lower,
    scalar,
};
use crate::event::{Condition, Event, EventPattern, ImpossibleCondition, check_condition, fields_of};

/// Names of the older form that do occur, with the fields of their data.
pub(super) const COMPATIBLE: &[(&str, &[&str])] = &[
    ("reg.started", REGISTRATION),
    ("reg.success", REGISTRATION),
    ("reg.failed", REGISTRATION),
    ("reg.unregistered", REGISTRATION),
    ("call.state.calling", CALL_STATE),
    ("call.state.incoming", CALL_STATE),
    ("call.state.early", CALL_STATE),
    ("call.state.connecting", CALL_STATE),
    ("call.state.confirmed", CALL_STATE),
    ("call.state.disconnected", CALL_STATE),
    ("dtmf.in", &["digit", "method"]),
    ("dtmf.out", &["digits", "method"]),
    ("im.received", &["from", "to", "body", "content_type"]),
    ("scenario.started", &["name"]),
    ("scenario.stopped", &["status", "reason"]),
];
const REGISTRATION: &[&str] = &["status_code", "reason", "expires", "synthetic"];
const CALL_STATE: &[&str] = &["state", "remote_uri", "last_status", "last_status_text", "direction"];

/// Roots that the older form's checker accepts with any suffix.
const TOLERATED: &[&str] = &[
    "reg.",
    "call.state.",
    "dtmf.",
    "im.",
    "scenario.",
    "user.",
    "timer.",
    "sip.request.",
    "sip.response.",
    "media.",
];

/// Attributes of an event outside its data, under older and native names.
const ATTRIBUTES: &[&str] = &["type", "kind", "phone_id", "phone", "call_id", "call", "timestamp"];

/// Reads an event pattern and checks that something can match it.
pub(super) fn pattern(lower: &mut Lower, node: &Node) -> Option<EventPattern> {
    let text = scalar::text(lower, node)?;
    let pattern = EventPattern::new(text.trim());
    if names_of(&pattern).next().is_none() && !pattern.as_str().starts_with("user.") {
        let tolerated = lower.lenient && TOLERATED.iter().any(|root| text.starts_with(root));
        let level = if tolerated { Level::Warning } else { Level::Error };
        let natives = Event::kinds();
        let all = natives.iter().copied().chain(COMPATIBLE.iter().map(|(name, _)| *name));
        let suggestion = nearest(&text, all);
        let message = format!("unknown event type: '{text}'");
        lower.find(level, Rule::UnknownEvent, node.at, message, suggestion);
        if !tolerated {
            return None;
        }
    }
    Some(pattern)
}

/// Returns the known event names that match a pattern.
fn names_of(pattern: &EventPattern) -> impl Iterator<Item = &'static str> {
    Event::kinds()
        .into_iter()
        .chain(COMPATIBLE.iter().map(|(name, _)| *name))
        .filter(move |name| pattern.matches(name))
}

/// Checks one condition against the fields of every event that the patterns match.
pub(super) fn check_match(
    lower: &mut Lower,
    patterns: &[EventPattern],
    condition: &Condition,
    at: super::super::diagnostic::Position,
) {
    let key = condition.path.as_str();
    if ATTRIBUTES.contains(&key) || patterns.iter().any(|p| p.is_any() || p.as_str().starts_with("user")) {
        return;
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    let (mut matched, mut older) = (false, false);
    for name in patterns.iter().flat_map(names_of) {
        matched = true;
        if let Some((_, fields)) = COMPATIBLE.iter().find(|(compatible, _)| *compatible == name) {
            older = true;
            known.extend(fields.iter().map(|field| (*field).to_owned()));
        }
        known.extend(fields_of(native_of(name)).into_iter().flat_map(|fields| fields.keys().cloned()));
    }
    if matched
        && !older
        && let Err(error @ ImpossibleCondition::Type { .. }) = check_condition(patterns, condition)
    {
        lower.strict(Rule::WrongType, at, error.to_string(), None);
    }
    if !matched || known.contains(key) {
        return;
    }
    let names: Vec<_> = patterns.iter().map(EventPattern::as_str).collect();
    let fields: Vec<_> = known.iter().map(String::as_str).collect();
    let has = if fields.is_empty() { "no fields".to_owned() } else { fields.join(", ") };
    let text = format!("'{key}' is not a field of {}, which has {has}", names.join(" or "));
    let suggestion = nearest(key, fields.iter().copied());
    lower.strict(Rule::UnknownField, at, text, suggestion);
}

/// Returns the native event behind an older name; its fields can be matched too.
fn native_of(name: &str) -> &str {
    super::compat::PAIRS.iter().find(|(_, compatible)| *compatible == name).map_or(name, |(native, _)| native)
}
