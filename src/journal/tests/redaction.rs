//! What must not remain visible in a recorded message, in any spelling a peer may use.

use super::*;
use crate::event::{RawMessage, SipEvent, SipSummary, Transport};

fn text(message: &str) -> String {
    match redact(message.as_bytes()) {
        RawMessage::Text(text) => text,
        RawMessage::Base64(text) => panic!("text became base64: {text}"),
    }
}

#[test]
fn a_digest_response_becomes_stars_and_nothing_else_changes() {
    let given = "REGISTER sip:x SIP/2.0\r\nAuthorization: Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", \
                 response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(text(given), given.replace("0123456789abcdef0123456789abcdef", "***"));
}

#[test]
fn awkward_spellings_of_a_response_become_stars() {
    for secret_line in [
        "aUTHORIZATION : digest ReSpOnSe = \"SECRET\" , qop=auth",
        "Proxy-Authorization:Digest\r\n username=\"a\",\r\n\tresponse\r\n =\r\n \"SECRET\"",
        "Proxy-Authorization: Digest response=SECRET,nc=00000001",
        "Authorization: Digest username=\"a\\\"b\", response=\"SEC\\\"RET\"",
        "Authorization: Digest response=\"SECRET",
        "Authorization: response=\"SECRET\"",
        "Authorization: Digest response=\"SECRET\", response=\"SECRET\"",
        "Authentication-Info: nextnonce=\"n\", RSPAUTH=\"SECRET\"",
        "Proxy-Authentication-Info: rspauth=SECRET",
        "Authorization: Basic SECRET",
        "Authorization:\r\n Bearer SECRET",
        "Authorization: Unknown token68SECRET==, more=\"SECRET\"",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET|2^20|1:4;inline:SECRET|2^20|2:4",
        "A=CRYPTO:2 AES_256_CM_HMAC_SHA1_80 INLINE:SECRET",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline: SECRET",
        "k=base64:SECRET",
        "a=key-mgmt:mikey SECRET",
    ] {
        for end in ["\r\n", "\n", ""] {
            let given = format!("INVITE sip:x SIP/2.0\r\n{secret_line}{end}");
            let shown = text(&given);
            assert!(!shown.contains("SECRET") && !shown.contains("RET\""), "{given:?} became {shown:?}");
            assert!(shown.contains("***"), "{given:?} became {shown:?}");
        }
    }
}

#[test]
fn a_digest_inside_a_body_or_a_broken_header_becomes_stars() {
    let digest = "0123456789abcdef0123456789abcdef";
    for given in [
        format!(
            "NOTIFY sip:x SIP/2.0\n\nREGISTER sip:y SIP/2.0\nAuthorization: Digest response=\"{digest}\"\n"
        ),
        format!("XAuthorization Digest response=\"{digest}\"\r\n"),
        format!("Authorization\r\n: Digest response = {digest}\r\n"),
    ] {
        assert!(!text(&given).contains(digest), "{given:?} became {:?}", text(&given));
    }
}

#[test]
fn what_only_looks_like_a_secret_stays() {
    for harmless in [
        "SIP/2.0 200 OK\r\nX-Note: response=yes; the response is fine\r\n\r\n",
        "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"0123456789abcdef0123456789abcdef\"\r\n\r\n",
        "Authorization: Digest username=\"response\", nonce=\"a\"\r\n",
        "Authorization: Digest noresponse=\"a\"\r\n",
        "Authorization:\r\n",
        "Content-Disposition: inline\r\n",
        "",
        "\r\n\r\n",
        " ",
    ] {
        assert_eq!(text(harmless), harmless);
    }
}

#[test]
fn lifetime_and_key_index_of_a_media_key_stay() {
    let given = "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 KDR=0\r\n";
    assert_eq!(text(given), "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20|1:4 KDR=0\r\n");
}

#[test]
fn bytes_that_are_no_text_are_kept_as_base64_without_their_secrets() {
    let message = b"MESSAGE sip:x SIP/2.0\r\nAuthorization: Digest response=\"SECRET\"\r\n\r\n\xff\xfe";
    let RawMessage::Base64(encoded) = redact(message) else { panic!("not base64") };
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
    assert!(decoded.ends_with(b"response=\"***\"\r\n\r\n\xff\xfe"), "{decoded:?}");
}

#[tokio::test]
async fn the_journal_itself_redacts_what_an_appender_forgot() {
    let journal = Journal::in_memory(Wall::system());
    let message =
        RawMessage::Text("X sip:x SIP/2.0\r\nAuthorization: Digest response=\"SECRET\"\r\n\r\n".into());
    let received = SipEvent::Received {
        transport: Transport::Udp,
        local: "127.0.0.1:1".parse().unwrap(),
        remote: "127.0.0.1:2".parse().unwrap(),
        summary: SipSummary::default(),
        message,
    };
    let seq = journal.append(Subject::phone("a".parse().unwrap()), Cause::Start, received);
    let line = serde_json::to_string(&*journal.get(seq).await.unwrap()).unwrap();
    assert!(line.contains("***") && !line.contains("SECRET"), "{line}");
}

#[test]
fn no_bytes_make_redaction_fail_and_doing_it_twice_changes_nothing() {
    let seed = b"INVITE sip:x SIP/2.0\r\nAuthorization: Digest a=\"b\", response=\"c\\\"d\" , rspauth=e\r\n f\r\n\r\nk=clear:x\r\na=crypto:1 S inline:k|1\r\na=key-mgmt:mikey z\r\n";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..20_000 {
        let mut bytes = seed.to_vec();
        for _ in 0..random(6) + 1 {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = b"\"\\\r\n:;= ,\xffaR"[random(12)],
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let once = redact(&bytes);
        if let RawMessage::Text(text) = &once {
            assert_eq!(redact(text.as_bytes()), once, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
