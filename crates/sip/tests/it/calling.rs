//! The caller against a peer that the test plays: forks, races, routes, offers in 2xx, fail-over, TCP for large requests.

use crate::cast::{address, uri};
use crate::solo::{Solo, answer, in_dialog, ok, peer};
use offhook_sip::message::{HeaderName, Method, StatusCode};
use offhook_sip::session::{EndCause, Ending, Invite, Party, SessionError, SessionEvent, Surplus};
use offhook_sip::testkit::SDP;
use offhook_sip::transaction::TimerName;
use offhook_sip::user_agent::{Body, Destination, Event, Flow, Input, Transport};
use std::time::Duration;

#[test]
fn the_second_answer_of_a_forked_call_is_acknowledged_and_ended() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    solo.receive(&answer(&invite, StatusCode::RINGING, "desk").build());
    solo.receive(&answer(&invite, StatusCode::RINGING, "mobile").build());
    assert_eq!(solo.agent.session(id).unwrap().early.len(), 2);
    solo.receive(&ok(&invite, "mobile"));
    solo.sent.clear();
    solo.receive(&ok(&invite, "desk"));
    assert_eq!(solo.take_lines(), ["ACK", "BYE"]);
    // Its repeat gets the same ACK again and no second BYE.
    solo.receive(&ok(&invite, "desk"));
    assert_eq!(solo.take_lines(), ["ACK"]);
    let surplus = solo.take_session_events().into_iter().find_map(|event| {
        let SessionEvent::SurplusAnswer { message, why } = event else { return None };
        Some((message.to().unwrap().tag().unwrap().to_owned(), why))
    });
    assert_eq!(surplus, Some(("desk".to_owned(), Surplus::Fork)));
    assert_eq!(solo.agent.session(id).unwrap().dialog.unwrap().remote_tag, "mobile");
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_lost_ack_is_sent_again_for_every_repeated_200() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    for _ in 0..3 {
        solo.receive(&ok(&invite, "bob"));
    }
    let acks: Vec<_> = solo.sent.iter().filter(|(_, message)| message.method() == Method::Ack).collect();
    assert_eq!(acks.len(), 3);
    assert!(acks.iter().all(|(_, ack)| ack.bytes() == acks[0].1.bytes()));
    assert_eq!(solo.take_names(), ["Answered"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    solo.receive(&answer(&invite, StatusCode::RINGING, "bob").build());
    assert_eq!(solo.act(|agent, now| agent.hang_up(now, id, Vec::new())), Ok(Ending::Cancel));
    solo.sent.clear();
    solo.receive(&ok(&invite, "bob"));
    let bye = solo.last().clone();
    assert_eq!(solo.take_lines(), ["ACK", "BYE"]);
    solo.receive(&bye.response_to(StatusCode::OK, None).build());
    let events = solo.take_session_events();
    assert!(matches!(
        events.as_slice(),
        [
            SessionEvent::Provisional { .. },
            SessionEvent::SurplusAnswer { why: Surplus::Canceled, .. },
            SessionEvent::Ended { by: Party::Local, cause: EndCause::Cancel, .. }
        ]
    ));
    solo.settle();
}

#[test]
fn a_canceled_call_without_any_final_response_ends_after_its_limit() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    solo.receive(&answer(&invite, StatusCode::RINGING, "bob").build());
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.wait(Duration::from_secs(31));
    assert_eq!(solo.take_names(), ["Provisional"]);
    solo.wait(Duration::from_secs(2));
    assert_eq!(solo.take_names(), ["Ended"]);
    solo.settle();
}

