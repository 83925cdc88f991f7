//! Native tools that show one call in full and the server itself.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    event::Direction,
    id::CallId,
    mcp::{
        arguments::arguments,
        catalog::{Hints, Label, ToolDefinition, native},
        compat::{rows, words},
        context::CallContext,
        result::Reply,
        services::Services,
    },
    view::{CallView, Conference, LinkState, LinkView},
};

use super::subject::no_call;

pub(super) fn tools() -> Vec<ToolDefinition> {
    let label = |name, title, about| Label { name, title, about, hints: Hints::Reads };
    vec![
        native(
            label(
                "call_snapshot",
                "Call snapshot",
                "Show everything about one call, running or ended: state, how it ended and why, hold, codec, RTP quality (loss, jitter, MOS), digits, recordings, conference, transfer, and which actions are possible now.",
            ),
            json!({ "type": "object", "properties": { "call_id": { "type": "integer" }, "phone_id": { "type": "string" }, "state": { "type": "string" }, "actions": { "type": "array", "items": { "type": "string" } } }, "required": ["call_id", "phone_id", "state", "actions"] }),
            call_snapshot,
        ),
        native(
            label(
                "server_status",
                "Server status",
                "Show the server: version, phones, registrations, calls, journal position and health.",
            ),
            json!({ "type": "object", "properties": { "version": { "type": "string" }, "phones": { "type": "integer" }, "registered": { "type": "integer" }, "active_calls": { "type": "integer" }, "seq": { "type": "integer" }, "journal_failure": { "type": "string" } }, "required": ["version", "phones", "registered", "active_calls", "seq"] }),
            server_status,
        ),
    ]
}

arguments! {
    /// Arguments of `call_snapshot`.
    CallSnapshot {
        /// Which call.
        call_id: CallId,
    }
}

async fn call_snapshot(services: Arc<Services>, given: CallSnapshot, _: CallContext) -> Reply {
    let Some(call) = services.views.call(given.call_id) else {
        return Reply::refused(no_call(given.call_id, &services));
    };
    let structured = snapshot(&call, &services);
    Reply::native(told(&call, &services), structured)
}

fn snapshot(call: &CallView, services: &Services) -> Value {
    let end = call.end.as_ref().map(|end| {
        json!({ "by": end.by, "cause": end.cause, "status": end.status, "reason": end.reason, "at": end.at })
    });
    let transfer = call.transfer.as_ref().map(|transfer| {
        let (status, reason) = (transfer.status, &transfer.reason);
        // Refused is the REFER itself; otherwise the status is that of the call to the target.
        json!({ "by": transfer.by, "to": transfer.to, "status": status, "reason": reason, "refused": transfer.refused })
    });
    let numbers = |calls: &[CallId]| calls.iter().map(|call| call.0).collect::<Vec<_>>();
    let conference = call.conference.as_ref().map(|conference| {
        let Conference { members, hears, heard_by } = conference;
        json!({ "members": numbers(members), "hears": numbers(hears), "heard_by": numbers(heard_by) })
    });
    let recordings: Vec<&str> = call.recordings.iter().map(|recording| recording.path.as_str()).collect();
    json!({
        "call_id": call.id.0,
        "phone_id": call.phone,
        "direction": call.direction,
        "state": rows::state(call),
        "remote": call.remote,
        "local": call.local,
        "sip_call_id": call.sip_call_id,
        "status": call.status,
        "reason": call.reason,
        "codec": call.codec,
        "media_direction": call.media_direction,
        "media_local": call.media_local,
        "media_remote": call.media_remote,
        "held_by_local": call.held_by_local,
        "held_by_remote": call.held_by_remote,
        "started_at": call.started_at,
        "ringing_at": call.ringing_at,
        "answered_at": call.answered_at,
        "established_at": call.established_at,
        "end": end,
        "statistics": call.statistics,
        "digits_received": call.digits_received,
        "digits_sent": call.digits_sent,
        "recordings": recordings,
        "playing": call.playing.as_ref().map(|playing| &playing.source),
        "conference": conference,
        "transfer": transfer,
        "first_seq": call.first,
        "seq": services.journal.head(),
        "actions": actions(call),
    })
}

