//! Datagrams that come back undelivered (RFC 3261 §18.4): what they end, and what they leave alone.

use crate::cast::{address, uri};
use crate::solo::{Solo, fresh, in_dialog, ok, peer};
use offhook_sip::message::{Message, Method, StatusCode};
use offhook_sip::session::{EndCause, Invite, SessionEvent};
use offhook_sip::testkit::SDP;
use offhook_sip::user_agent::{Body, Destination, Event, Flow, Input, RequestFailure, Transport};
use std::net::SocketAddr;
use std::time::Duration;

fn towards(remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote }
}

/// Gives back what was sent to a place; tells whether it mattered.
fn give_back(solo: &mut Solo, remote: SocketAddr, sent: &[u8]) -> bool {
    let flow = towards(remote);
    let mattered = solo.agent.awaits_delivery(flow, sent);
    solo.act(|agent, now| agent.handle_input(now, Input::Returned { flow, sent }));
    mattered
}

/// Returns as much of a message as Linux quotes.
fn quote(message: &Message) -> &[u8] {
    let bytes = message.bytes();
    bytes.get(..520).unwrap_or(bytes)
}

fn outcomes(solo: &mut Solo) -> Vec<RequestFailure> {
    let failure =
        |event| if let Event::Response { outcome: Err(failure), .. } = event { Some(failure) } else { None };
    std::mem::take(&mut solo.events).into_iter().filter_map(failure).collect()
}

#[test]
fn the_request_that_came_back_has_failed_and_no_other_to_the_same_place() {
    let mut solo = Solo::new();
    for _ in 0..2 {
        solo.act(|agent, now| agent.request(now, crate::requesting::message(Destination::udp(peer()))));
    }
    let first = solo.sent[0].1.clone();
    assert!(give_back(&mut solo, peer(), quote(&first)));
    assert_eq!(outcomes(&mut solo), [RequestFailure::Transport]);
    solo.wait(Duration::from_secs(40));
    assert_eq!(outcomes(&mut solo), [RequestFailure::Timeout]);
    assert!(!give_back(&mut solo, peer(), quote(&first)), "it is over");
    solo.settle();
}

#[test]
fn what_is_not_ours_or_may_be_a_guess_decides_nothing() {
    let mut solo = Solo::new();
    solo.act(|agent, now| agent.request(now, crate::requesting::message(Destination::udp(peer()))));
    let sent = solo.last().clone();
    let branch = sent.top_via().unwrap().branch().unwrap().to_owned();
    let text = String::from_utf8(sent.bytes().to_vec()).unwrap();
    let forged = text.replace(&branch, "z9hG4bKguessed");
    let before_the_branch = text.split_once(&branch).unwrap().0;
    let another = format!("ACK{}", text.trim_start_matches(|letter: char| letter.is_ascii_uppercase()));
    let other = "192.0.2.9:5060".parse().unwrap();
    for (remote, quoted) in [
        (peer(), ""),
        (peer(), before_the_branch),
        (peer(), &before_the_branch[..before_the_branch.len() / 2]),
        (peer(), &forged),
        (peer(), &another),
        (peer(), "\r\n\r\n"),
        (other, &text),
    ] {
        assert!(!give_back(&mut solo, remote, quoted.as_bytes()), "{remote} {quoted}");
    }
    assert_eq!(outcomes(&mut solo), []);
    let enough = before_the_branch.len() + branch.len();
    assert!(give_back(&mut solo, peer(), &text.as_bytes()[..enough]));
    assert_eq!(outcomes(&mut solo), [RequestFailure::Transport]);
    solo.settle();
}

