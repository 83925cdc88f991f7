//! Names of events as documents may write them, native and older, and the fields that each has.

use std::collections::{BTreeMap, BTreeSet};

use schemars::Schema;
use serde_json::Value;

use super::{
    super::{
        diagnostic::{Level, Rule, nearest},
        node::Node,
        pattern::EventPattern,
    },
    fields::Lower,
    scalar,
};
use crate::event::{CallEvent, Event, MediaEvent, PhoneEvent, RunEvent, SipEvent, SystemEvent};

/// Names of the older form that happen, with the fields of their data.
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

/// Roots that the older form's checker lets through with any suffix.
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

/// Attributes of an event outside its data, under old and native names.
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

/// Returns the known event names that a pattern fits.
fn names_of(pattern: &EventPattern) -> impl Iterator<Item = &'static str> {
    Event::kinds()
        .into_iter()
        .chain(COMPATIBLE.iter().map(|(name, _)| *name))
        .filter(move |name| pattern.matches(name))
}

/// Checks one `match` path against the fields of every event that the patterns fit.
pub(super) fn check_path(
    lower: &mut Lower,
    patterns: &[EventPattern],
    key: &str,
    at: super::super::diagnostic::Position,
) {
    if ATTRIBUTES.contains(&key)
        || patterns.iter().any(|p| p.as_str() == "*" || p.as_str().starts_with("user"))
    {
        return;
    }
    let natives = native_fields();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut matched = false;
    for name in patterns.iter().flat_map(names_of) {
        matched = true;
        if let Some((_, fields)) = COMPATIBLE.iter().find(|(compatible, _)| *compatible == name) {
            known.extend(fields.iter().map(|field| (*field).to_owned()));
        }
        known.extend(natives.get(native_of(name)).into_iter().flatten().cloned());
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

/// Returns the dotted field paths of each native event, from the schema of the event types.
fn native_fields() -> BTreeMap<String, BTreeSet<String>> {
    let schemas = [
        schemars::schema_for!(PhoneEvent),
        schemars::schema_for!(CallEvent),
        schemars::schema_for!(MediaEvent),
        schemars::schema_for!(SipEvent),
        schemars::schema_for!(RunEvent),
        schemars::schema_for!(SystemEvent),
    ];
    schemas.iter().flat_map(fields_of_schema).collect()
}

fn fields_of_schema(schema: &Schema) -> Vec<(String, BTreeSet<String>)> {
    let root = schema.as_value();
    let variants = root.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    variants
        .iter()
        .filter_map(|variant| {
            let kind = variant.pointer("/properties/kind/const")?.as_str()?;
            let mut paths = BTreeSet::new();
            collect(root, variant.pointer("/properties/data")?, "", &mut paths, 0);
            Some((kind.to_owned(), paths))
        })
        .collect()
}

/// Collects property paths, following references; the depth bound guards against recursive types.
fn collect(root: &Value, schema: &Value, prefix: &str, paths: &mut BTreeSet<String>, depth: usize) {
    if depth > 6 {
        return;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
        && let Some(target) = root.pointer(reference.trim_start_matches('#'))
    {
        collect(root, target, prefix, paths, depth + 1);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        for part in schema.get(list).and_then(Value::as_array).into_iter().flatten() {
            collect(root, part, prefix, paths, depth + 1);
        }
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        collect(root, property, &path, paths, depth + 1);
        paths.insert(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_native_event_has_its_fields_in_the_schema() {
        let fields = native_fields();
        for kind in Event::kinds() {
            assert!(fields.contains_key(kind), "{kind}");
        }
        assert!(fields["call.ended"].contains("status"));
        assert!(fields["media.statistics"].contains("statistics.mos"));
        assert!(fields["sip.sent"].contains("method"));
        assert!(fields["call.dialog"].contains("dialog.remote_tag"));
    }
}
