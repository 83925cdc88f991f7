//! Requests whose next hop is a name: who waits, where they go, and what is tried next. RFC 3263 §4.

use crate::cast::{address, uri};
use crate::solo::{Solo, answer, peer};
use offhook_sip::auth::Credentials;
use offhook_sip::message::{HeaderName, Message, Method, StatusCode};
use offhook_sip::registration::{Registration, RegistrationEvent};
use offhook_sip::session::{EndCause, SessionEvent};
use offhook_sip::testkit::SDP;
use offhook_sip::user_agent::{Abandoned, Body, Destination, Event, SessionId, Transport};
use std::net::SocketAddr;
use std::time::Duration;

const FIRST: &str = "192.0.2.11:5060";
const SECOND: &str = "192.0.2.12:5070";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A phone that follows names.
fn solo() -> Solo {
    Solo::with(|config| config.follow_names = true)
}

/// Returns the URIs that wait for the shell, with what asks for them, and forgets them.
fn asked(solo: &mut Solo) -> Vec<String> {
    let events = std::mem::take(&mut solo.events);
    let (asked, others): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| matches!(event, Event::Resolve { .. }));
    solo.events = others;
    let uri = |event| if let Event::Resolve { uri, .. } = event { Some(uri.to_string()) } else { None };
    asked.into_iter().filter_map(uri).collect()
}

fn resolve(solo: &mut Solo, name: &str, places: &[&str]) {
    let places: Vec<_> = places.iter().map(|place| (Transport::Udp, at(place))).collect();
    solo.act(|agent, now| agent.resolved(now, &uri(name), &places));
}

fn moves(solo: &Solo) -> Vec<(Method, SocketAddr, SocketAddr, Abandoned)> {
    let moved = |event: &Event| {
        let Event::FailedOver { method, from, to, why, .. } = event else { return None };
        Some((method.clone(), from.remote, to.1, *why))
    };
    solo.events.iter().filter_map(moved).collect()
}

fn register(solo: &mut Solo) {
    let destination = Destination::named(uri("sip:example.com"));
    let mut what = Registration::new(uri("sip:example.com"), uri("sip:alice@example.com"), destination);
    what.credentials = Some(Credentials::new("alice", "secret"));
    solo.act(|agent, now| agent.register(now, what));
}

fn registrations(solo: &mut Solo) -> Vec<RegistrationEvent> {
    let events = std::mem::take(&mut solo.events);
    let registration = |event| if let Event::Registration { event, .. } = event { Some(event) } else { None };
    events.into_iter().filter_map(registration).collect()
}

#[test]
fn a_registrar_that_is_silent_is_left_for_the_next_which_may_have_counted_the_request() {
    let mut solo = solo();
    register(&mut solo);
    assert!(solo.sent.is_empty(), "nothing leaves before the name is known");
    assert_eq!(asked(&mut solo), ["sip:example.com"]);
    resolve(&mut solo, "sip:example.com", &[FIRST, SECOND]);
    let first = solo.last().clone();
    assert_eq!(solo.sent.last().unwrap().0.remote, at(FIRST));
    solo.wait(Duration::from_secs(33));
    let (flow, second) = solo.sent.last().unwrap().clone();
    assert_eq!(flow.remote, at(SECOND));
    assert_eq!(moves(&solo), [(Method::Register, at(FIRST), at(SECOND), Abandoned::Silent)]);
    // RFC 3263 §4.3: identical but for the branch, and for the number (RFC 3261 §10.3).
    for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::Contact] {
        assert_eq!(first.header(name.clone()), second.header(name.clone()), "{name:?}");
    }
    assert_eq!((first.cseq().unwrap().number, second.cseq().unwrap().number), (1, 2));
    assert_ne!(first.top_via().unwrap().branch(), second.top_via().unwrap().branch());
    // A challenge of the second place is answered there.
    let challenge = second
        .response_to(StatusCode::UNAUTHORIZED, None)
        .header(HeaderName::WwwAuthenticate, "Digest realm=\"r\", nonce=\"n\"");
    solo.receive_from(at(SECOND), challenge.build().bytes());
    let (flow, third) = solo.sent.last().unwrap().clone();
    assert_eq!((flow.remote, third.cseq().unwrap().number), (at(SECOND), 3));
}

