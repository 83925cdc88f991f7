//! Typed headers: tables of what they read and write, and what they refuse.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use offhook_sip::message::{
    AuthParams, Builder, CSeq, Contacts, Event, HeaderFault, HeaderName, MediaType, Message, Method,
    NameAddr, RAck, Reason, Refresher, Rejected, Replaces, SessionExpires, StatusCode, SubscriptionState,
    SubscriptionStatus, Timestamp, TransportName, Uri, UriError, Via, validate,
};

/// Reads each text, and writes it as the second one.
fn writes<T: FromStr<Err = HeaderFault> + Display>(cases: &[(&str, &str)]) {
    for (text, written) in cases {
        let value: T = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_string(), *written, "{text}");
    }
}

fn refuses<T: FromStr<Err = HeaderFault> + Debug>(cases: &[(&str, HeaderFault)]) {
    for (text, fault) in cases {
        let refused: Result<T, HeaderFault> = text.parse();
        assert_eq!(refused.err(), Some(*fault), "{text}");
    }
}

#[test]
fn addresses_are_read_in_every_form() {
    writes::<NameAddr>(&[
        ("sip:a@example.com", "<sip:a@example.com>"),
        ("sip:a@example.com;tag=1", "<sip:a@example.com>;tag=1"),
        ("<sip:a@example.com;user=phone> ; tag = 1;x", "<sip:a@example.com;user=phone>;tag=1;x"),
        ("Alice  Smith <sip:a@example.com>", "\"Alice  Smith\" <sip:a@example.com>"),
        (r#""A \"B\" <C>; D, E"<sip:a@example.com>"#, r#""A \"B\" <C>; D, E" <sip:a@example.com>"#),
        ("\"\" <tel:+15551234567>", "\"\" <tel:+15551234567>"),
        ("<sip:a@example.com>;q=\"x;y\"", "<sip:a@example.com>;q=\"x;y\""),
    ]);
    refuses::<NameAddr>(&[
        ("", HeaderFault::Empty),
        ("\"A <sip:a@example.com>", HeaderFault::Unbalanced),
        ("A <sip:a@example.com", HeaderFault::Unbalanced),
        ("<sip:a@example.com> junk", HeaderFault::Syntax),
        ("Alice", HeaderFault::Uri(UriError::Scheme)),
        ("<sip:a b@example.com>", HeaderFault::Uri(UriError::Character)),
    ]);
}

#[test]
fn q_is_read_in_thousandths() {
    let q = |text: &str| format!("<sip:a@b>;q={text}").parse::<NameAddr>().unwrap().q();
    let cases = [
        ("0", Some(0)),
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("0.5", Some(500)),
        ("0.123", Some(123)),
        ("0.", Some(0)),
        ("1.001", None),
        ("2", None),
        ("0.1234", None),
        ("-0.5", None),
        ("x", None),
    ];
    for (text, expected) in cases {
        assert_eq!(q(text), expected, "{text}");
    }
}

#[test]
fn via_is_read_in_every_form() {
    writes::<Via>(&[
        ("SIP/2.0/UDP a.example.com;branch=z9hG4bK1", "SIP/2.0/UDP a.example.com;branch=z9hG4bK1"),
        ("SIP / 2.0 / TCP  192.0.2.1 : 5070 ; rport", "SIP/2.0/TCP 192.0.2.1:5070;rport"),
        ("sip/2.0/tls [2001:db8::1]:5061;received=::1", "sip/2.0/TLS [2001:db8::1]:5061;received=::1"),
        ("SIP/2.0/FOO h;branch=a=b/c", "SIP/2.0/FOO h;branch=a=b/c"),
    ]);
    refuses::<Via>(&[
        ("", HeaderFault::Syntax),
        ("SIP/2.0 a.example.com", HeaderFault::Syntax),
        ("SIP/2.0/UDP", HeaderFault::Syntax),
        ("SIP/2.0/UDP ;branch=1", HeaderFault::HostPort),
        ("SIP/2.0/UDP a:99999", HeaderFault::HostPort),
    ]);
    let received: Via = "SIP/2.0/UDP a;received=[2001:db8::1];rport=5070".parse().unwrap();
    assert_eq!(received.received(), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(received.rport(), Some(Some(5070)));
}

#[test]
fn a_via_is_stamped_only_where_the_source_differs() {
    let stamped = |via: &str| {
        let via: Via = via.parse().unwrap();
        via.stamped("192.0.2.7".parse().unwrap(), 4444).to_string()
    };
    assert_eq!(stamped("SIP/2.0/UDP 192.0.2.7:5060;branch=b"), "SIP/2.0/UDP 192.0.2.7:5060;branch=b");
    assert_eq!(stamped("SIP/2.0/UDP 10.0.0.1;branch=b"), "SIP/2.0/UDP 10.0.0.1;branch=b;received=192.0.2.7");
    assert_eq!(
        stamped("SIP/2.0/UDP 192.0.2.7;rport;branch=b"),
        "SIP/2.0/UDP 192.0.2.7;rport=4444;branch=b;received=192.0.2.7"
    );
    assert_eq!(
        stamped("SIP/2.0/UDP host.example.com;branch=b"),
        "SIP/2.0/UDP host.example.com;branch=b;received=192.0.2.7"
    );
}

#[test]
fn transports_know_their_ports_and_whether_they_retransmit() {
    let cases = [
        ("udp", 5060, false),
        ("TCP", 5060, true),
        ("Tls", 5061, true),
        ("ws", 80, true),
        ("wss", 443, true),
    ];
    for (text, port, reliable) in cases {
        let transport = TransportName::from_text(text);
        assert_eq!((transport.default_port(), transport.is_reliable()), (port, reliable), "{text}");
    }
}

#[test]
fn numbers_and_methods_are_read_strictly() {
    writes::<CSeq>(&[("0009  INVITE", "9 INVITE"), ("2147483647\tFOO", "2147483647 FOO")]);
    refuses::<CSeq>(&[
        ("INVITE", HeaderFault::Syntax),
        ("1", HeaderFault::Syntax),
        ("x INVITE", HeaderFault::Number),
        ("-1 INVITE", HeaderFault::Number),
        ("2147483648 INVITE", HeaderFault::Range),
        ("1 INVITE junk", HeaderFault::Syntax),
    ]);
    writes::<RAck>(&[("776656 1 INVITE", "776656 1 INVITE")]);
    refuses::<RAck>(&[("776656", HeaderFault::Syntax), ("x 1 INVITE", HeaderFault::Number)]);
    let stamp: Timestamp = "54.2505  0.01".parse().unwrap();
    assert_eq!(stamp.sent, Duration::from_micros(54_250_500));
    assert_eq!(stamp.delay, Some(Duration::from_millis(10)));
}

#[test]
fn session_headers_are_read_and_written() {
    writes::<SessionExpires>(&[("1800", "1800"), ("90 ; Refresher = UAS;x", "90;refresher=uas")]);
    let expires: SessionExpires = "1800;refresher=uac".parse().unwrap();
    assert_eq!(expires, SessionExpires { seconds: 1800, refresher: Some(Refresher::Uac) });
    refuses::<SessionExpires>(&[("1800;refresher=me", HeaderFault::Parameter), ("", HeaderFault::Empty)]);
    writes::<Replaces>(&[
        ("a@b ; from-tag=2;to-tag=1", "a@b;to-tag=1;from-tag=2"),
        ("a;to-tag=1;from-tag=2;early-only", "a;to-tag=1;from-tag=2;early-only"),
    ]);
    refuses::<Replaces>(&[("a@b;to-tag=1", HeaderFault::Parameter), (";to-tag=1", HeaderFault::Empty)]);
    writes::<Reason>(&[("Q.850 ;cause=16;text=\"a;b\"", "Q.850;cause=16;text=\"a;b\"")]);
    let reason = Reason::new("SIP", 487, "Request \"Terminated\"");
    assert_eq!(reason.to_string(), "SIP;cause=487;text=\"Request \\\"Terminated\\\"\"");
    assert_eq!((reason.cause(), reason.text().unwrap().as_ref()), (Some(487), "Request \"Terminated\""));
}

#[test]
fn subscription_headers_are_read_and_written() {
    writes::<Event>(&[("presence.winfo ;id=7", "presence.winfo;id=7")]);
    refuses::<Event>(&[("", HeaderFault::Syntax), ("a b", HeaderFault::Syntax)]);
    let state: SubscriptionState = "Terminated;reason=noresource;retry-after=5".parse().unwrap();
    assert_eq!(state.status, SubscriptionStatus::Terminated);
    assert_eq!((state.reason(), state.retry_after(), state.expires()), (Some("noresource"), Some(5), None));
    writes::<SubscriptionState>(&[("active;expires=3599", "active;expires=3599"), ("odd", "odd")]);
}

#[test]
fn media_types_keep_their_parameters() {
    writes::<MediaType>(&[("multipart/mixed ; boundary=\"a;b\"", "multipart/mixed;boundary=\"a;b\"")]);
    refuses::<MediaType>(&[("text", HeaderFault::Syntax), ("/plain", HeaderFault::Syntax)]);
    let sdp: MediaType = "Application/SDP;charset=utf-8".parse().unwrap();
    assert!(sdp.is_sdp() && !sdp.is_multipart());
}

#[test]
fn several_challenges_on_one_line_are_told_apart() {
    let line = "Digest realm=\"a, b\", nonce=\"n=1==\", qop=\"auth,auth-int\" , stale = FALSE, \
                Basic realm=\"c\", Negotiate, NTLM TlRMTVNTUAAB=";
    let all = AuthParams::parse_all(line).unwrap();
    let schemes: Vec<_> = all.iter().map(|one| one.scheme.as_str()).collect();
    assert_eq!(schemes, ["Digest", "Basic", "Negotiate", "NTLM"]);
    assert_eq!(all[0].get("REALM"), Some("a, b"));
    assert_eq!(all[0].get("nonce"), Some("n=1=="));
    assert_eq!(all[0].get("qop"), Some("auth,auth-int"));
    assert_eq!(all[0].get("stale"), Some("FALSE"));
    assert_eq!(all[1].get("realm"), Some("c"));
    assert_eq!(AuthParams::parse_all(""), Err(HeaderFault::Empty));
    assert_eq!(AuthParams::parse_all("Digest realm=\"a"), Err(HeaderFault::Unbalanced));
}

#[test]
fn credentials_quote_what_the_grammar_wants_quoted() {
    let credentials = AuthParams::new("Digest")
        .with("username", "al\"ice")
        .with("qop", "auth")
        .with("nc", format_args!("{:08x}", 10))
        .with("algorithm", "SHA-256")
        .with("response", "0f");
    assert_eq!(
        credentials.to_string(),
        "Digest username=\"al\\\"ice\", qop=auth, nc=0000000a, algorithm=SHA-256, response=\"0f\""
    );
    let challenge = AuthParams::new("Digest").with("realm", "pbx").with("qop", "auth");
    assert_eq!(challenge.to_string(), "Digest realm=\"pbx\", qop=\"auth\"");
}

fn request(extra: &str) -> Message {
    let text = format!(
        "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:b@c>;tag=1\r\n\
         To: <sip:a@example.com>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{extra}\r\n"
    );
    Message::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_star_stands_alone() {
    let contacts = |extra: &str| request(extra).contacts();
    assert_eq!(contacts("Contact: *\r\n"), Ok(Contacts::Star));
    assert_eq!(contacts(""), Ok(Contacts::List(Vec::new())));
    let mixed = contacts("Contact: *, <sip:a@b>\r\n").unwrap_err();
    assert_eq!((mixed.header, mixed.cause), (HeaderName::Contact, HeaderFault::Star));
    assert_eq!(contacts("Contact: <sip:a@b>, \"x,y\" <sip:c@d>\r\nm: sip:e@f\r\n").unwrap().list().len(), 3);
}

#[test]
fn names_are_found_in_any_case_and_compact() {
    for (short, long) in [
        ('v', HeaderName::Via),
        ('f', HeaderName::From),
        ('t', HeaderName::To),
        ('m', HeaderName::Contact),
        ('i', HeaderName::CallId),
        ('e', HeaderName::ContentEncoding),
        ('l', HeaderName::ContentLength),
        ('c', HeaderName::ContentType),
        ('s', HeaderName::Subject),
        ('k', HeaderName::Supported),
        ('o', HeaderName::Event),
        ('u', HeaderName::AllowEvents),
        ('r', HeaderName::ReferTo),
        ('b', HeaderName::ReferredBy),
        ('x', HeaderName::SessionExpires),
        ('j', HeaderName::RejectContact),
        ('d', HeaderName::RequestDisposition),
        ('a', HeaderName::AcceptContact),
        ('n', HeaderName::IdentityInfo),
        ('y', HeaderName::Identity),
    ] {
        assert_eq!(HeaderName::from_text(&short.to_string()), long);
        assert_eq!(HeaderName::from_text(&short.to_ascii_uppercase().to_string()), long);
        assert_eq!(HeaderName::from_text(&long.as_str().to_ascii_uppercase()), long);
        assert_eq!(long.compact(), Some(short));
    }
    assert_eq!(HeaderName::from_text("x-FOO"), HeaderName::Other("X-Foo".into()));
    assert_ne!(HeaderName::from_text("X-Foo"), HeaderName::from_text("X-Bar"));
    assert_eq!(HeaderName::Other("vIA".into()), HeaderName::Via);
    let message = request("X-foo: 1\r\nx-FOO: 2,3\r\n");
    assert_eq!(message.values("X-Foo".into()), ["1", "2,3"]);
}

#[test]
fn lists_are_split_only_where_the_grammar_is_a_list() {
    let message =
        request("Subject: a, b\r\nSupported: a , , b\r\nk: c\r\nAccept: text/plain;q=\"1,2\", x/y\r\n");
    assert_eq!(message.values(HeaderName::Subject), ["a, b"]);
    assert_eq!(message.supported(), ["a", "b", "c"]);
    assert_eq!(message.values(HeaderName::Accept), ["text/plain;q=\"1,2\"", "x/y"]);
    assert!(message.supports("C") && !message.supports("timer"));
}

#[test]
fn a_malformed_header_that_is_not_needed_does_not_refuse_a_request() {
    for extra in
        ["Date: yesterday\r\n", "Warning: x\r\n", "no colon\r\n", "Bad Name: x\r\n", "Expires: soon\r\n"]
    {
        let message = request(extra);
        assert_eq!(message.examine().len(), 1, "{extra}");
        assert_eq!(validate(&message), Ok(()), "{extra}");
    }
}

#[test]
fn what_cannot_be_answered_is_dropped() {
    let ack = Message::parse(b"ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\r\n").unwrap();
    assert!(matches!(validate(&ack), Err(Rejected::Discard { .. })));
    let lost = Message::parse(b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\n").unwrap();
    assert!(matches!(validate(&lost), Err(Rejected::Discard { .. })));
    let long = format!("OPTIONS sip:{}@b SIP/2.0", "a".repeat(9000));
    let text = String::from_utf8(request("").bytes().to_vec()).unwrap();
    let long = text.replacen("OPTIONS sip:a@example.com SIP/2.0", &long, 1);
    let refused = validate(&Message::parse(long.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::REQUEST_URI_TOO_LONG));
}

#[test]
fn a_builder_writes_what_it_is_told_and_the_true_length() {
    let uri = Uri::sip("bob", "example.com", None).unwrap();
    let built = Builder::request(Method::Message, &uri)
        .header(HeaderName::To, "<sip:bob@example.com>")
        .header_top(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bK1")
        .header("X-Test".into(), 7)
        .header_opt(HeaderName::Subject, None::<&str>)
        .body("text/plain", "hällo")
        .build();
    let text = "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
                To: <sip:bob@example.com>\r\nX-Test: 7\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhällo";
    assert_eq!(built.to_string(), text);
    let lie = Builder::from_message(&built).header(HeaderName::ContentLength, 99).build();
    assert_eq!(lie.header(HeaderName::ContentLength).unwrap(), "99");
    let changed = Builder::from_message(&built).set(HeaderName::To, "<sip:x@y>").without_body().build();
    assert_eq!(changed.to().unwrap().uri.to_string(), "sip:x@y");
    assert_eq!(changed.header(HeaderName::ContentLength).unwrap(), "0");
    assert!(!changed.has(HeaderName::ContentType));
}

#[test]
fn a_start_line_from_outside_cannot_carry_headers() {
    let uri = Uri::sip("bob", "example.com", None).unwrap();
    let method = Method::from_text("FOO\r\nX-Evil: 1\r\n");
    let built = Builder::request(method, &uri).build();
    assert!(!built.has("X-Evil".into()));
    let answer = Builder::response(StatusCode::OK, Some("fine\r\nX-Evil: 1")).build();
    assert_eq!(answer.reason().unwrap(), "fine X-Evil: 1");
    assert!(!answer.has("X-Evil".into()));
}
