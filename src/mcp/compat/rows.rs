//! Objects that describe phones and calls: registration, rows, call information, history.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::{
    call,
    event::{CallPhase, Direction, MediaStatistics, PhoneSpec},
    view::{CallView, PhoneView, Registration, RegistrationView},
};

/// Status shown for a request that got no response (RFC 3261 §8.1.3.1 treats it as 408).
const NOBODY_ANSWERED: u16 = 408;

/// Builds an object key by key, in the order in which readers of the text see them.
pub(in crate::mcp) fn object<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The keys that describe a registration; they are flattened into several results.
pub(in crate::mcp) fn registration(view: &RegistrationView) -> Map<String, Value> {
    let status = match (view.status, view.state) {
        (Some(status), _) => status,
        (None, Registration::Failed) => NOBODY_ANSWERED,
        (
            None,
            Registration::NeverTried | Registration::Pending | Registration::Accepted | Registration::Removed,
        ) => 0,
    };
    object([
        ("is_registered", view.registered.into()),
        ("status_code", status.into()),
        ("reason", view.reason.as_str().into()),
        ("expires", view.expires_s.unwrap_or(0).into()),
    ])
}

/// The transport as the user wrote it.
pub(in crate::mcp) fn transport(spec: &PhoneSpec) -> &str {
    match (&spec.transport_text, spec.transport) {
        (Some(text), _) => text,
        (None, transport) => transport.name(),
    }
}

/// The transport id shown for the phone; `None` while it has no socket.
pub(in crate::mcp) fn transport_id(phone: &PhoneView) -> Option<u64> {
    phone.bound.as_ref().map(|_| phone.order.saturating_sub(1))
}

/// The phone in `list_phones`.
pub(in crate::mcp) fn phone_row(phone: &PhoneView, active_calls: usize, tools: Vec<String>) -> Value {
    let spec = &phone.spec;
    let mut row = object([
        ("phone_id", phone.id.as_str().into()),
        ("domain", spec.domain.as_str().into()),
        ("username", spec.username.as_str().into()),
        ("auto_answer", spec.auto_answer.into()),
        ("transport", transport(spec).into()),
        ("local_port", spec.local_port.into()),
        ("transport_id", json!(transport_id(phone))),
        ("recording_enabled", spec.recording_enabled.into()),
        ("capture_enabled", spec.capture_enabled.into()),
    ]);
    row.extend(registration(&phone.registration));
    row.insert("active_call_count".into(), active_calls.into());
    row.insert("tools".into(), tools.into());
    Value::Object(row)
}

/// The phone in `get_phone`.
pub(in crate::mcp) fn phone_details(
    phone: &PhoneView,
    active_calls: Vec<Value>,
    tools: Vec<String>,
) -> Value {
    let spec = &phone.spec;
    let mut details = object([
        ("phone_id", phone.id.as_str().into()),
        ("domain", spec.domain.as_str().into()),
        ("username", spec.username.as_str().into()),
        ("realm", spec.realm.as_deref().unwrap_or("*").into()),
        ("srtp", spec.srtp.into()),
        ("auto_answer", spec.auto_answer.into()),
        ("transport", transport(spec).into()),
        ("local_port", spec.local_port.into()),
        ("transport_id", json!(transport_id(phone))),
        ("codecs", json!(spec.codecs)),
        ("recording_enabled", spec.recording_enabled.into()),
        ("capture_enabled", spec.capture_enabled.into()),
        ("active_calls", active_calls.into()),
        ("tools", tools.into()),
    ]);
    details.extend(registration(&phone.registration));
    Value::Object(details)
}

/// The phone in the answer of `add_phone` and `load_phones`, without `status`.
pub(in crate::mcp) fn phone_added(phone: &PhoneView, tools: usize) -> Map<String, Value> {
    let spec = &phone.spec;
    let mut added = object([
        ("phone_id", phone.id.as_str().into()),
        ("domain", spec.domain.as_str().into()),
        ("username", spec.username.as_str().into()),
        ("auto_answer", spec.auto_answer.into()),
        ("transport", transport(spec).into()),
        ("transport_id", json!(transport_id(phone))),
        ("codecs", json!(spec.codecs)),
        ("recording_enabled", spec.recording_enabled.into()),
        ("capture_enabled", spec.capture_enabled.into()),
        ("tools_registered", tools.into()),
    ]);
    added.extend(unavailable_codecs(spec));
    added.extend(registration(&phone.registration));
    added
}

/// The names in a phone's codec list that its offers leave out; `None` if there are none.
pub(in crate::mcp) fn unavailable_codecs(spec: &PhoneSpec) -> Option<(String, Value)> {
    // A phone is never given a list of which nothing is available.
    let unavailable =
        call::unavailable_codecs(spec.codecs.as_deref().unwrap_or_default()).unwrap_or_default();
    (!unavailable.is_empty()).then(|| ("codecs_unavailable".to_owned(), json!(unavailable)))
}

