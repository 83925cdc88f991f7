//! The answer of `analyze_capture` for a phone without a capture file.

use serde_json::{Value, json};

use super::words;
use crate::id::CallId;

/// Answers that there is nothing to analyze: no `status`, every figure empty.
pub(in crate::mcp) fn none(phone: &str, call: Option<CallId>) -> Value {
    json!({
        "phone_id": phone,
        "call_id": call.map(|call| call.0),
        "path": null,
        "error": words::no_capture(phone, call),
        "total_packets": 0,
        "rtp_flows": [],
        "rtcp_flows": [],
        "phone_rtp_port": null,
        "phone_rtp_codecs_seen": null,
        "non_phone_codecs_on_phone_port": null,
    })
}