#[test]
fn a_call_goes_to_the_next_place_at_once_and_ends_when_there_is_none() {
    let mut solo = Solo::new();
    let places: [SocketAddr; 2] = ["192.0.2.11:5060", "192.0.2.12:5060"].map(|text| text.parse().unwrap());
    let candidates = places.map(|place| (Transport::Udp, place)).to_vec();
    let mut invite = Invite::new(
        uri("sip:bob@example.com"),
        address("<sip:alice@192.0.2.1>"),
        Destination::among(candidates),
    );
    invite.body = Some(Body::sdp(SDP));
    solo.act(|agent, now| agent.invite(now, invite));
    let first = solo.last().clone();
    assert!(give_back(&mut solo, places[0], quote(&first)));
    let (flow, second) = solo.sent.last().unwrap().clone();
    assert_eq!((flow.remote, solo.sent.len()), (places[1], 2));
    assert!(!give_back(&mut solo, places[0], quote(&first)), "that place is given up already");
    assert!(give_back(&mut solo, places[1], quote(&second)));
    let events = solo.take_session_events();
    assert!(
        matches!(&events[..], [SessionEvent::Ended { cause: EndCause::TransportFailed, .. }]),
        "{events:?}"
    );
    solo.settle();
}

#[test]
fn an_invite_that_was_heard_and_an_ack_end_no_call() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    solo.receive(&invite.response_to(StatusCode::RINGING, None).to_tag("bob").build());
    assert!(!give_back(&mut solo, peer(), quote(&invite)), "a repeat that crossed the 180");
    solo.receive(&ok(&invite, "bob"));
    let ack = solo.last().clone();
    assert_eq!(ack.method(), Method::Ack);
    assert!(!give_back(&mut solo, peer(), quote(&ack)));
    assert!(!give_back(&mut solo, peer(), quote(&invite)));
    assert!(solo.agent.session(id).unwrap().dialog.is_some());
    // Nor does the ACK of a refusal.
    solo.events.clear();
    solo.call(true);
    let refused = solo.last().clone();
    solo.receive(&refused.response_to(StatusCode::BUSY_HERE, None).to_tag("x").build());
    let ack = solo.last().clone();
    assert_eq!(ack.method(), Method::Ack);
    assert!(!give_back(&mut solo, peer(), quote(&ack)));
    assert_eq!(solo.take_names(), ["Rejected", "Ended"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_peer_that_is_away_for_a_moment_misses_a_change_and_keeps_the_call() {
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let reinvite = solo.last().clone();
    assert!(give_back(&mut solo, peer(), quote(&reinvite)));
    let events = solo.take_session_events();
    assert!(matches!(&events[..], [SessionEvent::ModifyFailed { status: None, .. }]), "{events:?}");
    // The peer is back.
    solo.receive(&in_dialog(&invite, "bob", &Method::Info, 7).build());
    assert_eq!(solo.take_names(), ["Info"]);
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    let again = solo.last().clone();
    solo.receive(&ok(&again, "bob"));
    assert_eq!(solo.take_names(), ["Modified"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    let bye = solo.last().clone();
    assert_eq!(bye.method(), Method::Bye);
    assert!(give_back(&mut solo, peer(), quote(&bye)));
    let events = solo.take_session_events();
    assert!(
        matches!(&events[..], [SessionEvent::Ended { cause: EndCause::TransportFailed, .. }]),
        "{events:?}"
    );
    solo.settle();
}

#[test]
fn an_answer_that_came_back_is_told_and_sent_again() {
    let mut solo = Solo::new();
    solo.receive(&fresh(&Method::Invite, "x").body("application/sdp", SDP).build());
    let id = solo.agent.session_ids()[0];
    solo.act(|agent, now| agent.respond(now, id, StatusCode::OK, None, Some(Body::sdp(SDP)), Vec::new()))
        .unwrap();
    let answer = solo.last().clone();
    solo.events.clear();
    assert!(give_back(&mut solo, peer(), quote(&answer)));
    assert_eq!(solo.take_anomalies(), ["ResponseUndelivered"]);
    solo.sent.clear();
    solo.wait(Duration::from_secs(1));
    assert_eq!(solo.take_lines(), ["200 INVITE"]);
    solo.settle();
}