#[test]
fn a_loose_route_set_is_kept_and_a_strict_one_swaps_with_the_target() {
    for (route, uri_text, routes) in [
        (
            "<sip:p1.example.com;lr>, <sip:192.0.2.9:5070;lr>",
            "sip:bob@192.0.2.2",
            vec!["<sip:192.0.2.9:5070;lr>", "<sip:p1.example.com;lr>"],
        ),
        (
            "<sip:p1.example.com;lr>, <sip:192.0.2.9:5070>",
            "sip:192.0.2.9:5070",
            vec!["<sip:p1.example.com;lr>", "<sip:bob@192.0.2.2>"],
        ),
    ] {
        let mut solo = Solo::new();
        let id = solo.call(true);
        let invite = solo.last().clone();
        let answered = answer(&invite, StatusCode::OK, "bob").header(HeaderName::RecordRoute, route);
        solo.receive(&answered.body("application/sdp", SDP).build());
        let (flow, ack) = solo.sent.last().unwrap();
        // The topmost route is a number, so the ACK goes there.
        assert_eq!(flow.remote, "192.0.2.9:5070".parse().unwrap());
        assert_eq!(ack.request_uri_text(), Some(uri_text));
        assert_eq!(ack.values(HeaderName::Route), routes);
        solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
        assert_eq!(solo.last().values(HeaderName::Route), routes);
        solo.settle();
    }
}

#[test]
fn a_target_that_is_a_name_is_reached_by_the_flow_of_the_dialog() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    let answered = invite.response_to(StatusCode::OK, None).to_tag("bob");
    let answered = answered.header(HeaderName::Contact, "<sip:bob@pbx.example.com>");
    solo.receive(&answered.body("application/sdp", SDP).build());
    assert_eq!(solo.sent.last().unwrap().0.remote, peer());
    assert_eq!(solo.last().request_uri_text(), Some("sip:bob@pbx.example.com"));
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

/// RFC 3263 §4.1: UDP to a numeric address that names no transport, unless it is where the connection leads already.
#[test]
fn a_contact_by_number_is_reached_by_the_transport_that_it_names_else_by_udp() {
    for (contact, transport, place) in [
        ("sip:bob@192.0.2.2", Transport::Tcp, "192.0.2.2:5060"),
        ("sip:bob@192.0.2.2:5060", Transport::Tcp, "192.0.2.2:5060"),
        ("sip:bob@192.0.2.2:5070", Transport::Udp, "192.0.2.2:5070"),
        ("sip:bob@192.0.2.9", Transport::Udp, "192.0.2.9:5060"),
        ("sip:bob@192.0.2.2:5070;transport=tcp", Transport::Tcp, "192.0.2.2:5070"),
        ("sip:bob@192.0.2.2;transport=udp", Transport::Udp, "192.0.2.2:5060"),
    ] {
        let local = "192.0.2.1:5060".parse().unwrap();
        let mut solo = Solo::with(|config| {
            config.local.insert(Transport::Tcp, local);
        });
        let destination = Destination::among(vec![(Transport::Tcp, peer())]);
        let mut invite = Invite::new(uri("sip:bob@192.0.2.2"), address("<sip:alice@192.0.2.1>"), destination);
        invite.body = Some(Body::sdp(SDP));
        let id = solo.act(|agent, now| agent.invite(now, invite));
        let (flow, invite) = solo.sent.last().unwrap().clone();
        assert_eq!((flow.transport, flow.remote), (Transport::Tcp, peer()));
        let answered = invite.response_to(StatusCode::OK, None).to_tag("bob");
        let answered =
            answered.header(HeaderName::Contact, format!("<{contact}>")).body("application/sdp", SDP);
        let answered = answered.build();
        solo.act(|agent, now| agent.handle_input(now, Input::Message { flow, message: &answered }));
        solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
        for method in [Method::Ack, Method::Bye] {
            let (flow, _) = solo.sent.iter().find(|(_, sent)| sent.method() == method).unwrap();
            assert_eq!(
                (flow.transport, flow.remote),
                (transport, place.parse().unwrap()),
                "{method} {contact}"
            );
        }
        solo.settle();
    }
}

