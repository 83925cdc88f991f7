//! The answer of `analyze_capture`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{rows, words};
use crate::{
    capture::analysis::{Analysis, Call, Ending, Party, RtpStream},
    id::CallId,
};

/// Calls and other streams that are shown of a capture.
const SHOWN: usize = 20;

/// What is known of the phone whose capture it is.
pub(in crate::mcp) struct Owner {
    pub(in crate::mcp) phone: String,
    pub(in crate::mcp) call: Option<CallId>,
    /// The capture, as the user sees its path.
    pub(in crate::mcp) path: String,
    /// Our RTP port in the call.
    pub(in crate::mcp) rtp_port: Option<u16>,
    /// The codecs that the phone may use, if that is settled.
    pub(in crate::mcp) codecs: Option<Vec<String>>,
}

/// Answers that there is nothing to analyze: no `status`, every figure empty.
pub(in crate::mcp) fn none(phone: &str, call: Option<CallId>, captured: bool) -> Value {
    json!({
        "phone_id": words::short(phone),
        "call_id": call.map(|call| call.0),
        "path": null,
        "error": words::no_capture(phone, call, captured),
        "total_packets": 0,
        "rtp_flows": [],
        "rtcp_flows": [],
        "phone_rtp_port": null,
        "phone_rtp_codecs_seen": null,
        "non_phone_codecs_on_phone_port": null,
    })
}

/// Answers with what is in a capture.
pub(in crate::mcp) fn told(owner: &Owner, analysis: &Analysis) -> Value {
    let rtp = analysis.rtp_flows.iter().map(|flow| {
        json!({
            "src_port": flow.src_port,
            "dst_port": flow.dst_port,
            "payload_type": flow.payload_type,
            "codec": flow.codec,
            "count": flow.count,
        })
    });
    let rtcp = analysis.rtcp_flows.iter().map(|flow| {
        json!({
            "src_port": flow.src_port,
            "dst_port": flow.dst_port,
            "payload_type": flow.payload_type,
            "name": flow.name,
            "count": flow.count,
        })
    });
    let codecs = owner.rtp_port.map(|port| analysis.codecs_at(port, owner.codecs.as_deref()));
    let mut answer = rows::object([
        ("phone_id", owner.phone.as_str().into()),
        ("call_id", json!(owner.call.map(|call| call.0))),
        ("path", owner.path.as_str().into()),
        ("linktype", json!(analysis.linktype)),
        ("linktype_name", json!(analysis.linktype_name)),
        ("total_packets", analysis.total_packets.into()),
        ("rtp_flows", rtp.collect()),
        ("rtcp_flows", rtcp.collect()),
        ("phone_rtp_port", json!(owner.rtp_port)),
        ("phone_rtp_codecs_seen", json!(codecs.as_ref().map(|codecs| &codecs.seen))),
        ("non_phone_codecs_on_phone_port", json!(codecs.as_ref().map(|codecs| &codecs.unexpected))),
        ("error", json!(analysis.error.as_ref().map(ToString::to_string))),
    ]);
    answer.extend(more(analysis));
    Value::Object(answer)
}

/// Returns what the compatible rows do not say.
fn more(analysis: &Analysis) -> Map<String, Value> {
    let mut more = Map::new();
    more.insert("calls".into(), analysis.calls.iter().take(SHOWN).map(call).collect());
    if !analysis.other_streams.is_empty() {
        more.insert("other_streams".into(), streams(&analysis.other_streams));
    }
    if analysis.is_cut {
        more.insert("cut".into(), true.into());
    }
    more.extend(counts(analysis));
    let hidden = |count: usize| count.saturating_sub(SHOWN);
    let (calls, others) = (hidden(analysis.calls.len()), hidden(analysis.other_streams.len()));
    if calls > 0 || others > 0 {
        let text = format!("{calls} further calls and {others} further streams are not shown");
        more.insert("more".into(), text.into());
    }
    more
}

/// Returns what the rows and calls leave out, as far as there is any.
fn counts(analysis: &Analysis) -> Map<String, Value> {
    let (skipped, left_out) = (analysis.skipped, analysis.left_out);
    let counted = [
        ("rtp_packets_over_ipv6", analysis.ipv6_rtp_packets),
        ("rtcp_packets_over_ipv6", analysis.ipv6_rtcp_packets),
        ("packets_that_are_not_ip", skipped.not_ip),
        ("packets_of_other_protocols", skipped.other_protocols),
        ("fragments_without_the_rest", skipped.fragments),
        ("packets_cut_short", skipped.cut),
        ("rtp_packets_without_a_row", left_out.flow_packets),
        ("rtp_packets_without_a_stream", left_out.stream_packets),
        ("packets_that_may_be_no_rtp", left_out.doubtful_packets),
        ("sip_messages_without_a_call", left_out.call_messages),
        ("media_addresses_left_out", left_out.media_addresses),
    ];
    let some = counted.into_iter().filter(|(_, count)| *count > 0);
    let counts: Map<String, Value> = some.map(|(name, count)| (name.to_owned(), count.into())).collect();
    let mut more = Map::new();
    if !counts.is_empty() {
        more.insert("not_in_the_rows".into(), counts.into());
    }
    more
}

fn call(call: &Call) -> Value {
    let by = |party: Option<Party>| match party {
        Some(Party::Caller) => "hung up by the caller",
        Some(Party::Callee) => "hung up by the callee",
        None => "hung up",
    };
    let ending = match call.ending {
        Ending::Open => "not in the capture",
        Ending::HungUp(party) => by(party),
        Ending::Cancelled => "canceled",
        Ending::Refused => "refused",
    };
    json!({
        "sip_call_id": call.call_id,
        "from": call.from,
        "to": call.to,
        "invited_at": call.invited_at.and_then(wall),
        "answered_at": call.answered_at.and_then(wall),
        "ended_at": call.ended_at.and_then(wall),
        "final_status": call.final_status,
        "end": ending,
        "messages": call.messages,
        "streams": streams(&call.streams),
        "streams_not_shown": call.streams.len().saturating_sub(SHOWN),
    })
}

fn streams(streams: &[RtpStream]) -> Value {
    let stream = |stream: &RtpStream| {
        let codecs: Vec<&str> = stream.codecs.iter().map(|codec| codec.name.as_str()).collect();
        json!({
            "from": stream.from.to_string(),
            "to": stream.to.to_string(),
            "ssrc": stream.ssrc,
            "codecs": codecs,
            "packets": stream.packets,
            "lost": stream.lost,
            "duplicates": stream.duplicates,
            "reordered": stream.reordered,
            "stray": stream.stray,
            "restarts": stream.restarts,
            "first_at": stream.first_at.and_then(wall),
            "last_at": stream.last_at.and_then(wall),
            "longest_gap_ms": stream.longest_gap.map(|gap| gap.as_secs_f64() * 1000.0),
        })
    };
    streams.iter().take(SHOWN).map(stream).collect()
}

fn wall(since_epoch: Duration) -> Option<String> {
    let since = SignedDuration::try_from(since_epoch).ok()?;
    Timestamp::from_duration(since).ok().map(|at| at.to_string())
}
