//! Requests that ask for or carry what we do not understand, in a dialog and outside.
//! RFC 3261 §8.2.3, §20.11, RFC 6665, RFC 6086.

use crate::solo::{Solo, fresh, in_dialog, ok};
use offhook_sip::message::{Builder, HeaderName, Message, Method, StatusCode};
use offhook_sip::testkit::SDP;
use offhook_sip::user_agent::Event;

fn sdp(builder: Builder) -> Builder {
    builder.body("application/sdp", SDP)
}

/// Says what became of a request: what was sent, and how many events other than anomalies the user
/// got.
fn fate(solo: &mut Solo, request: &Message) -> (Vec<String>, usize) {
    solo.sent.clear();
    solo.events.clear();
    solo.receive(request);
    let lines = solo.take_lines();
    let told = solo.events.iter().filter(|event| !matches!(event, Event::Anomaly { .. })).count();
    (lines, told)
}

/// Demands that a request is refused with a header that says what we do understand, and that only
/// an anomaly reports it.
fn refused_with(solo: &mut Solo, request: &Message, status: u16, (name, value): (HeaderName, &str)) {
    solo.events.clear();
    solo.receive(request);
    let response = solo.last().clone();
    assert_eq!(response.status().map(StatusCode::code), Some(status));
    assert_eq!(response.header(name.clone()).as_deref(), Some(value), "{name:?}");
    assert!(matches!(solo.events.as_slice(), [Event::Anomaly { .. }]), "{:?}", solo.events);
}

#[test]
fn a_body_of_another_kind_is_refused_with_what_is_taken() {
    let session = "application/sdp, multipart/mixed, multipart/alternative, multipart/related";
    let digits = "application/dtmf-relay, application/dtmf";
    let mut solo = Solo::new();
    let (_, invite) = solo.established();
    let info = in_dialog(&invite, "bob", &Method::Info, 1).body("application/x-light-level", "7");
    refused_with(&mut solo, &info.build(), 415, (HeaderName::Accept, digits));
    let text = in_dialog(&invite, "bob", &Method::Info, 2).body("text/plain", "7");
    refused_with(&mut solo, &text.build(), 415, (HeaderName::Accept, digits));
    let message = in_dialog(&invite, "bob", &Method::Message, 3).body("text/html", "<b>");
    refused_with(&mut solo, &message.build(), 415, (HeaderName::Accept, "text/plain"));
    let message = fresh(&Method::Message, "m").body("application/sdp", SDP);
    refused_with(&mut solo, &message.build(), 415, (HeaderName::Accept, "text/plain"));
    let reinvite = in_dialog(&invite, "bob", &Method::Invite, 4).body("application/x-sdp", SDP);
    refused_with(&mut solo, &reinvite.build(), 415, (HeaderName::Accept, session));
    let nameless = sdp(fresh(&Method::Invite, "i")).remove(&HeaderName::ContentType);
    refused_with(&mut solo, &nameless.build(), 415, (HeaderName::Accept, session));
}

#[test]
fn an_encoded_body_is_refused_with_what_is_not() {
    let mut solo = Solo::new();
    let packed = sdp(fresh(&Method::Invite, "i")).header(HeaderName::ContentEncoding, "gzip");
    refused_with(&mut solo, &packed.build(), 415, (HeaderName::AcceptEncoding, "identity"));
    let plain = sdp(fresh(&Method::Invite, "j")).header(HeaderName::ContentEncoding, "identity");
    solo.receive(&plain.build());
    assert_eq!(solo.take_names(), ["Incoming"]);
}

#[test]
fn a_description_that_is_meant_for_something_else_is_no_offer() {
    let mut solo = Solo::new();
    let early = sdp(fresh(&Method::Invite, "i")).header(HeaderName::ContentDisposition, "early-session");
    assert_eq!(fate(&mut solo, &early.build()).0, ["415 INVITE"]);
    let optional = "early-session;handling=optional";
    let early = sdp(fresh(&Method::Invite, "j")).header(HeaderName::ContentDisposition, optional).build();
    assert!(early.sdp().is_none());
    solo.receive(&early);
    assert_eq!(solo.take_names(), ["Incoming"]);
}