#[test]
fn an_offer_in_the_200_is_answered_in_the_ack() {
    let mut solo = Solo::new();
    let id = solo.call(false);
    let invite = solo.last().clone();
    solo.sent.clear();
    solo.receive(&ok(&invite, "bob"));
    assert_eq!(solo.take_lines(), Vec::<String>::new());
    // A repeat is not reported while the answer is being made.
    solo.receive(&ok(&invite, "bob"));
    assert_eq!(solo.take_names(), ["Answered"]);
    assert_eq!(solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))), Err(SessionError::Pending));
    solo.act(|agent, now| agent.acknowledge(now, id, Body::sdp("v=0\r\n"))).unwrap();
    assert_eq!(solo.last().sdp(), Some(&b"v=0\r\n"[..]));
    assert!(solo.act(|agent, now| agent.acknowledge(now, id, Body::sdp("v=0\r\n"))).is_err());
    solo.take_lines();
    solo.receive(&ok(&invite, "bob"));
    assert_eq!(solo.take_lines(), ["ACK"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn the_next_candidate_is_tried_after_503_and_after_a_transport_failure() {
    let mut solo = Solo::new();
    let (first, second, third) = ("192.0.2.11:5060", "192.0.2.12:5060", "192.0.2.13:5060");
    let candidates = [first, second, third].map(|text| (Transport::Udp, text.parse().unwrap())).to_vec();
    let mut invite = Invite::new(
        uri("sip:bob@example.com"),
        address("<sip:alice@192.0.2.1>"),
        Destination::among(candidates),
    );
    invite.body = Some(Body::sdp(SDP));
    solo.act(|agent, now| agent.invite(now, invite));
    let (_, request) = solo.sent.last().unwrap().clone();
    solo.receive_from(
        first.parse().unwrap(),
        request.response_to(StatusCode::SERVICE_UNAVAILABLE, None).to_tag("x").build().bytes(),
    );
    assert_eq!(solo.sent.last().unwrap().0.remote, second.parse().unwrap());
    let flow = solo.sent.last().unwrap().0;
    solo.act(|agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
    let (flow, last) = solo.sent.last().unwrap().clone();
    assert_eq!(flow.remote, third.parse().unwrap());
    // RFC 3263 §4.3: the same request but for its branch. The first place got an ACK for its 503 in between.
    let invites: Vec<_> =
        solo.sent.iter().map(|(_, sent)| sent).filter(|sent| sent.method() == Method::Invite).collect();
    assert_eq!(invites.len(), 3);
    for (one, next) in invites.iter().zip(&invites[1..]) {
        assert_eq!(one.cseq().unwrap().number, next.cseq().unwrap().number);
        assert_eq!(one.call_id().unwrap(), next.call_id().unwrap());
        assert_ne!(one.top_via().unwrap().branch(), next.top_via().unwrap().branch());
    }
    assert_eq!(last.cseq().unwrap(), request.cseq().unwrap());
    let moved = |event: &Event| {
        let Event::FailedOver { method, from, to, why, .. } = event else { return None };
        Some(format!("{method} {} -> {}: {why}", from.remote, to.1))
    };
    let moves: Vec<_> = solo.events.iter().filter_map(moved).collect();
    assert_eq!(
        moves,
        [
            format!("INVITE {first} -> {second}: 503 Service Unavailable"),
            format!("INVITE {second} -> {third}: the transport failed"),
        ]
    );
    solo.act(|agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
    assert_eq!(solo.take_names(), ["Ended"]);
    assert_eq!(solo.take_lines(), ["INVITE", "ACK", "INVITE", "INVITE"]);
    solo.settle();
}

#[test]
fn a_large_request_goes_by_tcp_and_falls_back_to_datagrams() {
    let mut solo = Solo::with(|config| {
        let udp = config.local[&Transport::Udp];
        config.local.insert(Transport::Tcp, udp);
    });
    let mut invite =
        Invite::new(uri("sip:bob@192.0.2.2"), address("<sip:alice@192.0.2.1>"), Destination::udp(peer()));
    invite.body = Some(Body::sdp("a".repeat(1_400)));
    solo.act(|agent, now| agent.invite(now, invite));
    let (flow, request) = solo.sent.last().unwrap().clone();
    assert_eq!(flow.transport, Transport::Tcp);
    assert!(request.header(HeaderName::Via).unwrap().starts_with("SIP/2.0/TCP"));
    assert!(request.header(HeaderName::Contact).unwrap().contains("transport=tcp"));
    solo.act(|agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
    let (flow, again) = solo.sent.last().unwrap().clone();
    assert_eq!(flow.transport, Transport::Udp);
    assert_eq!(again.cseq(), request.cseq());
    assert!(again.header(HeaderName::Via).unwrap().starts_with("SIP/2.0/UDP"));
    solo.settle();
}

#[test]
fn a_request_that_no_transport_reaches_ends_at_once() {
    let mut solo = Solo::new();
    let destination = Destination::tcp(peer());
    let invite = Invite::new(uri("sip:bob@192.0.2.2"), address("<sip:alice@192.0.2.1>"), destination);
    let id = solo.act(|agent, now| agent.invite(now, invite));
    assert!(solo.sent.is_empty());
    let events = solo.take_session_events();
    assert!(
        matches!(events.as_slice(), [SessionEvent::Ended { cause: EndCause::Unsent(_), .. }]),
        "{events:?}"
    );
    assert_eq!(solo.act(|agent, now| agent.hang_up(now, id, Vec::new())), Ok(Ending::Already));
    solo.settle();
}

#[test]
fn glare_is_over_after_a_random_time_and_asks_for_a_new_offer() {
    let mut solo = Solo::new();
    let (id, _) = solo.established();
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let first = solo.last().clone();
    solo.receive(&first.response_to(StatusCode::REQUEST_PENDING, None).build());
    let retry_in = match solo.take_session_events().as_slice() {
        [SessionEvent::Glare { retry_in }] => *retry_in,
        other => panic!("{other:?}"),
    };
    assert!(retry_in >= Duration::from_millis(2_100) && retry_in < Duration::from_secs(4));
    assert_eq!(solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))), Err(SessionError::Pending));
    solo.take_lines();
    solo.wait(retry_in);
    assert_eq!(solo.take_lines(), Vec::<String>::new());
    assert_eq!(solo.take_names(), ["GlareOver"]);
    let newer = SDP.replace("o=- 1 1", "o=- 1 2");
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(newer.clone()))).unwrap();
    assert_eq!(solo.last().sdp(), Some(newer.as_bytes()));
    solo.wait(Duration::from_secs(40));
    // Nobody answered the second one either.
    let events = solo.take_session_events();
    assert!(
        matches!(events.as_slice(), [SessionEvent::Ending { cause: EndCause::Timeout(TimerName::B) }]),
        "the BYE that follows a dead re-INVITE is still under way: {events:?}"
    );
    solo.wait(Duration::from_secs(40));
    let events = solo.take_session_events();
    let cause = EndCause::Timeout(TimerName::B);
    assert!(matches!(events.as_slice(), [SessionEvent::Ended { cause: c, .. }] if *c == cause), "{events:?}");
    solo.settle();
}