#[test]
fn every_register_follows_the_name_anew() {
    let mut solo = solo();
    register(&mut solo);
    assert_eq!(asked(&mut solo).len(), 1);
    resolve(&mut solo, "sip:example.com", &[FIRST]);
    let contact = solo.last().header(HeaderName::Contact).unwrap().into_owned();
    let accepted = solo.last().response_to(StatusCode::OK, None).to_tag("r");
    let accepted = accepted.header(HeaderName::Contact, format!("{contact};expires=120"));
    solo.receive_from(at(FIRST), accepted.build().bytes());
    solo.wait(Duration::from_secs(90));
    assert_eq!(asked(&mut solo), ["sip:example.com"]);
    resolve(&mut solo, "sip:example.com", &[SECOND]);
    assert_eq!(solo.sent.last().unwrap().0.remote, at(SECOND));
}

#[test]
fn a_registrar_without_an_address_is_a_failure_that_may_pass() {
    let mut solo = solo();
    register(&mut solo);
    assert_eq!(asked(&mut solo).len(), 1);
    resolve(&mut solo, "sip:example.com", &[]);
    assert!(solo.sent.is_empty());
    let events = registrations(&mut solo);
    let [RegistrationEvent::Failed { status: None, reason, retry_in: Some(retry_in) }] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(reason, "the name was not resolved");
    solo.wait(*retry_in);
    assert_eq!(asked(&mut solo), ["sip:example.com"], "it may have an address by then");
}

/// A call whose callee names its host in Contact, answered but not acknowledged.
fn answered_by_name(solo: &mut Solo) -> (SessionId, Message) {
    let id = solo.call(true);
    let invite = solo.last().clone();
    let ok = answer(&invite, StatusCode::OK, "bob");
    let ok = ok.set(HeaderName::Contact, "<sip:bob@desk.example.com>").body("application/sdp", SDP).build();
    solo.take_lines();
    solo.receive(&ok);
    (id, ok)
}

#[test]
fn an_ack_and_what_follows_it_wait_for_the_name_in_order() {
    let mut solo = solo();
    let (id, ok) = answered_by_name(&mut solo);
    assert_eq!(asked(&mut solo), ["sip:bob@desk.example.com"]);
    assert_eq!(solo.take_names(), ["Answered"]);
    // The callee repeats its answer meanwhile, and the user hangs up.
    solo.receive(&ok);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    assert!(solo.sent.is_empty());
    assert_eq!(asked(&mut solo), Vec::<String>::new(), "the name is being followed already");
    resolve(&mut solo, "sip:bob@desk.example.com", &[FIRST, SECOND]);
    assert!(solo.sent.iter().all(|(flow, _)| flow.remote == at(FIRST)));
    let bye = solo.last().clone();
    assert_eq!(solo.take_lines(), ["ACK", "BYE"]);
    solo.receive_from(at(FIRST), bye.response_to(StatusCode::OK, None).build().bytes());
    assert_eq!(solo.take_names(), ["Ended"]);
    // The repeat of an answer gets the same ACK at the same place.
    solo.receive(&ok);
    assert_eq!(solo.sent.last().unwrap().0.remote, at(FIRST));
    assert_eq!(solo.take_lines(), ["ACK"]);
    solo.settle();
}

#[test]
fn a_repeated_answer_to_a_reoffer_is_no_second_one() {
    let mut solo = solo();
    let (id, _) = solo.established();
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let reoffer = solo.last().clone();
    solo.take_lines();
    let ok = answer(&reoffer, StatusCode::OK, "bob")
        .set(HeaderName::Contact, "<sip:bob@desk.example.com>")
        .body("application/sdp", SDP)
        .build();
    solo.receive(&ok);
    solo.receive(&ok);
    assert_eq!(asked(&mut solo), ["sip:bob@desk.example.com"]);
    assert_eq!(solo.take_names(), ["Modified"]);
    resolve(&mut solo, "sip:bob@desk.example.com", &[FIRST]);
    assert_eq!(solo.take_lines(), ["ACK"]);
}

