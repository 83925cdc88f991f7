//! Registration against a registrar that the test plays: 423, back-off, keep-alive, overlapping wishes.

use crate::cast::{pair, registration, uri};
use crate::solo::{Solo, peer};
use offhook_sip::message::{Builder, HeaderName, Message, StatusCode};
use offhook_sip::registration::{RegistrationEvent, RegistrationTimer};
use offhook_sip::testkit::Network;
use offhook_sip::user_agent::{Event, Flow, Input, Output, Reason, RegistrationId, Transport};
use std::time::Duration;

fn register(solo: &mut Solo) -> RegistrationId {
    let what = registration(&pair(Network::default()));
    solo.act(|agent, now| agent.register(now, what))
}

fn reply(solo: &mut Solo, status: StatusCode, add: impl FnOnce(Builder) -> Builder) {
    let request = solo.last().clone();
    solo.receive(&add(request.response_to(status, None).to_tag("reg")).build());
}

fn accept(solo: &mut Solo, seconds: u32) {
    let contact = solo.last().header(HeaderName::Contact).unwrap().into_owned();
    reply(solo, StatusCode::OK, |reply| {
        reply.header(
            HeaderName::Contact,
            format!("{contact};expires={seconds}, <sip:alice@192.0.2.99>;expires=7"),
        )
    });
}

fn take(solo: &mut Solo) -> Vec<RegistrationEvent> {
    let events = std::mem::take(&mut solo.events);
    let registration = |event| if let Event::Registration { event, .. } = event { Some(event) } else { None };
    events.into_iter().filter_map(registration).collect()
}

fn retry_in(solo: &mut Solo) -> Option<Duration> {
    let events = take(solo);
    let Some(RegistrationEvent::Failed { retry_in, .. }) = events.last() else { panic!("{events:?}") };
    *retry_in
}

#[test]
fn the_lifetime_of_our_own_contact_counts() {
    let mut solo = Solo::new();
    let id = register(&mut solo);
    let first = solo.last().clone();
    assert_eq!(first.expires().unwrap(), Some(3_600));
    assert_eq!(first.header(HeaderName::Contact).as_deref(), Some("<sip:alice@192.0.2.1:5060>"));
    accept(&mut solo, 120);
    let events = take(&mut solo);
    let [RegistrationEvent::Registered { expires, refresh_in, contact_count: 2, .. }] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((*expires, *refresh_in), (Duration::from_secs(120), Duration::from_secs(85)));
    solo.sent.clear();
    solo.wait(Duration::from_secs(84));
    assert!(solo.sent.is_empty());
    solo.wait(Duration::from_secs(1));
    let second = solo.last().clone();
    // §10.2: the same Call-ID, CSeq one higher.
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    accept(&mut solo, 120);
    solo.act(|agent, now| agent.unregister(now, id));
    assert_eq!(solo.last().expires().unwrap(), Some(0));
    reply(&mut solo, StatusCode::OK, |reply| reply);
    let gone = RegistrationEvent::Unregistered { status: StatusCode::OK };
    assert_eq!(take(&mut solo).last(), Some(&gone));
    solo.settle();
}

#[test]
fn an_interval_that_is_too_brief_is_raised_once() {
    let mut solo = Solo::new();
    register(&mut solo);
    reply(&mut solo, StatusCode::INTERVAL_TOO_BRIEF, |reply| reply.header(HeaderName::MinExpires, 7_200));
    assert_eq!(solo.last().expires().unwrap(), Some(7_200));
    reply(&mut solo, StatusCode::INTERVAL_TOO_BRIEF, |reply| reply.header(HeaderName::MinExpires, 9_000));
    assert_eq!(solo.sent.len(), 2);
    assert_eq!(retry_in(&mut solo), None);
    solo.settle();
}

#[test]
fn failures_back_off_and_a_success_resets_the_wait() {
    let mut solo = Solo::new();
    let id = register(&mut solo);
    let mut waits = Vec::new();
    for _ in 0..7 {
        reply(&mut solo, StatusCode::SERVER_INTERNAL_ERROR, |reply| reply);
        let wait = retry_in(&mut solo).unwrap();
        waits.push(wait.as_secs());
        let before = solo.sent.len();
        solo.wait(wait);
        assert_eq!(solo.sent.len(), before + 1);
    }
    for (wait, least) in waits.iter().zip([30, 60, 120, 240, 480, 600, 600]) {
        assert!(*wait >= least && *wait <= least + least / 10, "{waits:?}");
    }
    accept(&mut solo, 3_600);
    take(&mut solo);
    solo.act(|agent, now| agent.refresh(now, id));
    reply(&mut solo, StatusCode::SERVER_INTERNAL_ERROR, |reply| {
        reply.header(HeaderName::RetryAfter, "200 (later)")
    });
    let wait = retry_in(&mut solo).unwrap();
    assert!(wait >= Duration::from_secs(200) && wait <= Duration::from_secs(220), "{wait:?}");
    solo.act(|agent, now| agent.unregister(now, id));
    reply(&mut solo, StatusCode::OK, |reply| reply);
    solo.settle();
}

