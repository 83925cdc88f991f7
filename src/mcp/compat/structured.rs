//! SIP messages parsed for reading: headers by name and a summary of the session description.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{log_text::Logged, sdp_summary};

/// Header names whose usual spelling is not "each word capitalized".
const SPELLINGS: &[&str] =
    &["Call-ID", "CSeq", "WWW-Authenticate", "MIME-Version", "P-Asserted-Identity", "P-Preferred-Identity"];

/// Builds the structured form of a message.
pub(in crate::mcp) fn structure(logged: &Logged<'_>, zone: &TimeZone) -> Value {
    let (head, body) = split(logged.text);
    let headers = headers_of(head);
    let header = |long: &str, compact: &str| {
        let value = headers.get(long).or_else(|| headers.get(compact))?;
        value.as_str().or_else(|| value.get(0).and_then(Value::as_str))
    };
    let is_sdp =
        header("Content-Type", "C").is_some_and(|kind| kind.to_ascii_lowercase().contains("application/sdp"));
    let mut message = Map::new();
    message.insert("ts".into(), logged.time_of_day(zone).into());
    message.insert("direction".into(), logged.direction().into());
    message.insert("method".into(), json!(logged.summary.method));
    message.insert("cseq".into(), json!(logged.summary.cseq));
    let sip_call_id = logged.summary.sip_call_id.as_deref().or_else(|| header("Call-ID", "I"));
    message.insert("call_id".into(), json!(sip_call_id));
    message.insert("from".into(), json!(header("From", "F").and_then(bare_uri)));
    message.insert("to".into(), json!(header("To", "T").and_then(bare_uri)));
    message.insert("sdp".into(), if is_sdp { sdp_summary::summarize(body) } else { Value::Null });
    if let Some(status) = logged.summary.status {
        message.insert("status_code".into(), status.into());
    }
    message.insert("headers".into(), Value::Object(headers));
    Value::Object(message)
}

/// Splits a message at its empty line.
fn split(text: &str) -> (&str, &str) {
    text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")).unwrap_or((text, ""))
}

fn headers_of(head: &str) -> Map<String, Value> {
    let mut headers = Map::new();
    let mut last: Option<String> = None;
    for line in head.lines().skip(1) {
        if line.starts_with([' ', '\t']) {
            // RFC 3261 §7.3.1: a line that begins with white space continues the one above.
            if let Some(value) = last.as_ref().and_then(|name| headers.get_mut(name)) {
                extend_last(value, line.trim());
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = canonical(name.trim());
        match headers.get_mut(&name) {
            None => {
                headers.insert(name.clone(), value.trim().into());
            }
            Some(Value::Array(values)) => values.push(value.trim().into()),
            Some(first) => *first = json!([first.take(), value.trim()]),
        }
        last = Some(name);
    }
    headers
}

fn extend_last(value: &mut Value, more: &str) {
    match value {
        Value::Array(values) => {
            if let Some(value) = values.last_mut() {
                extend_last(value, more);
            }
        }
        Value::String(text) => {
            text.push(' ');
            text.push_str(more);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

fn canonical(name: &str) -> String {
    if let Some(spelling) = SPELLINGS.iter().find(|spelling| spelling.eq_ignore_ascii_case(name)) {
        return (*spelling).to_owned();
    }
    let word = |word: &str| {
        let lower = word.to_ascii_lowercase();
        let mut letters = lower.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Extracts the URI from a From or To header, without parameters.
pub(in crate::mcp) fn bare_uri(header: &str) -> Option<String> {
    let uri = match header.split_once('<') {
        Some((_, rest)) => rest.split('>').next()?,
        None => header,
    };
    let bare = uri.split([';', '?']).next()?.trim();
    (!bare.is_empty()).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Cause, Envelope, RawMessage, SipEvent, SipSummary, Subject, Transport},
        id::Seq,
    };

    fn invite() -> Envelope {
        let message = "INVITE sip:600@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5061\r\n\
                       via: SIP/2.0/UDP 127.0.0.1:5062\r\nf: \"A;b\" <sip:a@127.0.0.1:5060;user=phone>;tag=1\r\n\
                       To: sip:600@127.0.0.1;x=y\r\ncall-id: abc\r\nCSEQ: 1 INVITE\r\nsubject: one\r\n two\r\nbroken\r\n\
                       content-type: application/SDP\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 0\r\n";
        Envelope {
            seq: Seq(9),
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            subject: Subject::phone("a".parse().unwrap()),
            cause: Cause::Start,
            event: SipEvent::Sent {
                transport: Transport::Udp,
                local: "127.0.0.1:5061".parse().unwrap(),
                remote: "127.0.0.1:5060".parse().unwrap(),
                summary: SipSummary {
                    method: Some("INVITE".into()),
                    cseq: Some(1),
                    sip_call_id: Some("abc".into()),
                    ..SipSummary::default()
                },
                retransmission: false,
                message: RawMessage::Text(message.into()),
            }
            .into(),
        }
    }

    #[test]
    fn a_message_is_taken_apart() {
        let envelope = invite();
        let message = structure(&Logged::of(&envelope).unwrap(), &TimeZone::UTC);
        assert_eq!(message["ts"], "03:04:05.678");
        assert_eq!(message["direction"], "TX");
        assert_eq!(message["from"], "sip:a@127.0.0.1:5060");
        assert_eq!(message["to"], "sip:600@127.0.0.1");
        assert_eq!(message["call_id"], "abc");
        let headers = &message["headers"];
        assert!(headers["F"].is_string() && headers.get("From").is_none(), "compact names are not expanded");
        assert_eq!(headers["Via"].as_array().unwrap().len(), 2);
        assert_eq!(headers["CSeq"], "1 INVITE");
        assert_eq!(headers["Subject"], "one two");
        assert_eq!(message["sdp"]["media"][0]["port"], 4000);
        assert!(message.get("status_code").is_none(), "requests have no status");
    }

    #[test]
    fn a_log_entry_begins_with_the_envelope_line_and_keeps_the_bytes() {
        let envelope = invite();
        let text = Logged::of(&envelope).unwrap().message(&TimeZone::UTC);
        let (first, rest) = text.split_once('\n').unwrap();
        insta::assert_snapshot!(first, @"03:04:05.678              offhook  .TX 297 bytes Request msg INVITE/cseq=1 (seq9) to UDP 127.0.0.1:5060:");
        assert!(rest.starts_with("INVITE sip:600@127.0.0.1 SIP/2.0\r\n"));
        assert!(rest.ends_with("\r\n\n--end msg--"));
    }

    #[test]
    fn a_bare_uri_has_no_parameters() {
        for (header, expected) in [
            ("\"x\" <sip:a@h:5070;transport=tcp>;tag=1", Some("sip:a@h:5070")),
            ("sip:b@h;tag=2", Some("sip:b@h")),
            ("", None),
        ] {
            assert_eq!(bare_uri(header).as_deref(), expected, "{header}");
        }
    }
}