#[test]
fn an_optional_body_that_is_not_understood_is_ignored() {
    let mut solo = Solo::new();
    let (_, invite) = solo.established();
    let info = in_dialog(&invite, "bob", &Method::Info, 1).body("application/x-light-level", "7");
    let info = info.header(HeaderName::ContentDisposition, "render;handling=optional");
    assert_eq!(fate(&mut solo, &info.build()), (Vec::new(), 1));
    assert_eq!(solo.take_names(), ["Info"]);
}

#[test]
fn of_several_parts_those_that_matter_must_be_understood() {
    let parts = |subtype: &str, extra: &str| {
        let body = format!(
            "--b\r\nContent-Type: application/isup\r\n{extra}\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
        );
        let name = format!("{subtype}{}", extra.len());
        fresh(&Method::Invite, &name).body(&format!("multipart/{subtype};boundary=b"), body).build()
    };
    let optional = "Content-Disposition: signal;handling=optional\r\n";
    let mut solo = Solo::new();
    assert_eq!(fate(&mut solo, &parts("mixed", "")).0, ["415 INVITE"]);
    for fine in [parts("mixed", optional), parts("alternative", "")] {
        assert!(fine.sdp().is_some());
        assert_eq!(fate(&mut solo, &fine), (Vec::new(), 1));
    }
}

#[test]
fn of_related_parts_the_root_is_what_counts() {
    const PICTURE: &str = "--b\r\nContent-Type: image/png\r\nContent-ID: <pic@a>\r\n\r\nx\r\n";
    let description = format!("--b\r\nContent-Type: application/sdp\r\nContent-ID: <sdp@a>\r\n\r\n{SDP}\r\n");
    let related = |name: &str, params: &str, parts: [&str; 2]| {
        let body = format!("{}--b--\r\n", parts.concat());
        fresh(&Method::Invite, name).body(&format!("multipart/related;boundary=b{params}"), body).build()
    };
    let mut solo = Solo::new();
    for fine in [
        related("first", "", [&description, PICTURE]),
        related("named", ";start=\"<sdp@a>\";type=\"application/sdp\"", [PICTURE, &description]),
        related("bare", ";start=\"sdp@a\"", [PICTURE, &description]),
    ] {
        assert_eq!(fine.sdp(), Some(SDP.as_bytes()));
        assert_eq!(fate(&mut solo, &fine), (Vec::new(), 1));
    }
    for foreign in [
        related("picture", "", [PICTURE, &description]),
        related("picture-named", ";start=\"<pic@a>\"", [&description, PICTURE]),
        related("nothing", ";start=\"<nobody@a>\"", [&description, PICTURE]),
    ] {
        assert_eq!(foreign.sdp(), None);
        assert_eq!(fate(&mut solo, &foreign).0, ["415 INVITE"]);
    }
}

#[test]
fn an_info_of_a_package_is_refused_with_those_that_we_have() {
    let mut solo = Solo::new();
    let (_, invite) = solo.established();
    let info = in_dialog(&invite, "bob", &Method::Info, 1).header(HeaderName::InfoPackage, "foo");
    let info = info.body("application/dtmf-relay", "Signal=7\r\n").build();
    refused_with(&mut solo, &info, 469, (HeaderName::RecvInfo, ""));
    assert_eq!(fate(&mut solo, &fresh(&Method::Info, "lost").build()).0, ["481 INFO"]);
}

#[test]
fn a_notify_counts_only_for_a_refer_of_ours() {
    let notify = |builder: Builder, event: &str| {
        let builder =
            builder.header(HeaderName::SubscriptionState, "active").header(HeaderName::Event, event);
        builder.body("message/sipfrag", "SIP/2.0 200 OK").build()
    };
    let packages = (HeaderName::AllowEvents, "refer");
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    let within = |cseq| in_dialog(&invite, "bob", &Method::Notify, cseq);
    assert_eq!(fate(&mut solo, &notify(within(1), "refer")), (vec!["481 NOTIFY".to_owned()], 0));
    assert_eq!(solo.take_anomalies(), ["NoSubscription"]);
    assert_eq!(fate(&mut solo, &notify(fresh(&Method::Notify, "n"), "refer")).0, ["481 NOTIFY"]);
    refused_with(&mut solo, &notify(within(2), "presence"), 489, packages.clone());
    refused_with(&mut solo, &notify(fresh(&Method::Notify, "o"), "message-summary"), 489, packages.clone());
    refused_with(&mut solo, &within(3).build(), 489, packages);
    solo.act(|agent, now| agent.refer(now, id, "<sip:carol@192.0.2.3>", Vec::new())).unwrap();
    let plain = within(4).header(HeaderName::Event, "refer").body("text/plain", "SIP/2.0 200 OK").build();
    refused_with(&mut solo, &plain, 415, (HeaderName::Accept, "message/sipfrag"));
    assert_eq!(fate(&mut solo, &notify(within(5), "refer")), (Vec::new(), 1));
    assert_eq!(solo.take_names(), ["Notify"]);
}

