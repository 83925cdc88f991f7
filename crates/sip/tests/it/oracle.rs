//! rsip 0.4.0 as a second opinion: where both read a message, they must agree on what it says.
//!
//! rsip refuses or misreads many messages; those are listed with the reason, and a listed one that agrees fails.

use offhook_sip::message::{HeaderName, Message};
use rsip::message::{HasHeaders, HeadersExt};
use rsip::prelude::{ToTypedHeader, UntypedHeader};

use crate::corpus;

/// What both sides are asked for; `None` where a side cannot tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts {
    method: Option<String>,
    status: Option<u16>,
    call_id: Option<String>,
    cseq: Option<u32>,
    from_tag: Option<String>,
    to_tag: Option<String>,
    branch: Option<String>,
    max_forwards: Option<u32>,
    headers: usize,
    body: Vec<u8>,
}

fn ours(message: &Message) -> Facts {
    let tag = |address: offhook_sip::message::NameAddr| address.tag().map(str::to_owned);
    Facts {
        method: message.is_request().then(|| message.method().to_string()),
        status: message.status().map(u16::from),
        call_id: message.header(HeaderName::CallId).map(std::borrow::Cow::into_owned),
        cseq: message.cseq().ok().map(|cseq| cseq.number),
        from_tag: message.from().ok().and_then(tag),
        to_tag: message.to().ok().and_then(tag),
        branch: message.top_via().ok().and_then(|via| via.branch().map(str::to_owned)),
        max_forwards: message.max_forwards().ok().flatten().map(u32::from),
        headers: message.headers().count(),
        body: [message.body(), message.trailing()].concat(),
    }
}

fn theirs(bytes: &[u8]) -> Option<Facts> {
    let message = rsip::SipMessage::try_from(bytes).ok()?;
    let (method, status) = match &message {
        rsip::SipMessage::Request(request) => (Some(request.method.to_string()), None),
        rsip::SipMessage::Response(response) => (None, Some(response.status_code.code())),
    };
    let from = message.from_header().ok().and_then(|header| header.clone().typed().ok());
    let to = message.to_header().ok().and_then(|header| header.clone().typed().ok());
    let via = message.via_header().ok().and_then(|header| header.clone().typed().ok());
    Some(Facts {
        method,
        status,
        call_id: message.call_id_header().ok().map(|header| header.value().to_owned()),
        cseq: message.cseq_header().ok().and_then(|header| header.seq().ok()),
        from_tag: from.and_then(|from| from.tag().map(|tag| tag.value().to_owned())),
        to_tag: to.and_then(|to| to.tag().map(|tag| tag.value().to_owned())),
        branch: via.and_then(|via| via.branch().map(|branch| branch.value().to_owned())),
        max_forwards: message.max_forwards_header().ok().and_then(|header| header.num().ok()),
        headers: message.headers().iter().count(),
        body: message.body().clone(),
    })
}

/// Messages that rsip reads otherwise, each with the reason.
const DIFFERENT: [(&str, &str); 3] = [
    ("refer", "rsip does not know compact names, so Via, From, To and Call-ID are missing for it"),
    ("dblreq", "rsip does not know compact names, so Call-ID is missing for it"),
    ("baddn", "rsip takes the body to start after the first header, since it finds no empty line"),
];

/// Messages that rsip does not read at all, each with the reason.
const REFUSED: [(&str, &str); 17] = [
    ("mixed", "tel Request-URI"),
    ("linefeeds", "bare line feeds and line breaks in front"),
    ("wsinv", "folding"),
    ("intmeth", "unknown method"),
    ("esc01", "folding"),
    ("esc02", "unknown method"),
    ("longreq", "folding"),
    ("semiuri", "semicolon in the user part"),
    ("scalar02", "folding"),
    ("lwsruri", "white space in the Request-URI"),
    ("lwsstart", "more than one space in the request line"),
    ("trws", "space at the end of the request line"),
    ("escruri", "headers in the Request-URI"),
    ("badvers", "version 7.0"),
    ("mismatch02", "unknown method"),
    ("bigcode", "status of ten digits"),
    ("unkscm", "unknown scheme"),
];

#[test]
fn rsip_agrees_on_every_message_that_it_reads() {
    let mut wrong = Vec::new();
    let mut agreed = 0;
    for (name, bytes) in corpus::all() {
        let mine = ours(&Message::parse(&bytes).unwrap());
        let listed = DIFFERENT.iter().find(|(known, _)| *known == name);
        match theirs(&bytes) {
            None if REFUSED.iter().any(|(known, _)| *known == name) => {}
            None => wrong.push(format!("{name}: rsip refuses it")),
            Some(_) if REFUSED.iter().any(|(known, _)| *known == name) => {
                wrong.push(format!("{name}: rsip reads it now"));
            }
            Some(facts) => match (facts == mine, listed) {
                (true, None) => agreed += 1,
                (false, Some(_)) => {}
                (true, Some((_, reason))) => wrong.push(format!("{name}: agrees, though {reason}")),
                (false, None) => wrong.push(format!("{name}:\n ours {mine:?}\n rsip {facts:?}")),
            },
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agreed > 20, "only {agreed} messages were compared");
}
