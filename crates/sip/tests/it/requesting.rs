//! Requests outside any session: challenge, time-out, fail-over, provisional responses, what they carry.

use crate::cast::{Guard, address, finish, pair, uri};
use crate::solo::{Solo, peer};
use offhook_sip::auth::Credentials;
use offhook_sip::message::{HeaderName, Message, Method, StatusCode};
use offhook_sip::testkit::{Network, Side};
use offhook_sip::user_agent::{
    Body, Destination, Event, Flow, Input, OutOfDialog, RequestFailure, RequestId, Transport,
};
use std::time::Duration;

fn request(method: Method, destination: Destination) -> OutOfDialog {
    let (from, to) = (address("<sip:alice@192.0.2.1>"), address("<sip:bob@192.0.2.2>"));
    OutOfDialog::new(method, uri("sip:bob@192.0.2.2"), from, to, destination)
}

pub(crate) fn message(destination: Destination) -> OutOfDialog {
    let mut message = request(Method::Message, destination);
    message.body = Some(Body { content_type: "text/plain".to_owned(), bytes: b"hello".to_vec() });
    message.credentials = Some(Credentials::new("alice", "secret"));
    message
}

type Outcome = (RequestId, bool, Result<u16, RequestFailure>);

fn outcomes(events: impl IntoIterator<Item = Event>) -> Vec<Outcome> {
    let outcome = |event| {
        let Event::Response { id, provisional, outcome } = event else { return None };
        Some((id, provisional, outcome.map(|message| message.status().unwrap().code())))
    };
    events.into_iter().filter_map(outcome).collect()
}

fn take(solo: &mut Solo) -> Vec<Outcome> {
    outcomes(std::mem::take(&mut solo.events))
}

#[test]
fn a_message_is_challenged_and_delivered() {
    let mut pair = pair(Network::default());
    let mut guard = Guard::registrar();
    guard.methods = vec![Method::Message];
    pair.script(Side::B, guard);
    let what = message(Destination::udp(pair.b.address));
    let id = pair.act(Side::A, |agent, now| agent.request(now, what));
    finish(&mut pair);
    let events = pair.a.events.iter().map(|(_, event)| event.clone());
    assert_eq!(outcomes(events), [(id, false, Ok(200))]);
    let bodies: Vec<Vec<u8>> = crate::cast::requests(&pair, Side::A, &Method::Message)
        .iter()
        .map(|message| message.body().to_vec())
        .collect();
    assert_eq!(bodies, [b"hello".to_vec(), b"hello".to_vec()]);
}

#[test]
fn a_contact_stands_only_where_it_belongs() {
    let mut solo = Solo::new();
    for (method, expected) in [
        (Method::Message, None),
        // RFC 3665 §2.3: a REGISTER without Contact asks for the list.
        (Method::Register, None),
        (Method::Options, Some("<sip:alice@192.0.2.1:5060>")),
        (Method::Subscribe, Some("<sip:alice@192.0.2.1:5060>")),
    ] {
        let what = request(method.clone(), Destination::udp(peer()));
        solo.act(|agent, now| agent.request(now, what));
        assert_eq!(solo.last().header(HeaderName::Contact).as_deref(), expected, "{method}");
    }
    let mut own = request(Method::Subscribe, Destination::udp(peer()));
    own.headers.push((HeaderName::Contact, "<sip:me@192.0.2.1>".to_owned()));
    solo.act(|agent, now| agent.request(now, own));
    assert_eq!(solo.last().values(HeaderName::Contact), ["<sip:me@192.0.2.1>"]);
    solo.settle();
}

#[test]
fn a_request_that_continues_a_dialog_keeps_its_identity() {
    let mut solo = Solo::new();
    let mut what = request(Method::Subscribe, Destination::udp(peer()));
    what.from = address("<sip:alice@192.0.2.1>;tag=mine");
    what.to = address("<sip:bob@192.0.2.2>;tag=theirs");
    what.call_id = Some("subscription".to_owned());
    what.cseq = Some(42);
    solo.act(|agent, now| agent.request(now, what));
    let sent: Message = solo.last().clone();
    assert_eq!(sent.from().unwrap().tag(), Some("mine"));
    assert_eq!(sent.to().unwrap().tag(), Some("theirs"));
    assert_eq!(sent.call_id().unwrap(), "subscription");
    assert_eq!(sent.cseq().unwrap().number, 42);
    solo.settle();
}

#[test]
fn provisional_responses_are_reported_and_the_final_one_ends_it() {
    let mut solo = Solo::new();
    let id = solo.act(|agent, now| agent.request(now, request(Method::Options, Destination::udp(peer()))));
    let sent = solo.last().clone();
    solo.receive(&sent.response_to(StatusCode::TRYING, None).build());
    solo.receive(&sent.response_to(StatusCode::NOT_FOUND, None).to_tag("x").build());
    solo.receive(&sent.response_to(StatusCode::NOT_FOUND, None).to_tag("x").build());
    assert_eq!(take(&mut solo), [(id, true, Ok(100)), (id, false, Ok(404))]);
    solo.settle();
}

#[test]
fn silence_and_dead_transports_are_told_apart() {
    let mut solo = Solo::new();
    let id = solo.act(|agent, now| agent.request(now, message(Destination::udp(peer()))));
    solo.wait(Duration::from_millis(31_600));
    // Timer E: after 0.5, 1.5 and 3.5 seconds and then every four; eleven requests in all (§17.1.2.1).
    assert_eq!(solo.take_lines().len(), 11);
    assert_eq!(take(&mut solo), []);
    solo.wait(Duration::from_secs(2));
    assert_eq!(take(&mut solo), [(id, false, Err(RequestFailure::Timeout))]);
    let id = solo.act(|agent, now| agent.request(now, message(Destination::udp(peer()))));
    let flow = Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote: peer() };
    solo.act(|agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
    assert_eq!(take(&mut solo), [(id, false, Err(RequestFailure::Transport))]);
    let id = solo.act(|agent, now| agent.request(now, message(Destination::default())));
    assert_eq!(take(&mut solo), [(id, false, Err(RequestFailure::NoDestination))]);
    solo.settle();
}

#[test]
fn the_second_candidate_gets_what_the_first_did_not_answer() {
    let mut solo = Solo::new();
    let candidates =
        ["192.0.2.11:5060", "192.0.2.2:5060"].map(|text| (Transport::Udp, text.parse().unwrap())).to_vec();
    let id = solo.act(|agent, now| agent.request(now, message(Destination::among(candidates))));
    solo.wait(Duration::from_secs(32));
    let (flow, sent) = solo.sent.last().unwrap().clone();
    assert_eq!(flow.remote, peer());
    solo.receive(&sent.response_to(StatusCode::OK, None).to_tag("x").build());
    assert_eq!(take(&mut solo), [(id, false, Ok(200))]);
    solo.settle();
}

#[test]
fn a_line_break_in_a_header_value_starts_no_header() {
    let mut solo = Solo::new();
    let mut what = message(Destination::udp(peer()));
    what.headers.push((HeaderName::Subject, "hi\r\nX-Evil: yes".to_owned()));
    solo.act(|agent, now| agent.request(now, what));
    assert_eq!(solo.last().header(HeaderName::Subject).as_deref(), Some("hi X-Evil: yes"));
    assert!(solo.last().headers().all(|field| field.name != HeaderName::Other("X-Evil".into())));
    solo.settle();
}