/// The tools that make sense in the call's state.
fn actions(call: &CallView) -> Vec<&'static str> {
    if call.is_active() { words::tools(&call.legal()) } else { vec!["get_call_messages", "query_events"] }
}

fn told(call: &CallView, services: &Services) -> String {
    let arrow = match call.direction {
        Direction::Inbound => "from",
        Direction::Outbound => "to",
    };
    let mut lines =
        vec![format!("call {} on {}: {} {arrow} {}", call.id.0, call.phone, rows::state(call), call.remote)];
    if let Some(status) = call.status {
        lines.push(format!("last status {status} {}", call.reason.as_deref().unwrap_or_default()));
    }
    if let Some(end) = &call.end {
        let by = json!(end.by);
        let cause = json!(end.cause);
        let (by, cause) = (by.as_str().unwrap_or_default(), cause.as_str().unwrap_or_default());
        lines.push(format!("ended by {by}: {cause} ({}) after {} ms", end.reason, end.duration_ms));
    }
    if let Some(codec) = &call.codec {
        let direction = json!(call.media_direction);
        let remote = call.media_remote.as_deref().unwrap_or("nobody yet");
        lines.push(format!("media {codec} {} with {remote}", direction.as_str().unwrap_or_default()));
    }
    if let Some(figures) = &call.statistics {
        let mos = figures.mos.map_or_else(|| "unknown".to_owned(), |mos| format!("{mos:.2}"));
        // Perfect network figures do not mean that there is any sound.
        let heard = match figures.level_dbfs {
            None => "no audio".to_owned(),
            Some(level) if level < -60.0 => format!("silence ({level:.0} dBFS)"),
            Some(level) => format!("sound at {level:.1} dBFS"),
        };
        lines.push(format!(
            "rtp sent {} received {} lost {} jitter {:.1} ms mos {mos}, heard {heard}",
            figures.sent_packets, figures.received_packets, figures.lost, figures.jitter_ms
        ));
    }
    if call.held_by_local || call.held_by_remote {
        lines.push(format!(
            "on hold: by us {}, by the other side {}",
            call.held_by_local, call.held_by_remote
        ));
    }
    if !(call.digits_received.is_empty() && call.digits_sent.is_empty()) {
        lines.push(format!("digits received '{}' sent '{}'", call.digits_received, call.digits_sent));
    }
    lines.extend(call.recordings.iter().map(|recording| format!("recording {}", recording.path)));
    lines.push(format!("possible now: {} (seq {})", actions(call).join(", "), services.journal.head()));
    lines.join("\n")
}

arguments! {
    /// No arguments.
    Nothing {}
}

async fn server_status(services: Arc<Services>, _: Nothing, _: CallContext) -> Reply {
    let phones = services.views.phones().len();
    let registered = services.registered_phones().len();
    let calls = services.views.all_active_calls().len();
    let head = services.journal.head();
    let version = env!("CARGO_PKG_VERSION");
    let mut status = json!({
        "version": version,
        "phones": phones,
        "registered": registered,
        "active_calls": calls,
        "seq": head,
    });
    let mut text = format!(
        "offhook {version}: {phones} phones, {registered} registered, {calls} active calls, journal at {head}"
    );
    let links = services.views.links();
    for link in &links {
        text.push_str(&format!("; {}", in_words(link)));
    }
    if let (false, Value::Object(fields)) = (links.is_empty(), &mut status) {
        fields.insert("links".into(), json!(links));
    }
    if let (Some(failure), Value::Object(fields)) = (services.journal.health().failure, &mut status) {
        text.push_str(&format!("; journal disk: {failure}"));
        fields.insert("journal_failure".into(), failure.into());
    }
    Reply::native(text, status)
}

fn in_words(link: &LinkView) -> String {
    let LinkView { name, system, address, state, .. } = link;
    let address = address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
    match state {
        LinkState::Up => format!("{name} ({system}{address}) is up"),
        LinkState::Down(reason) => format!("{name} ({system}{address}) is down: {reason}"),
    }
}