/// The state of a call as the compatible surface spells it.
pub(in crate::mcp) const fn state(call: &CallView) -> &'static str {
    match call.phase {
        // For an incoming call that is being refused, only the final response's ACK is missing.
        CallPhase::Incoming | CallPhase::Early
            if call.ending_at.is_some() && matches!(call.direction, Direction::Inbound) =>
        {
            "DISCONNECTED"
        }
        CallPhase::Calling => "CALLING",
        CallPhase::Incoming => "INCOMING",
        CallPhase::Early => "EARLY",
        CallPhase::Answered => "CONNECTING",
        // The compatible surface has no word for a call that is ending.
        CallPhase::Established | CallPhase::Ending => "CONFIRMED",
        CallPhase::Ended => "DISCONNECTED",
    }
}

/// Whole seconds since the call was established.
fn duration_s(call: &CallView, now: Timestamp) -> i64 {
    let until = call.end.as_ref().map_or(now, |end| end.at);
    call.established_at.map_or(0, |since| until.as_second().saturating_sub(since.as_second()).max(0))
}

/// The call in lists.
pub(in crate::mcp) fn call_row(call: &CallView, now: Timestamp) -> Value {
    json!({
        "phone_id": call.phone,
        "call_id": call.id.0,
        "state": state(call),
        "remote_uri": call.remote,
        "duration": duration_s(call, now),
        "codec": call.codec.as_deref().unwrap_or_default(),
    })
}

/// Everything about a running call; `recording` is the open segment as the user sees it.
pub(in crate::mcp) fn call_info(
    call: &CallView,
    recording: Option<String>,
    local_contact: &str,
    now: Timestamp,
) -> Map<String, Value> {
    // A call that waits for an answer has been sent 100 Trying.
    let unanswered = (call.phase == CallPhase::Incoming).then_some((100, "Trying"));
    let told = call.status.map(|status| (status, call.reason.as_deref().unwrap_or_default()));
    let (status, reason) = told.or(unanswered).unwrap_or_default();
    let mut info = object([
        ("phone_id", call.phone.as_str().into()),
        ("state", state(call).into()),
        ("state_text", state(call).into()),
        ("remote_uri", call.remote.as_str().into()),
        ("last_status", status.into()),
        ("last_status_text", reason.into()),
        ("duration", duration_s(call, now).into()),
        ("codec", call.codec.as_deref().unwrap_or_default().into()),
        ("recording_file", json!(recording)),
        ("playing_file", json!(call.playing.as_ref().map(|playing| &playing.source))),
        ("call_id", call.id.0.into()),
        ("remote_contact", in_brackets(call.remote_contact.as_deref()).into()),
        ("local_contact", local_contact.into()),
        ("held_by_local", call.held_by_local.into()),
        ("held_by_remote", call.held_by_remote.into()),
    ]);
    if call.media_local.is_some() {
        info.insert("rtp".into(), rtp(call.statistics.as_ref()));
    }
    info
}

/// Writes a Contact as an address in angle brackets.
fn in_brackets(contact: Option<&str>) -> String {
    match contact {
        None => String::new(),
        Some(text) if text.contains('<') => text.to_owned(),
        Some(text) => format!("<{text}>"),
    }
}

fn rtp(statistics: Option<&MediaStatistics>) -> Value {
    let unmeasured = MediaStatistics::default();
    let figures = statistics.unwrap_or(&unmeasured);
    json!({
        "tx_packets": figures.sent_packets,
        "tx_bytes": figures.sent_bytes,
        "rx_packets": figures.received_packets,
        "rx_bytes": figures.received_bytes,
        "rx_loss": figures.lost,
        "rx_dup": figures.duplicates,
        "rx_reorder": figures.reordered,
        "rx_discard": figures.discarded,
        "rx_jitter_usec": microseconds(figures.jitter_ms),
        "rtt_usec": figures.rtt_ms.map_or(0, microseconds),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to a range that an integer holds")]
fn microseconds(milliseconds: f64) -> i64 {
    (milliseconds * 1000.0).round().clamp(0.0, 1e12) as i64
}

/// An ended call in the history; `recording` is its last segment as the user sees it.
pub(in crate::mcp) fn history_row(call: &CallView, recording: Option<String>, zone: &TimeZone) -> Value {
    let ended = call.end.as_ref().map_or(call.started_at, |end| end.at);
    let unanswered = call.end.as_ref().filter(|end| end.status.is_none());
    let counted = unanswered.and_then(|end| Some((end.cause.counts_as()?, end.reason.as_str())));
    let told = call.status.map(|status| (status, call.reason.as_deref().unwrap_or_default()));
    let (status, reason) = counted.or(told).unwrap_or_default();
    json!({
        "phone_id": call.phone,
        "remote_uri": call.remote,
        "duration": duration_s(call, ended),
        "last_status": status,
        "last_status_text": reason,
        "codec": call.codec.as_deref().unwrap_or_default(),
        "recording_file": recording,
        "timestamp": local_time(ended, zone),
        "call_id": call.id.0,
    })
}

/// A time as local time without a zone, as histories and inboxes show it.
pub(in crate::mcp) fn local_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}
