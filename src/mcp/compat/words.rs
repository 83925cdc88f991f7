//! The error sentences that clients of the compatible surface know.

use crate::id::{CallId, PhoneId};

/// The phone is not in the roster, as the static tools say it.
pub(in crate::mcp) fn phone_not_in_roster(phone: &str) -> String {
    format!("Phone '{phone}' not registered")
}

/// The phone does not exist, as the call tools say it.
pub(in crate::mcp) fn phone_not_found(phone: &str) -> String {
    format!("Phone '{phone}' not found — add_phone first")
}

/// No such call is up.
pub(in crate::mcp) fn call_not_found(call: CallId) -> String {
    format!("Call {} not found", call.0)
}

/// The call is another phone's.
pub(in crate::mcp) fn call_of_another_phone(call: CallId, owner: &PhoneId, phone: &PhoneId) -> String {
    format!("call_id {} belongs to phone_id '{owner}', not '{phone}'", call.0)
}

/// The phone has no call to act on.
pub(in crate::mcp) fn no_active_call(phone: &PhoneId) -> String {
    format!("No active call found for phone '{phone}'")
}

/// A transfer needs somebody to transfer to.
pub(in crate::mcp) fn two_calls_to_transfer(phone: &PhoneId) -> String {
    format!("[{phone}] Need at least 2 active calls for attended transfer")
}

/// A conference needs several calls.
pub(in crate::mcp) fn two_calls_to_confer(phone: &PhoneId) -> String {
    format!("[{phone}] Need at least 2 calls with active audio for conference")
}

/// Nothing is being recorded on the call.
pub(in crate::mcp) const NO_RECORDING: &str = "No recording currently active for this call";

/// The file of a recording is gone.
pub(in crate::mcp) fn recording_missing(path: &str) -> String {
    format!("Recording file not found: {path}")
}

/// A log filter names a call that never was.
pub(in crate::mcp) fn unknown_call_filter(call: CallId) -> String {
    format!("call_id {} is unknown: no call with this number was made or received", call.0)
}

/// No capture file exists for the phone.
pub(in crate::mcp) fn no_capture(phone: &str, call: Option<CallId>) -> String {
    let call = call.map_or_else(|| "None".to_owned(), |call| call.0.to_string());
    format!("no capture for phone='{phone}' call_id={call} (packet capture is not available yet)")
}