#[test]
fn a_refused_reinvite_leaves_the_session_and_481_ends_it() {
    let mut solo = Solo::new();
    let (id, _) = solo.established();
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let reinvite = solo.last().clone();
    solo.receive(&reinvite.response_to(StatusCode::NOT_ACCEPTABLE_HERE, None).build());
    assert_eq!(solo.take_names(), ["ModifyFailed"]);
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let reinvite = solo.last().clone();
    solo.receive(&reinvite.response_to(StatusCode::CALL_DOES_NOT_EXIST, None).build());
    assert_eq!(solo.last().method(), Method::Bye);
    let bye = solo.last().clone();
    solo.receive(&bye.response_to(StatusCode::CALL_DOES_NOT_EXIST, None).build());
    let events = solo.take_session_events();
    let gone = EndCause::DialogGone(StatusCode::CALL_DOES_NOT_EXIST);
    assert!(
        matches!(events.as_slice(), [SessionEvent::Ending { cause: one }, SessionEvent::Ended { cause: two, .. }]
            if (*one, *two) == (gone, gone)),
        "{events:?}"
    );
    solo.settle();
}

#[test]
fn a_bye_during_our_reinvite_ends_the_session_and_the_late_200_is_acknowledged() {
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let reinvite = solo.last().clone();
    solo.take_lines();
    solo.receive(&in_dialog(&invite, "bob", &Method::Bye, 1).build());
    assert_eq!(solo.take_lines(), ["200 BYE"]);
    assert_eq!(solo.take_names(), ["Ended"]);
    solo.receive(&ok(&reinvite, "bob"));
    assert_eq!(solo.take_lines(), ["ACK"]);
    assert_eq!(solo.take_names(), Vec::<String>::new());
    solo.settle();
}

