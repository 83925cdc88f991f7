//! Old forms of events, so that every journal ever written can be read.
//!
//! Renaming a kind or field takes one entry here and one line in `tests/data/journals/`. Fields
//! that are only added need none: they get a serde default instead.

use serde_json::Value;

use super::TimerReason;

/// One change of the wire format.
pub(super) struct Upcast {
    /// The kind as it was written.
    pub(super) from: &'static str,
    /// The kind as it is now.
    pub(super) to: &'static str,
    /// Converts the data from the old form to the present one.
    pub(super) data: fn(Value) -> Value,
}

/// Every change so far, oldest first.
const UPCASTS: &[Upcast] = &[
    // What links messages to transactions and dialogs used to be read from the messages themselves.
    Upcast { from: "sip.sent", to: "sip.sent", data: with_joins },
    Upcast { from: "sip.received", to: "sip.received", data: with_joins },
];

/// Extracts branch and tags from a message that was recorded without them.
fn with_joins(mut data: Value) -> Value {
    let Some(fields) = data.as_object_mut().filter(|fields| !fields.contains_key("branch")) else {
        return data;
    };
    let text = fields.get("message").and_then(|message| message.get("text")).and_then(Value::as_str);
    let read = |long, short, name| text.and_then(|text| parameter(header(text, long, short)?, name));
    let joins = [
        ("branch", read("via", "v", "branch")),
        ("from_tag", read("from", "f", "tag")),
        ("to_tag", read("to", "t", "tag")),
    ];
    let joins = joins.map(|(name, value)| (name.to_owned(), value.map(str::to_owned).into()));
    fields.extend(joins);
    data
}

/// Returns the first value of a header on a single line, as the headers needed here always have
/// been.
fn header<'a>(message: &'a str, long: &str, short: &str) -> Option<&'a str> {
    let head = message.lines().take_while(|line| !line.is_empty());
    head.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        let name = name.trim();
        (name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short)).then_some(value)
    })
}

/// Returns a parameter of the first address or Via in a value.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    // Parameters inside the brackets belong to the URI.
    let outside = value.rsplit_once('>').map_or(value, |(_, outside)| outside);
    let own = outside.split_once(',').map_or(outside, |(first, _)| first);
    own.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Returns the reason behind the words that old journals used for it.
pub(super) fn timer_reason(words: &str) -> TimerReason {
    match words {
        "nobody answered within 180 s of the last provisional response" => TimerReason::NoAnswer,
        "the registrar has not answered" => TimerReason::RegistrarSilent,
        "the phone took too long to close" => TimerReason::ClosingLimit,
        // `engine deadline`, which stood for all timers of the engine.
        _ => TimerReason::Unspecified,
    }
}

/// Converts an event from its stored form to the present one.
pub(super) fn upcast(kind: &str, data: Value) -> (String, Value) {
    through(UPCASTS, kind, data)
}

/// Returns the old kinds under which events of a wanted kind may be stored.
pub(crate) fn former_kinds(wanted: impl Fn(&str) -> bool) -> Vec<&'static str> {
    UPCASTS.iter().filter(|change| wanted(change.to)).map(|change| change.from).collect()
}

fn through(changes: &[Upcast], kind: &str, data: Value) -> (String, Value) {
    changes.iter().fold((kind.to_owned(), data), |(kind, data), change| {
        if kind == change.from { (change.to.to_owned(), (change.data)(data)) } else { (kind, data) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Cause;

    #[test]
    fn the_words_of_old_timers_are_understood() {
        let read = |words: &str| {
            let cause = json!({ "timer": { "reason": words } });
            let Ok(Cause::Timer { reason }) = serde_json::from_value(cause) else { panic!("{words}") };
            reason
        };
        assert_eq!(read("engine deadline"), TimerReason::Unspecified);
        assert_eq!(read("the phone took too long to close"), TimerReason::ClosingLimit);
        assert_eq!(read("the registrar has not answered"), TimerReason::RegistrarSilent);
        let no_answer = "nobody answered within 180 s of the last provisional response";
        assert_eq!(read(no_answer), TimerReason::NoAnswer);
        assert_eq!(read("timer_b"), TimerReason::TimerB);
    }

    #[test]
    fn a_message_of_an_old_journal_gets_its_branch_and_tags() {
        let old =
            |text: &str| upcast("sip.received", json!({ "method": "INVITE", "message": { "text": text } })).1;
        let first = "INVITE sip:a@192.0.2.1 SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKnew, SIP/2.0/UDP x;branch=old\r\n\
                     From: \"B;tag=no\" <sip:b@192.0.2.9;tag=no>;x=y;TAG=f1\r\nTo: sip:a@192.0.2.1\r\n\r\nTo: x;tag=body";
        let now = old(first);
        assert_eq!(
            (&now["branch"], &now["from_tag"], &now["to_tag"]),
            (&json!("z9hG4bKnew"), &json!("f1"), &Value::Null)
        );
        let new = json!({ "branch": null, "message": { "text": first } });
        assert_eq!(upcast("sip.sent", new.clone()).1, new, "what was recorded with them stays");
        assert_eq!(old("rubbish")["branch"], Value::Null);
    }

    #[test]
    fn changes_are_applied_one_after_the_other_and_only_to_their_kind() {
        let changes = [
            Upcast { from: "call.accepted", to: "call.answered", data: |data| data },
            Upcast {
                from: "call.answered",
                to: "call.answered",
                data: |mut data| {
                    let code = data.as_object_mut().and_then(|fields| fields.remove("code"));
                    if let (Some(code), Some(fields)) = (code, data.as_object_mut()) {
                        fields.insert("status".into(), code);
                    }
                    data
                },
            },
        ];
        let oldest = through(&changes, "call.accepted", json!({ "code": 200 }));
        assert_eq!(oldest, ("call.answered".to_owned(), json!({ "status": 200 })));
        let present = through(&changes, "call.answered", json!({ "status": 200 }));
        assert_eq!(present, ("call.answered".to_owned(), json!({ "status": 200 })));
        let other = through(&changes, "call.ended", json!({ "code": 1 }));
        assert_eq!(other, ("call.ended".to_owned(), json!({ "code": 1 })));
    }
}
