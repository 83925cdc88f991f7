//! Registration against a registrar that the test plays: 423, back-off, keep-alive, overlapping
//! requests.

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
fn a_removal_that_is_refused_as_too_brief_makes_no_binding() {
    let mut solo = Solo::new();
    let id = register(&mut solo);
    accept(&mut solo, 3_600);
    solo.act(|agent, now| agent.unregister(now, id));
    let before = solo.sent.len();
    reply(&mut solo, StatusCode::INTERVAL_TOO_BRIEF, |reply| reply.header(HeaderName::MinExpires, 7_200));
    assert_eq!(solo.sent.len(), before, "{:?}", solo.last().expires());
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

fn anomalies(solo: &Solo) -> Vec<String> {
    let what =
        |event: &Event| if let Event::Anomaly { what, .. } = event { Some(what.to_string()) } else { None };
    solo.events.iter().filter_map(what).collect()
}

#[test]
fn an_answer_that_does_not_list_our_contact_is_no_binding_and_is_tried_again() {
    for contact in [None, Some("<sip:bob@192.0.2.99>;expires=60"), Some("<sip:alice")] {
        let mut solo = Solo::new();
        register(&mut solo);
        reply(&mut solo, StatusCode::OK, |reply| {
            reply.header_opt(HeaderName::Contact, contact).header(HeaderName::Expires, 60)
        });
        let unlisted = "a 2xx to REGISTER that does not list our contact".to_owned();
        assert!(anomalies(&solo).contains(&unlisted), "{contact:?}: {:?}", solo.events);
        let events = take(&mut solo);
        let [RegistrationEvent::Failed { status: Some(StatusCode::OK), retry_in: Some(wait), .. }] =
            events.as_slice()
        else {
            panic!("{contact:?}: {events:?}")
        };
        solo.take_lines();
        solo.wait(*wait);
        let again = solo.last().clone();
        assert_eq!(solo.take_lines(), ["REGISTER"]);
        solo.receive(&again.response_to(StatusCode::OK, None).copy(HeaderName::Contact).build());
        assert!(matches!(take(&mut solo).as_slice(), [RegistrationEvent::Registered { .. }]));
    }
}

#[test]
fn a_contact_that_was_rewritten_on_the_way_is_ours_by_its_user() {
    let mut solo = Solo::new();
    register(&mut solo);
    reply(&mut solo, StatusCode::OK, |reply| {
        let listed = "<sip:bob@192.0.2.9>;expires=7, <sip:alice@203.0.113.5:40000>;expires=90";
        reply.header(HeaderName::Contact, listed)
    });
    let events = take(&mut solo);
    let [RegistrationEvent::Registered { expires, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(*expires, Duration::from_secs(90));
}

#[test]
fn no_lifetime_and_no_wait_beyond_a_day_is_believed() {
    let day = Duration::from_secs(24 * 3600);
    let mut solo = Solo::new();
    let id = register(&mut solo);
    accept(&mut solo, u32::MAX);
    assert_eq!(anomalies(&solo), ["a binding for 4294967295 s, which counts as one for 86400 s"]);
    let events = take(&mut solo);
    let [RegistrationEvent::Registered { expires, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(*expires, day);
    solo.act(|agent, now| agent.refresh(now, id));
    reply(&mut solo, StatusCode::SERVICE_UNAVAILABLE, |reply| reply.header(HeaderName::RetryAfter, u32::MAX));
    assert!(retry_in(&mut solo).unwrap() <= day + day / 10);
    solo.act(|agent, now| agent.refresh(now, id));
    reply(&mut solo, StatusCode::INTERVAL_TOO_BRIEF, |reply| reply.header(HeaderName::MinExpires, u32::MAX));
    assert_eq!(retry_in(&mut solo), None);
}

#[test]
fn ever_new_realms_are_answered_for_five_rounds() {
    let mut solo = Solo::new();
    let id = register(&mut solo);
    for request in 0..2 {
        let mut rounds = 0;
        while solo.last().method() == offhook_sip::message::Method::Register && rounds < 20 {
            let before = solo.sent.len();
            let challenge = format!("Digest realm=\"r{request}-{rounds}\", nonce=\"n\", algorithm=MD5");
            reply(&mut solo, StatusCode::UNAUTHORIZED, |reply| {
                reply.header(HeaderName::WwwAuthenticate, challenge)
            });
            if solo.sent.len() == before {
                break;
            }
            rounds += 1;
        }
        assert_eq!(rounds, 5);
        assert_eq!(retry_in(&mut solo), None);
        // What was remembered is bounded too.
        assert!(solo.last().values(HeaderName::Authorization).len() <= 5);
        solo.act(|agent, now| agent.refresh(now, id));
    }
}

#[test]
fn bindings_of_others_decide_nothing_about_ours() {
    let mut solo = Solo::new();
    register(&mut solo);
    // Something on the path has put in the address that it sees; a binding of an earlier start has
    // little time left.
    reply(&mut solo, StatusCode::OK, |reply| {
        reply.header(
            HeaderName::Contact,
            "<sip:alice@[bad]>;expires=9, <sip:alice@198.51.100.1:7>;expires=0, <sip:alice@198.51.100.1:9>;expires=600",
        )
    });
    let events = take(&mut solo);
    let Some(RegistrationEvent::Registered { expires, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(*expires, Duration::from_secs(600));
}
