//! The message layer as seen from outside.

use super::*;

const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP pc33.atlanta.example.com:5066;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::9]\r\n\
Max-Forwards: 70\r\n\
t: Bob <sip:bob@biloxi.example.com>\r\n\
From: \"Alice; \\\"the, one\\\"\" <sip:alice@atlanta.example.com;transport=tcp>;tag=1928301774\r\n\
i: a84b4c76e66710@pc33.atlanta.example.com\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:alice@pc33.atlanta.example.com>;q=0.7;expires=60\r\n\
Supported: 100rel,\r\n timer , replaces\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 4\r\n\r\nv=0\nrest";

fn parse(text: &str) -> Message {
    Message::parse(text.as_bytes()).unwrap()
}

#[test]
fn an_invite_gives_up_its_headers() {
    let invite = parse(INVITE);
    assert_eq!(invite.method(), Method::Invite);
    assert_eq!(invite.request_uri().unwrap().user(), Some("bob"));
    let vias = invite.vias().unwrap();
    assert_eq!(vias.len(), 2);
    assert_eq!(vias[0].branch(), Some("z9hG4bK776asdhds"));
    assert_eq!(vias[0].port, Some(5066));
    assert_eq!(vias[0].rport(), Some(None));
    assert_eq!(vias[1].host, Host::V6("2001:db8::9".parse().unwrap()));
    let from = invite.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("Alice; \"the, one\""));
    assert_eq!(from.uri.transport(), Some("tcp"));
    assert_eq!(from.tag(), Some("1928301774"));
    assert_eq!(invite.to().unwrap().tag(), None);
    assert_eq!(invite.call_id().unwrap(), "a84b4c76e66710@pc33.atlanta.example.com");
    assert_eq!(invite.cseq().unwrap(), CSeq::new(314_159, Method::Invite));
    let contacts = invite.contacts().unwrap();
    assert_eq!(contacts.first().unwrap().q(), Some(700));
    assert_eq!(contacts.first().unwrap().expires(), Some(60));
    assert_eq!(invite.supported(), ["100rel", "timer", "replaces"]);
    assert_eq!(invite.sdp(), Some(b"v=0\n".as_slice()));
    assert_eq!(invite.trailing(), b"rest");
    assert_eq!(invite.defects(), []);
    assert_eq!(invite.bytes(), INVITE.as_bytes());
    assert_eq!(validate(&invite), Ok(()));
}

#[test]
fn a_response_copies_what_identifies_the_request() {
    let response =
        parse(INVITE).response_to(StatusCode::RINGING, None).to_tag("8321234356").to_tag("other").build();
    assert_eq!(response.status(), Some(StatusCode::RINGING));
    assert_eq!(response.reason().unwrap(), "Ringing");
    assert_eq!(response.vias().unwrap().len(), 2);
    assert_eq!(response.to().unwrap().tag(), Some("8321234356"));
    assert_eq!(response.method(), Method::Invite);
    assert_eq!(response.header(HeaderName::ContentLength).unwrap(), "0");
    assert_eq!(response.examine(), []);
}

#[test]
fn a_line_break_in_a_value_starts_no_header() {
    let uri = Uri::sip("bob", "192.0.2.4", None).unwrap();
    let request = Builder::request(Method::Options, &uri)
        .header(HeaderName::Subject, "hi\r\nX-Evil: 1")
        .body("text/plain", "x")
        .build();
    assert_eq!(request.header(HeaderName::Subject).unwrap(), "hi X-Evil: 1");
    assert!(!request.has("X-Evil".into()));
    assert_eq!(request.defects(), [Defect { at: 0, what: Fault::LineBreakRemoved }]);
}

#[test]
fn editing_a_copy_touches_only_what_is_named() {
    let request = parse(INVITE);
    let via = request.top_via().unwrap().stamped("192.0.2.9".parse().unwrap(), 40000);
    let stamped = Builder::from_message(&request).set_top(HeaderName::Via, &via).build();
    let vias = stamped.vias().unwrap();
    assert_eq!(vias[0].rport(), Some(Some(40000)));
    assert_eq!(vias[0].received(), Some("192.0.2.9".parse().unwrap()));
    assert_eq!(vias[1], request.vias().unwrap()[1]);
    assert_eq!(stamped.from().unwrap(), request.from().unwrap());
    let popped = Builder::from_message(&stamped).remove_top(&HeaderName::Via).build();
    assert_eq!(popped.vias().unwrap(), vias[1..]);
}

