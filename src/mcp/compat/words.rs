//! The error sentences that clients of the compatible surface know.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    command::{CommandKind, Refused, Rejection},
    id::{CallId, InvalidPhoneId, PhoneId},
    mcp::services::Services,
    nearest::nearest,
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
        Refused::TooFewToConfer(Some(phone)) => two_calls_to_confer(phone),
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
        | Refused::TooFewToConfer(None)
        | Refused::ConferenceFull(_)
        | Refused::NoCodec { .. }
        | Refused::UnknownCodec { .. }
        | Refused::FileNotRead { .. }
        | Refused::FileNotPlayed { .. }
        | Refused::ToneTooHigh { .. }
        | Refused::BadTarget { .. }
        | Refused::BadTransport { .. }
        | Refused::BadDomain { .. }
        | Refused::NoAddressOfRecord { .. }
        | Refused::NotResolved { .. }
        | Refused::SrtpNotBuilt
        | Refused::HeaderIsOurs(_)
        | Refused::NotAHeader { .. }
        | Refused::TooLong { .. }
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

/// Names the tools that would have worked, and those that show what exists.
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

/// No phone can have this name.
pub(in crate::mcp) fn invalid_phone(error: &InvalidPhoneId) -> String {
    format!("phone_id '{}' invalid — must match ^[a-z0-9_]{{1,32}}$", short(&error.given))
}

/// The phone is not in the roster, in the words of the static tools.
pub(in crate::mcp) fn phone_not_in_roster(phone: &str) -> String {
    format!("Phone '{}' not registered", short(phone))
}

/// The phone does not exist, in the words of the call tools.
pub(in crate::mcp) fn phone_not_found(phone: &str) -> String {
    format!("Phone '{}' not found — add_phone first", short(phone))
}

/// No such call is up.
pub(in crate::mcp) fn call_not_found(call: CallId) -> String {
    format!("Call {} not found", call.0)
}

/// How a call that is over ended.
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

/// The calls of a phone, for a caller who named none of them.
pub(in crate::mcp) fn calls_instead(phone: &PhoneId, calls: &[CallId]) -> (&'static str, Value) {
    const MOST: usize = 20;
    let known: Vec<String> = calls.iter().take(MOST).map(|call| call.0.to_string()).collect();
    let sentence = match known.as_slice() {
        [] => format!("'{phone}' has no call now: make_call places one"),
        known => format!("calls of '{phone}' now: {}", known.join(", ")),
    };
    ("hint", sentence.into())
}

/// The call belongs to another phone.
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

/// None of the phone's calls can be answered or refused.
pub(in crate::mcp) fn no_ringing_call(phone: &PhoneId) -> String {
    format!("No ringing call found for phone '{phone}'")
}

/// A conference needs several calls.
pub(in crate::mcp) fn two_calls_to_confer(phone: &PhoneId) -> String {
    format!("[{phone}] Need at least 2 calls with active audio for conference")
}

/// The call is not being recorded.
pub(in crate::mcp) const NO_RECORDING: &str = "No recording currently active for this call";

/// The file of a recording is missing.
pub(in crate::mcp) fn recording_missing(path: &str) -> String {
    format!("Recording file not found: {path}")
}

/// A filter names an unknown call: it never existed, or is no longer kept. `next` is the number of
/// the next call.
pub(in crate::mcp) fn no_call(call: CallId, next: CallId) -> String {
    match call < next {
        true => format!("call {} is no longer kept", call.0),
        false => format!("no call {} was ever made or received", call.0),
    }
}

/// A filter names a phone that never existed.
pub(in crate::mcp) fn unknown_phone_filter(given: &str, phones: &[PhoneId]) -> String {
    format!("phone_id '{}' is unknown{}", short(given), there_are(given, phones, "; "))
}

/// Warns where a filter names a phone that never was: nothing is found, and nothing ever will be.
pub(in crate::mcp) fn unknown_phone(services: &Services, given: &str) -> Option<(String, Value)> {
    let known = given.parse().is_ok_and(|phone: PhoneId| services.views.phone_ever(&phone).is_some());
    (!known).then(|| ("warning".to_owned(), unknown_phone_filter(given, &services.phone_ids()).into()))
}

/// Which phone was probably meant, and which there are.
pub(in crate::mcp) fn phones_instead(given: &str, phones: &[PhoneId]) -> (&'static str, Value) {
    ("hint", there_are(given, phones, "").into())
}

fn there_are(given: &str, phones: &[PhoneId], before: &str) -> String {
    const MOST: usize = 20;
    let known: Vec<&str> = phones.iter().take(MOST).map(PhoneId::as_str).collect();
    let more = phones.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more, see list_phones") } else { String::new() };
    let meant = nearest(given, phones.iter().map(PhoneId::as_str));
    let meant = meant.map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default();
    match known.as_slice() {
        [] if before.is_empty() => "there are no phones: add_phone first".to_owned(),
        [] => ": there are no phones".to_owned(),
        known => format!("{before}there are: {}{more}{meant}", known.join(", ")),
    }
}

/// Shortens what a caller gave: it may be anything.
pub(in crate::mcp) fn short(given: &str) -> String {
    given.chars().take(40).collect()
}

/// No capture file exists for the phone.
pub(in crate::mcp) fn no_capture(phone: &str, call: Option<CallId>, captured: bool) -> String {
    let call = call.map_or_else(|| "None".to_owned(), |call| call.0.to_string());
    let why = if captured { "the next packet begins one" } else { "capture_enabled=true starts one" };
    format!("no capture for phone='{}' call_id={call} ({why})", short(phone))
}
