//! The error sentences that clients of the compatible surface know.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    command::{CommandKind, Refused, Rejection},
    id::{CallId, InvalidPhoneId, PhoneId},
    view::CallView,
};

/// Why a command was refused.
pub(in crate::mcp) fn refused(what: &Refused) -> String {
    match what {
        Refused::NoPhone(phone) => phone_not_found(phone.as_str()),
        Refused::WhichPhone => "phone_id is required — multiple phones registered".to_owned(),
        Refused::NoCall(call) => call_not_found(*call),
        Refused::NoCallOf(phone) => no_active_call(phone),
        Refused::CallOfAnother { call, owner, named } => call_of_another_phone(*call, owner, named),
        Refused::NoMedia => "Call has no active audio media".to_owned(),
        Refused::TooFewToTransfer(phone) => two_calls_to_transfer(phone),
        Refused::ConferenceNotBuilt(phone) => {
            format!("[{phone}] conference is not built yet")
        }
        Refused::JustEnded => "it has just ended; list_phones shows what is there".to_owned(),
        Refused::NoConnector(_)
        | Refused::NoRun(_)
        | Refused::Runs(_)
        | Refused::RunNotStarted { .. }
        | Refused::WrongPhase { .. }
        | Refused::ChangePending
        | Refused::NoSuchStatus(_)
        | Refused::NotARefusal(_)
        | Refused::NotDigits(_)
        | Refused::DigitsNotTaken { .. }
        | Refused::SoundOvertaken
        | Refused::DigitsWaiting(_)
        | Refused::NoCodec { .. }
        | Refused::UnknownCodec { .. }
        | Refused::FileNotRead { .. }
        | Refused::FileNotPlayed { .. }
        | Refused::BadTarget { .. }
        | Refused::BadTransport { .. }
        | Refused::BadDomain { .. }
        | Refused::NoAddressOfRecord { .. }
        | Refused::NotResolved { .. }
        | Refused::SrtpNotBuilt
        | Refused::CaptureNotBuilt
        | Refused::HeaderIsOurs(_)
        | Refused::NotAHeader { .. }
        | Refused::HeadersTooLong { .. }
        | Refused::CallsOfPhone { .. }
        | Refused::Calls(_)
        | Refused::Phones(_)
        | Refused::FactsNotKept { .. }
        | Refused::NoMediaPort { .. }
        | Refused::PhoneLeaves(_)
        | Refused::PhoneNotStarted { .. }
        | Refused::ConnectorNotStarted { .. }
        | Refused::PasswordNotKept { .. }
        | Refused::NoAnswer(_)
        | Refused::ShuttingDown
        | Refused::Broke { .. } => what.to_string(),
    }
}

/// Names the tools that would have worked, and those that show what there is.
pub(in crate::mcp) fn instead(rejection: &Rejection) -> Vec<&'static str> {
    let mut tools = tools(&rejection.legal);
    if matches!(rejection.what, Refused::NoPhone(_)) {
        tools.push("list_phones");
    } else if matches!(rejection.what, Refused::NoCallOf(_)) {
        tools.push("list_calls");
    }
    tools
}

/// Names the tools of those commands that have one.
pub(in crate::mcp) fn tools(commands: &[CommandKind]) -> Vec<&'static str> {
    commands.iter().filter_map(|command| command.verb().tool.as_ref()).map(|tool| tool.name).collect()
}

/// The name is none that a phone can have.
pub(in crate::mcp) fn invalid_phone(error: &InvalidPhoneId) -> String {
    format!("phone_id '{}' invalid — must match ^[a-z0-9_]{{1,32}}$", error.given)
}

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

/// What became of a call that is over.
pub(in crate::mcp) fn story(call: &CallView, now: Timestamp) -> String {
    let Some(end) = &call.end else { return format!("call {} is being ended", call.id.0) };
    let ago = (now.as_millisecond() - end.at.as_millisecond()).max(0);
    let (by, cause) = (json!(end.by), json!(end.cause));
    let (by, cause) = (by.as_str().unwrap_or_default(), cause.as_str().unwrap_or_default());
    let status = end.status.map(|status| format!("{status} ")).unwrap_or_default();
    format!(
        "call {} of {} ended {}.{} s ago, by {by}: {cause} ({status}{})",
        call.id.0,
        call.phone,
        ago / 1000,
        ago % 1000 / 100,
        end.reason
    )
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

/// A filter names a phone that never was.
pub(in crate::mcp) fn unknown_phone_filter(given: &str, phones: &[PhoneId]) -> String {
    const MOST: usize = 20;
    let given: String = given.chars().take(40).collect();
    let known: Vec<&str> = phones.iter().take(MOST).map(PhoneId::as_str).collect();
    match known.as_slice() {
        [] => format!("phone_id '{given}' is unknown: there are no phones"),
        known => format!("phone_id '{given}' is unknown; there are: {}", known.join(", ")),
    }
}

/// No capture file exists for the phone.
pub(in crate::mcp) fn no_capture(phone: &str, call: Option<CallId>) -> String {
    let call = call.map_or_else(|| "None".to_owned(), |call| call.0.to_string());
    format!("no capture for phone='{phone}' call_id={call} (packet capture is not available yet)")
}