#[test]
fn both_sides_hanging_up_at_once_end_the_session_once() {
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    let bye = solo.last().clone();
    solo.receive(&in_dialog(&invite, "bob", &Method::Bye, 1).build());
    solo.receive(&bye.response_to(StatusCode::CALL_DOES_NOT_EXIST, None).build());
    assert_eq!(solo.take_lines(), ["BYE", "200 BYE"]);
    assert_eq!(solo.take_names(), ["Ended"]);
    solo.settle();
}

#[test]
fn a_bye_is_challenged_and_sent_again_with_credentials() {
    let mut solo = Solo::new();
    let (id, _) = solo.established();
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    let bye = solo.last().clone();
    let challenge = bye.response_to(StatusCode::UNAUTHORIZED, None);
    let challenge = challenge.header(HeaderName::WwwAuthenticate, "Digest realm=\"r\", nonce=\"n\"");
    solo.receive(&challenge.build());
    let again = solo.last().clone();
    assert_eq!(again.cseq().unwrap().number, bye.cseq().unwrap().number + 1);
    assert!(again.has(HeaderName::Authorization));
    // A second refusal with the same realm is final.
    let refused = again.response_to(StatusCode::UNAUTHORIZED, None);
    let refused = refused.header(HeaderName::WwwAuthenticate, "Digest realm=\"r\", nonce=\"n2\"");
    solo.receive(&refused.build());
    assert_eq!(solo.take_lines(), ["BYE", "BYE"]);
    assert_eq!(solo.take_names(), ["Ended"]);
    solo.settle();
}

#[test]
fn a_provisional_response_is_reported_once_however_often_it_comes() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    let ringing = answer(&invite, StatusCode::RINGING, "bob").build();
    solo.receive(&ringing);
    solo.receive(&ringing);
    solo.receive(&answer(&invite, StatusCode::SESSION_PROGRESS, "bob").build());
    assert_eq!(solo.take_names(), ["Provisional", "Provisional"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_stray_response_and_a_response_with_two_vias_are_anomalies() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    let misrouted = answer(&invite, StatusCode::OK, "bob").header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9");
    solo.receive(&misrouted.build());
    let other = answer(&invite, StatusCode::OK, "bob");
    let other = other.set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnobody");
    solo.receive(&other.build());
    assert_eq!(solo.take_anomalies(), ["UnusableResponse", "StrayResponse"]);
    assert!(solo.agent.session(id).unwrap().dialog.is_none());
    solo.settle();
}

#[test]
fn an_ack_of_a_challenge_repeats_branch_and_cseq_of_its_invite() {
    let mut solo = Solo::new();
    solo.call(true);
    let invite = solo.last().clone();
    let challenge = answer(&invite, StatusCode::UNAUTHORIZED, "x");
    solo.receive(
        &challenge
            .header(HeaderName::WwwAuthenticate, "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"")
            .build(),
    );
    let ack = solo.sent[1].1.clone();
    assert_eq!(ack.method(), Method::Ack);
    assert_eq!(ack.top_via(), invite.top_via());
    assert_eq!(ack.cseq().unwrap().number, invite.cseq().unwrap().number);
    assert_eq!(ack.to().unwrap().tag(), Some("x"));
    let again = solo.last().clone();
    assert_eq!(again.method(), Method::Invite);
    // The ACK of its 2xx carries the same credentials (§13.2.2.4).
    solo.receive(&ok(&again, "bob"));
    assert_eq!(solo.last().header(HeaderName::Authorization), again.header(HeaderName::Authorization));
    solo.wait(Duration::from_secs(40));
    let id = solo.agent.session_ids()[0];
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    let flow = Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote: peer() };
    solo.act(|agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
    let events = solo.take_session_events();
    assert!(matches!(
        events.last(),
        Some(SessionEvent::Ended { cause: EndCause::TransportFailed, by: Party::Local, .. })
    ));
    solo.settle();
}
