//! Describes a message in the few characters of an arrow: its method or status, and what matters of
//! its content.

use offhook_media::sdp::SessionDescription;

use crate::event::{OnWire, RawMessage};

/// Returns the words on a message's arrow.
pub(super) fn label(passed: OnWire<'_>) -> String {
    let OnWire { summary, retransmission, message, .. } = passed;
    let method = summary.method.as_deref().unwrap_or("?");
    let text = match message {
        RawMessage::Text(text) => text.as_str(),
        RawMessage::Base64(_) => "",
    };
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut label = match (summary.status, summary.reason.as_deref()) {
        // Except for INVITE, a response names its method, since it is far from its request.
        (Some(status), _) if method != "INVITE" => format!("{status} {method}"),
        (Some(status), reason) => {
            let reason = reason.unwrap_or_default();
            if reason.chars().count() <= 8 { format!("{status} {reason}") } else { status.to_string() }
        }
        (None, _) => method.to_owned(),
    };
    if retransmission {
        label.push_str(" (again)");
    }
    if summary.sdp {
        label.push_str(" sdp");
        label.extend(codecs(body).map(|codecs| format!(" {codecs}")));
    } else if method == "NOTIFY" && summary.status.is_none() {
        label.extend(fragment_status(body).map(|status| format!(" {status}")));
    }
    label.extend(reason_header(head).map(|reason| format!(" {reason}")));
    label.trim().to_owned()
}

/// Returns the first codec of a description, and how many more there are: `PCMA+2`.
fn codecs(body: &str) -> Option<String> {
    let description = SessionDescription::parse(body.as_bytes()).ok()?;
    let audio = description.media.iter().find(|media| media.kind == "audio")?;
    let name = |payload: u8| audio.rtpmap(payload).map_or_else(|| payload.to_string(), |map| map.encoding);
    let names = audio.payload_types().map(name).filter(|name| !is_no_codec(name));
    let names: Vec<String> = names.collect();
    match names.split_first()? {
        (first, []) => Some(first.clone()),
        (first, more) => Some(format!("{first}+{}", more.len())),
    }
}

fn is_no_codec(name: &str) -> bool {
    name.eq_ignore_ascii_case("telephone-event") || name.eq_ignore_ascii_case("CN")
}

/// Returns the status in a `message/sipfrag` (RFC 3515 §2.4.5).
fn fragment_status(body: &str) -> Option<&str> {
    let status = body.strip_prefix("SIP/2.0 ")?.get(..3)?;
    status.chars().all(|c| c.is_ascii_digit()).then_some(status)
}

/// Returns a short form of a Reason header (RFC 3326): `Q.850;cause=16;text="x"` becomes
/// `Q.850 16`.
fn reason_header(head: &str) -> Option<String> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("Reason").then(|| value.trim())
    })?;
    let mut parts = value.split(';').map(str::trim);
    let protocol = parts.next()?;
    let cause = parts.find_map(|part| part.strip_prefix("cause="));
    Some(cause.map_or_else(|| protocol.to_owned(), |cause| format!("{protocol} {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SipSummary;

    fn of(method: &str, status: Option<u16>, sdp: bool, text: &str) -> String {
        let summary = SipSummary { method: Some(method.into()), status, sdp, ..SipSummary::default() };
        let remote = "127.0.0.1:1".parse().unwrap();
        let message = RawMessage::Text(text.into());
        label(OnWire { sent: true, remote, summary: &summary, retransmission: false, message: &message })
    }

    #[test]
    fn an_arrow_says_codec_status_of_a_transfer_and_reason() {
        let sdp = "v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nc=IN IP4 1.1.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
        let with = |body: &str| format!("X: y\r\n\r\n{body}");
        assert_eq!(of("INVITE", None, true, &with(sdp)), "INVITE sdp PCMA+1");
        assert_eq!(of("INVITE", None, true, &with("rubbish")), "INVITE sdp");
        assert_eq!(of("NOTIFY", None, false, &with("SIP/2.0 500 Server Internal Error\r\n")), "NOTIFY 500");
        assert_eq!(of("NOTIFY", None, false, &with("Messages-Waiting: no\r\n")), "NOTIFY");
        let bye = "BYE sip:a SIP/2.0\r\nreason: Q.850;cause=16;text=\"Normal\"\r\n\r\n";
        assert_eq!(of("BYE", None, false, bye), "BYE Q.850 16");
        assert_eq!(of("CANCEL", None, false, "CANCEL x\r\nReason: SIP ;cause=200\r\n\r\n"), "CANCEL SIP 200");
        assert_eq!(of("BYE", Some(200), false, "SIP/2.0 200 OK\r\n\r\n"), "200 BYE");
    }
}