#[test]
fn a_refused_notify_does_not_end_the_subscription() {
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    solo.act(|agent, now| agent.refer(now, id, "<sip:carol@192.0.2.3>", Vec::new())).unwrap();
    let notify = |cseq, kind: &str| {
        in_dialog(&invite, "bob", &Method::Notify, cseq)
            .header(HeaderName::Event, "refer")
            .header(HeaderName::SubscriptionState, "terminated")
            .body(kind, "SIP/2.0 200 OK")
            .build()
    };
    assert_eq!(fate(&mut solo, &notify(1, "text/plain")).0, ["415 NOTIFY"]);
    assert_eq!(fate(&mut solo, &notify(2, "message/sipfrag")), (Vec::new(), 1));
    assert_eq!(fate(&mut solo, &notify(3, "message/sipfrag")).0, ["481 NOTIFY"]);
}

#[test]
fn what_ends_or_completes_a_call_does_so_whatever_it_carries() {
    let odd = |builder: Builder| builder.body("application/x-odd", "?").build();
    let mut solo = Solo::new();
    let (_, invite) = solo.established();
    let bye = odd(in_dialog(&invite, "bob", &Method::Bye, 1).header(HeaderName::Require, "100rel"));
    let (lines, _) = fate(&mut solo, &bye);
    assert_eq!(lines, ["200 BYE"]);
    assert_eq!(solo.take_anomalies(), ["BodyIgnored"]);
    let mut solo = Solo::new();
    let invite = sdp(fresh(&Method::Invite, "c")).build();
    solo.receive(&invite);
    solo.sent.clear();
    let cancel = Builder::from_message(&invite).request_line(&Method::Cancel, &invite.request_uri().unwrap());
    let (lines, _) = fate(&mut solo, &odd(cancel.set(HeaderName::CSeq, "1 CANCEL")));
    assert_eq!(lines, ["200 CANCEL", "487 INVITE"]);
    assert_eq!(solo.take_anomalies(), ["BodyIgnored"]);
}

#[test]
fn what_is_allowed_is_handled_and_what_is_not_is_refused() {
    let mut solo = Solo::new();
    solo.receive(&fresh(&Method::Options, "o").build());
    let options = solo.last().clone();
    let allowed = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "MESSAGE", "INFO", "NOTIFY"];
    assert_eq!(options.values(HeaderName::Allow), allowed);
    assert!(!options.has(HeaderName::Supported));
    for method in [Method::Refer, Method::Subscribe, Method::Update, Method::Prack] {
        let (lines, told) = fate(&mut solo, &fresh(&method, method.as_str()).build());
        assert_eq!((lines, told), (vec![format!("405 {method}")], 0));
    }
    let replacing = sdp(fresh(&Method::Invite, "r")).header(HeaderName::Require, "replaces").build();
    refused_with(&mut solo, &replacing, 420, (HeaderName::Unsupported, "replaces"));
    let (_, invite) = solo.established();
    let refer = in_dialog(&invite, "bob", &Method::Refer, 1).header(HeaderName::ReferTo, "<sip:c@192.0.2.3>");
    assert_eq!(fate(&mut solo, &refer.build()), (vec!["405 REFER".to_owned()], 0));
}

#[test]
fn a_description_in_an_encoded_response_is_none() {
    let mut solo = Solo::new();
    solo.call(true);
    let invite = solo.last().clone();
    let packed =
        Builder::from_message(&ok(&invite, "bob")).header(HeaderName::ContentEncoding, "gzip").build();
    assert!(packed.sdp().is_none());
}
