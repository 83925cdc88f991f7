//! Headers that are wrong where they are not needed: the message counts all the same, and an anomaly says so. RFC 3261 §8.2.2.

use crate::solo::{Solo, answer, fresh, in_dialog, ok};
use offhook_sip::message::{Builder, HeaderName, Message, Method, StatusCode};
use offhook_sip::session::{EndCause, Party, SessionEvent};
use offhook_sip::user_agent::Event;

/// Headers that no refusal needs, each unreadable.
const UNREADABLE: [(HeaderName, &str); 8] = [
    (HeaderName::Contact, ""),
    (HeaderName::Contact, "<sip:bob@192.0.2.2"),
    (HeaderName::RecordRoute, "<sip:"),
    (HeaderName::Allow, "IN VITE"),
    (HeaderName::Supported, "a b"),
    (HeaderName::RetryAfter, "soon"),
    (HeaderName::To, "<sip:bob@192.0.2.2>;tag=bob;=x"),
    (HeaderName::ContentType, "plain"),
];

fn broken(response: &Message, (name, value): &(HeaderName, &str)) -> Message {
    Builder::from_message(response).set(name.clone(), value).build()
}

#[test]
fn a_refusal_with_an_unreadable_header_is_acknowledged_and_ends_the_call() {
    for fault in &UNREADABLE {
        let mut solo = Solo::new();
        solo.call(true);
        let invite = solo.last().clone();
        let busy = broken(&answer(&invite, StatusCode::BUSY_HERE, "bob").build(), fault);
        solo.take_lines();
        solo.receive(&busy);
        assert_eq!(solo.take_lines(), ["ACK"], "{fault:?}");
        let events = solo.take_session_events();
        let refused = EndCause::Rejected(StatusCode::BUSY_HERE);
        let ended = |event: &SessionEvent| matches!(event, SessionEvent::Ended { by: Party::Remote, cause, .. } if *cause == refused);
        assert!(events.last().is_some_and(ended), "{fault:?}: {events:?}");
        solo.settle();
    }
}

#[test]
fn each_such_header_is_an_anomaly_once() {
    for fault in &UNREADABLE {
        let mut solo = Solo::new();
        solo.call(true);
        let invite = solo.last().clone();
        let busy = broken(&answer(&invite, StatusCode::BUSY_HERE, "bob").build(), fault);
        solo.receive(&busy);
        solo.receive(&busy);
        // Some of them are used all the same, as far as they can be read.
        let told = |event: &Event| matches!(event, Event::Anomaly { what, .. } if what.to_string().contains("ignored"));
        assert!(!solo.events.iter().any(told), "{fault:?}: {:?}", solo.events);
        assert_eq!(solo.take_anomalies(), ["FaultyHeader"], "{fault:?}");
    }
}

#[test]
fn an_answer_without_a_readable_contact_makes_a_call_that_ends_where_it_began() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    solo.receive(&broken(&ok(&invite, "bob"), &(HeaderName::Contact, "<sip:bob@192.0.2.2")));
    assert_eq!(solo.take_names(), ["Answered"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    assert_eq!(solo.last().request_uri_text(), Some("sip:bob@192.0.2.2"));
    assert_eq!(solo.take_lines(), ["INVITE", "ACK", "BYE"]);
    solo.settle();
}

#[test]
fn an_answer_with_an_unreadable_header_makes_a_call() {
    for fault in [
        (HeaderName::Contact, ""),
        (HeaderName::RecordRoute, "<sip:"),
        (HeaderName::Allow, "IN VITE"),
        (HeaderName::Supported, "a b"),
        (HeaderName::SessionExpires, "long"),
        (HeaderName::Require, "a b"),
        (HeaderName::RetryAfter, "soon"),
    ] {
        let mut solo = Solo::new();
        let id = solo.call(true);
        let invite = solo.last().clone();
        solo.receive(&broken(&ok(&invite, "bob"), &fault));
        assert_eq!(solo.take_names(), ["Answered"], "{fault:?}");
        solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
        assert_eq!(solo.take_lines(), ["INVITE", "ACK", "BYE"], "{fault:?}");
        solo.settle();
    }
}

#[test]
fn a_refusal_without_from_or_call_id_is_acknowledged() {
    for name in [HeaderName::From, HeaderName::CallId] {
        let mut solo = Solo::new();
        solo.call(true);
        let invite = solo.last().clone();
        solo.receive(&answer(&invite, StatusCode::BUSY_HERE, "bob").remove(&name).build());
        assert_eq!(solo.last().call_id().unwrap(), invite.call_id().unwrap());
        assert_eq!(solo.take_lines(), ["INVITE", "ACK"], "{name:?}");
        assert_eq!(solo.take_names(), ["Rejected", "Ended"], "{name:?}");
        solo.settle();
    }
}

#[test]
fn a_refusal_without_to_is_acknowledged() {
    let mut solo = Solo::new();
    solo.call(true);
    let invite = solo.last().clone();
    let busy = answer(&invite, StatusCode::BUSY_HERE, "bob").remove(&HeaderName::To).build();
    solo.receive(&busy);
    assert_eq!(solo.last().to().unwrap(), invite.to().unwrap());
    assert_eq!(solo.take_lines(), ["INVITE", "ACK"]);
    assert_eq!(solo.take_names(), ["Rejected", "Ended"]);
    solo.settle();
}

#[test]
fn a_response_whose_body_was_cut_off_is_dropped() {
    // §18.3: a datagram that ends before its body does is an error, and such a response is discarded.
    let mut solo = Solo::new();
    solo.call(true);
    let invite = solo.last().clone();
    let cut = Builder::from_message(&ok(&invite, "bob")).header(HeaderName::ContentLength, 9999).build();
    solo.receive(&cut);
    assert_eq!(solo.take_anomalies(), ["UnusableResponse"]);
}

#[test]
fn a_bye_with_unreadable_headers_ends_the_call() {
    for fault in [
        (HeaderName::Contact, "<sip:bob@192.0.2.2"),
        (HeaderName::Route, "<sip:"),
        (HeaderName::MaxForwards, "-1"),
        (HeaderName::RecordRoute, "<sip:"),
        (HeaderName::Reason, "?"),
    ] {
        let mut solo = Solo::new();
        let (_, invite) = solo.established();
        solo.receive(&broken(&in_dialog(&invite, "bob", &Method::Bye, 1).build(), &fault));
        assert_eq!(solo.take_lines(), ["200 BYE"], "{fault:?}");
        assert_eq!(solo.take_names(), ["Ended"], "{fault:?}");
        solo.settle();
    }
}

#[test]
fn a_request_that_needs_its_contact_is_refused_without_a_readable_one() {
    let mut solo = Solo::new();
    solo.receive(&fresh(&Method::Invite, "x").set(HeaderName::Contact, "<sip:bob@192.0.2.2").build());
    assert_eq!(solo.take_lines(), ["400 INVITE"]);
    solo.settle();
}

#[test]
fn a_negative_number_of_hops_is_no_number() {
    let mut solo = Solo::new();
    solo.receive(&fresh(&Method::Options, "minus").set(HeaderName::MaxForwards, -1).build());
    solo.receive(&fresh(&Method::Options, "many").set(HeaderName::MaxForwards, 300).build());
    assert_eq!(solo.take_lines(), ["400 OPTIONS", "200 OPTIONS"]);
    solo.settle();
}