/// The builder locates the parts of a message where parsing its bytes finds them.
#[test]
fn a_built_message_is_located_as_a_received_one_is() {
    let uri = Uri::parse("sip:bob@192.0.2.2").unwrap();
    let request = |name: HeaderName, value: &str| {
        Builder::request(Method::Invite, &uri)
            .header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1, SIP/2.0/UDP b;branch=2")
            .header(HeaderName::From, "<sip:alice@192.0.2.1>;tag=1")
            .header(HeaderName::To, "<sip:bob@192.0.2.2>")
            .header(name, value)
    };
    let builders = [
        request(HeaderName::Subject, "hello"),
        request(HeaderName::Subject, ""),
        request(HeaderName::Subject, "  spaces around  "),
        request(HeaderName::Subject, "   "),
        request(HeaderName::Subject, "tab\there"),
        request(HeaderName::Subject, "broken\r\nX-Evil: yes"),
        request(HeaderName::Subject, "gr\u{fc}n"),
        request(HeaderName::Other("X-Own".into()), "1"),
        request(HeaderName::Other("bad name".into()), "1"),
        request(HeaderName::Other("".into()), "1"),
        request(HeaderName::ContentLength, "7").body("text/plain", "seven"),
        request(HeaderName::Subject, "s").body("text/plain", "five."),
        request(HeaderName::Subject, "s").set(HeaderName::Subject, "t").set(HeaderName::Priority, "u"),
        request(HeaderName::Subject, "s").set_top(HeaderName::Via, "SIP/2.0/TCP c").to_tag("9"),
        request(HeaderName::Subject, "s").remove_top(&HeaderName::Via).remove(&HeaderName::Subject),
        request(HeaderName::Subject, "s")
            .header_top(HeaderName::Route, "<sip:p>")
            .remove_top(&HeaderName::From),
        Builder::response(StatusCode::OK, Some("")).header(HeaderName::To, "<sip:b>").to_tag("x\ny"),
        Builder::response(StatusCode::OK, None),
    ];
    let full = request(HeaderName::Subject, "folded").body("a/b", "c").build();
    let copies =
        [Builder::from_message(&full), full.response_to(StatusCode::OK, None).copy(HeaderName::Subject)];
    for builder in builders.into_iter().chain(copies) {
        let built = builder.build();
        let read = Message::parse(built.bytes()).unwrap();
        let parts =
            |message: &Message| format!("{:?}", (&message.0.start, &message.0.fields, message.0.head_end));
        assert_eq!(parts(&built), parts(&read), "{built}");
        assert_eq!(built.body(), read.body(), "{built}");
        let removed = |defect: &&Defect| defect.what != Fault::LineBreakRemoved;
        let found: Vec<_> = built.defects().iter().filter(removed).collect();
        assert_eq!(found, read.defects().iter().collect::<Vec<_>>(), "{built}");
    }
}

/// Parameters are looked up in their text, so every way of writing them must come out the same.
#[test]
fn parameters_are_kept_in_order_whatever_stands_around_them() {
    let all = |text: &str| {
        let params = Params::parse(text);
        params.iter().map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect::<Vec<_>>()
    };
    let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let expected =
        [pair("a", Some("1")), pair("B", None), pair("c", Some("")), pair("d", Some("\"x;y=<z\""))];
    assert_eq!(all(";a=1;B;c=;d=\"x;y=<z\""), expected);
    assert_eq!(all(" a = 1 ;; B; c= ;d = \"x;y=<z\" ;"), expected);
    assert_eq!(all(""), []);
    assert_eq!(all(";"), []);
    let mut params = Params::parse(";a=1;lr;A=2;b");
    assert_eq!(
        (params.len(), params.get("a"), params.get("LR"), params.get("x")),
        (4, Some("1"), Some(""), None)
    );
    params.set("LR", Some("on"));
    params.set("tag", Some("t"));
    assert_eq!(params.to_string(), ";a=1;lr=on;A=2;b;tag=t");
    assert!(params.remove("A") && !params.remove("a"));
    assert_eq!(params.to_string(), ";lr=on;b;tag=t");
    params.set("b", None);
    assert!(params.remove("lr") && params.remove("b") && params.remove("tag") && params.is_empty());
    assert_eq!(params, Params::new());
}