#[test]
fn a_request_in_a_dialog_fails_over_with_the_next_number() {
    let mut solo = solo();
    let (id, _) = answered_by_name(&mut solo);
    asked(&mut solo);
    resolve(&mut solo, "sip:bob@desk.example.com", &[FIRST, SECOND]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    assert_eq!(asked(&mut solo), ["sip:bob@desk.example.com"], "each request follows it");
    resolve(&mut solo, "sip:bob@desk.example.com", &[FIRST, SECOND]);
    let bye = solo.last().clone();
    let busy = bye.response_to(StatusCode::SERVICE_UNAVAILABLE, None).build();
    solo.receive_from(at(FIRST), busy.bytes());
    let (flow, again) = solo.sent.last().unwrap().clone();
    assert_eq!((flow.remote, again.method()), (at(SECOND), Method::Bye));
    assert_eq!(again.cseq().unwrap().number, bye.cseq().unwrap().number + 1);
    assert_eq!(moves(&solo), [(Method::Bye, at(FIRST), at(SECOND), Abandoned::Unavailable)]);
    solo.receive_from(at(SECOND), again.response_to(StatusCode::OK, None).build().bytes());
    solo.settle();
}

#[test]
fn a_name_that_leads_nowhere_leaves_the_path_by_which_the_dialog_came() {
    let mut solo = solo();
    let (id, _) = answered_by_name(&mut solo);
    asked(&mut solo);
    resolve(&mut solo, "sip:bob@desk.example.com", &[]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    resolve(&mut solo, "sip:bob@desk.example.com", &[]);
    assert!(solo.sent.iter().all(|(flow, _)| flow.remote == peer()));
    let bye = solo.last().clone();
    solo.receive(&bye.response_to(StatusCode::OK, None).build());
    assert_eq!(solo.take_lines(), ["ACK", "BYE"]);
    solo.settle();
}

#[test]
fn a_dialog_by_number_asks_nobody() {
    let mut solo = solo();
    let (id, _) = solo.established();
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    assert_eq!((asked(&mut solo), solo.take_lines()), (Vec::new(), vec!["BYE".to_owned()]));
}

#[test]
fn a_call_that_is_given_up_while_its_name_is_followed_is_not_made() {
    let mut solo = solo();
    let destination = Destination::named(uri("sip:bob@example.com"));
    let invite = offhook_sip::session::Invite::new(
        uri("sip:bob@example.com"),
        address("<sip:alice@192.0.2.1>"),
        destination,
    );
    let id = solo.act(|agent, now| agent.invite(now, invite));
    assert_eq!(asked(&mut solo), ["sip:bob@example.com"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    resolve(&mut solo, "sip:bob@example.com", &[FIRST]);
    assert!(solo.sent.is_empty());
    let events = solo.take_session_events();
    assert!(matches!(events.as_slice(), [SessionEvent::Ended { cause: EndCause::Cancel, .. }]), "{events:?}");
    solo.settle();
}

#[test]
fn a_call_that_was_canceled_does_not_fail_over() {
    let mut solo = solo();
    let candidates = [FIRST, SECOND].map(|place| (Transport::Udp, at(place))).to_vec();
    let invite = offhook_sip::session::Invite::new(
        uri("sip:bob@example.com"),
        address("<sip:alice@192.0.2.1>"),
        Destination::among(candidates),
    );
    let id = solo.act(|agent, now| agent.invite(now, invite));
    let invite = solo.last().clone();
    solo.receive_from(at(FIRST), invite.response_to(StatusCode::TRYING, None).build().bytes());
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    assert_eq!(solo.sent.last().unwrap().0.remote, at(FIRST), "CANCEL goes where the INVITE went");
    assert_eq!(solo.last().top_via().unwrap().branch(), invite.top_via().unwrap().branch());
    let unavailable = invite.response_to(StatusCode::SERVICE_UNAVAILABLE, None).to_tag("x").build();
    solo.receive_from(at(FIRST), unavailable.bytes());
    assert!(solo.sent.iter().all(|(flow, _)| flow.remote == at(FIRST)));
    assert_eq!(moves(&solo), []);
}
