//! What must hold for any bytes at all: nothing panics, and writing what was read changes nothing.
//!
//! The fuzz targets in `fuzz/` run the very same functions.

use offhook_sip::framing::{Frame, FramingError, StreamFramer};
use offhook_sip::message::{
    Builder, HeaderName, Message, NameAddr, StatusCode, TransportName, Uri, Via, validate,
};

/// Names, values and body of a message, for comparison.
fn content(message: &Message) -> (Vec<(HeaderName, String)>, &[u8]) {
    let headers = message.headers().filter(|field| field.name != HeaderName::ContentLength);
    (headers.map(|field| (field.name, field.value.into_owned())).collect(), message.body())
}

/// Parses `bytes`, calls every accessor, and writes and reads it again. Returns whether it was a message.
pub(crate) fn message(bytes: &[u8]) -> bool {
    let Ok(message) = Message::parse(bytes) else { return false };
    assert_eq!(message.bytes(), bytes, "the bytes are kept");
    headers(&message);
    picked(&message);
    addresses(&message);
    let _verdict = validate(&message);
    let _body = (message.sdp(), message.parts().map(|parts| parts.len()), message.trailing().len());
    let copy = Builder::from_message(&message).build();
    assert_eq!(content(&copy), content(&message), "a copy has the same headers and body");
    let again = Builder::from_message(&copy).build();
    assert_eq!(again.bytes(), copy.bytes(), "writing is stable");
    assert_eq!(Message::parse(copy.bytes()).as_ref(), Ok(&copy), "what is written can be read");
    let response =
        message.response_to(StatusCode::OK, None).to_tag("t").copy(HeaderName::RecordRoute).build();
    assert_eq!(response.status(), Some(StatusCode::OK));
    assert_eq!(response.body(), b"");
    true
}

fn headers(message: &Message) {
    let _start = (message.method(), message.status(), message.reason(), message.version());
    let _ids = (message.call_id().is_ok(), message.cseq().is_ok(), message.contacts().is_ok());
    let _numbers = (
        message.max_forwards().is_ok(),
        message.expires().is_ok(),
        message.min_expires().is_ok(),
        message.content_length().is_ok(),
        message.min_se().is_ok(),
        message.rseq().is_ok(),
    );
    let _typed = (
        message.content_type().is_ok(),
        message.replaces().is_ok(),
        message.event().is_ok(),
        message.subscription_state().is_ok(),
        message.session_expires().is_ok(),
        message.reason_header().is_ok(),
        message.timestamp().is_ok(),
        message.rack().is_ok(),
        message.retry_after().is_ok(),
    );
    let _tokens = (
        message.supported().len(),
        message.require().len(),
        message.proxy_require().len(),
        message.unsupported().len(),
        message.allow().len(),
        message.allow_events().len(),
        message.supports("timer"),
    );
    let challenges = [
        message.challenges(HeaderName::WwwAuthenticate),
        message.challenges(HeaderName::ProxyAuthenticate),
        message.authorization(),
        message.proxy_authorization(),
    ];
    for params in challenges.into_iter().flatten().flatten().chain(message.authentication_info()) {
        let _text = (params.to_string(), params.get("nonce").map(str::len));
    }
}

/// Picking a part out of a value gives the same as reading all of it.
fn picked(message: &Message) {
    if let Ok(via) = message.top_via() {
        assert_eq!(message.branch().as_deref(), via.branch(), "branch");
    }
    if let Ok(from) = message.from() {
        assert_eq!(message.from_tag().as_deref(), from.tag(), "tag of From");
    }
    if let Ok(to) = message.to() {
        assert_eq!(message.to_tag().as_deref(), to.tag(), "tag of To");
    }
}

fn addresses(message: &Message) {
    let single = [message.from().ok(), message.to().ok(), message.refer_to().ok().flatten()];
    let lists = [
        message.routes(),
        message.record_routes(),
        message.path(),
        message.service_route(),
        message.p_asserted_identity(),
        message.diversion(),
        message.contacts().map(|contacts| contacts.list().to_vec()),
    ];
    for address in single.into_iter().flatten().chain(lists.into_iter().flatten().flatten()) {
        let _parts = (address.q(), address.expires(), address.tag().map(str::len));
        uri_value(&address.uri);
        let written = address.to_string();
        assert_eq!(written.parse::<NameAddr>().as_ref(), Ok(&address), "{written}");
    }
    for via in message.vias().unwrap_or_default() {
        let _parts = (via.branch().map(str::len), via.has_cookie(), via.received(), via.rport());
        let written = via.to_string();
        assert_eq!(written.parse::<Via>().as_ref(), Ok(&via), "{written}");
        assert_eq!(TransportName::from_text(via.transport.as_str()), via.transport);
    }
    if let Some(uri) = message.request_uri() {
        uri_value(&uri);
    }
}

/// Reads `bytes` as a URI. Returns whether it was one.
pub(crate) fn uri(bytes: &[u8]) -> bool {
    let Some(uri) = str::from_utf8(bytes).ok().and_then(|text| Uri::parse(text).ok()) else { return false };
    assert_eq!(uri.as_str().as_bytes(), bytes);
    uri_value(&uri);
    true
}

fn uri_value(uri: &Uri) {
    let _parts = (uri.user_decoded(), uri.password(), uri.host(), uri.port(), uri.opaque(), uri.transport());
    let _more = (uri.lr(), uri.maddr(), uri.ttl(), uri.method(), uri.headers(), uri.params().len());
    assert!(uri.equivalent(uri), "{uri} is not itself");
    let stripped = uri.without_headers();
    assert_eq!(Uri::parse(stripped.as_str()).as_ref(), Ok(&stripped));
    let marked = uri.with_param("x-mark", Some("1"));
    assert_eq!(marked.param("x-mark"), Some("1"), "{marked}");
    assert_eq!(Uri::parse(marked.as_str()).as_ref(), Ok(&marked));
    assert_eq!(marked.without_param("x-mark").param("x-mark"), None);
}

/// Feeds `bytes` whole and in small pieces, which must give the same frames and the same error.
pub(crate) fn framing(bytes: &[u8]) -> usize {
    let whole = frames(bytes, bytes.len().max(1));
    let step = 1 + bytes.first().map_or(0, |first| usize::from(first % 7));
    let pieces = frames(bytes, step);
    assert_eq!(whole, pieces, "cut into pieces of {step}");
    whole.0.len()
}

fn frames(bytes: &[u8], step: usize) -> (Vec<Frame>, Option<FramingError>) {
    let mut framer = StreamFramer::accepted(16 * 1024);
    let mut frames = Vec::new();
    for piece in bytes.chunks(step) {
        framer.push(piece);
        loop {
            match framer.poll_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