#[test]
fn a_refusal_that_no_repeat_cures_waits_for_the_user() {
    for status in [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST] {
        let mut solo = Solo::new();
        let id = register(&mut solo);
        reply(&mut solo, status, |reply| reply);
        assert_eq!(retry_in(&mut solo), None);
        solo.settle();
        assert_eq!(solo.sent.len(), 1);
        solo.act(|agent, now| agent.refresh(now, id));
        assert_eq!(solo.sent.len(), 2);
        accept(&mut solo, 600);
        assert!(matches!(take(&mut solo).as_slice(), [RegistrationEvent::Registered { .. }]));
    }
}

#[test]
fn silence_is_a_failure_that_is_tried_again() {
    let mut solo = Solo::new();
    register(&mut solo);
    solo.wait(Duration::from_secs(32));
    assert!(retry_in(&mut solo).is_some());
    let flow = Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote: peer() };
    solo.wait(Duration::from_secs(34));
    solo.act(|agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
    assert!(retry_in(&mut solo).is_some());
}

#[test]
fn a_binding_without_lifetime_is_no_success() {
    let mut solo = Solo::new();
    register(&mut solo);
    accept(&mut solo, 0);
    assert!(retry_in(&mut solo).unwrap() >= Duration::from_secs(30));
}

#[test]
fn wishes_during_a_register_wait_for_its_outcome() {
    let mut solo = Solo::new();
    let id = register(&mut solo);
    solo.act(|agent, now| {
        agent.refresh(now, id);
        agent.unregister(now, id);
        agent.refresh(now, id);
    });
    assert_eq!(solo.sent.len(), 1);
    accept(&mut solo, 3_600);
    assert_eq!(solo.sent.len(), 2);
    assert_eq!(solo.last().expires().unwrap(), Some(0));
    reply(&mut solo, StatusCode::OK, |reply| reply);
    assert_eq!(solo.agent.registrations(), 0);
    // A dead handle is ignored.
    solo.act(|agent, now| {
        agent.refresh(now, id);
        agent.unregister(now, id);
    });
    assert_eq!(solo.sent.len(), 2);
    solo.settle();
}

#[test]
fn a_registered_flow_is_pinged() {
    let mut solo = Solo::with(|config| config.keep_alive = Some(Duration::from_secs(20)));
    register(&mut solo);
    accept(&mut solo, 3_600);
    let now = solo.now + Duration::from_secs(20);
    solo.agent.handle_input(now, Input::Timeout);
    // Timer K of the REGISTER is due too, and says so first.
    let keep_alive = Reason::Registration(RegistrationTimer::KeepAlive);
    let mut outputs = (0..9).map(|_| solo.agent.poll_output());
    assert!(outputs.any(|output| matches!(output, Output::Fired(reason) if reason == keep_alive)));
    let Some(Output::Transmit(ping)) = outputs.next() else { panic!("no ping") };
    assert_eq!(ping.bytes(), b"\r\n\r\n");
    assert_eq!(ping.flow.remote, peer());
    assert!(ping.message().is_none());
}

#[test]
fn the_parts_of_the_contact_are_ours_to_choose() {
    let mut solo = Solo::new();
    let mut what = registration(&pair(Network::default()));
    what.contact_user = Some("line one".to_owned());
    what.contact_params = ";+sip.instance=\"<urn:uuid:1>\"".to_owned();
    what.display = Some("Alice \"A\"".to_owned());
    what.registrar = uri("sip:lab.example.com");
    solo.act(|agent, now| agent.register(now, what));
    let request: Message = solo.last().clone();
    assert_eq!(
        request.header(HeaderName::Contact).as_deref(),
        Some("<sip:line%20one@192.0.2.1:5060>;+sip.instance=\"<urn:uuid:1>\"")
    );
    assert_eq!(request.from().unwrap().display.as_deref(), Some("Alice \"A\""));
    assert_eq!(request.request_uri_text(), Some("sip:lab.example.com"));
    accept(&mut solo, 50);
    assert!(matches!(take(&mut solo).as_slice(), [RegistrationEvent::Registered { contact_count: 2, .. }]));
}
