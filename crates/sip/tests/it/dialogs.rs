//! Messages in a call that repeat, cross, or find no dialog. RFC 3261 §12.2.1.2, §13.2.2.4,
//! RFC 5407.

use crate::solo::{Solo, ack, fresh, in_dialog, ok};
use offhook_sip::message::{Builder, HeaderName, Message, Method, StatusCode};
use offhook_sip::session::{EndCause, Party, SessionEvent};
use offhook_sip::testkit::SDP;
use offhook_sip::transaction::TimerName;
use offhook_sip::user_agent::{Body, Flow, Input, SessionId, Transport};
use std::time::Duration;

/// Offers again and returns the re-INVITE.
fn reinvite(solo: &mut Solo, id: SessionId) -> Message {
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    solo.last().clone()
}

/// The peer of an answered call: session, its INVITE, our 200.
fn called(solo: &mut Solo, offer: bool) -> (SessionId, Message, Message) {
    let invite = fresh(&Method::Invite, "one");
    let invite = if offer { invite.body("application/sdp", SDP) } else { invite };
    let invite = invite.build();
    solo.receive(&invite);
    let id = solo.agent.session_ids()[0];
    solo.act(|agent, now| agent.respond(now, id, StatusCode::OK, None, Some(Body::sdp(SDP)), Vec::new()))
        .unwrap();
    let answer = solo.last().clone();
    solo.take_lines();
    solo.events.clear();
    (id, invite, answer)
}

fn next(invite: &Message, answer: &Message, method: &Method, cseq: u32) -> Builder {
    Builder::from_message(invite)
        .request_line(method, &answer.contacts().unwrap().first().unwrap().uri)
        .set(HeaderName::Via, format!("SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{cseq}"))
        .set(HeaderName::To, answer.header(HeaderName::To).unwrap())
        .set(HeaderName::CSeq, format!("{cseq} {method}"))
}

#[test]
fn a_2xx_that_is_repeated_during_a_later_reinvite_is_acknowledged_and_tells_nothing() {
    let mut solo = Solo::new();
    let (id, first) = solo.established();
    let hold = reinvite(&mut solo, id);
    solo.receive(&ok(&hold, "bob"));
    let resume = reinvite(&mut solo, id);
    solo.receive(&ok(&resume, "bob"));
    let again = reinvite(&mut solo, id);
    assert_eq!(solo.take_names(), ["Modified", "Modified"]);
    solo.take_lines();
    for (old, cseq) in [(&hold, 2), (&first, 1), (&resume, 3)] {
        solo.receive(&ok(old, "bob"));
        assert_eq!(solo.last().cseq().unwrap().number, cseq);
        assert_eq!(solo.take_lines(), ["ACK"]);
    }
    assert_eq!(solo.take_names(), Vec::<String>::new());
    solo.receive(&again.response_to(StatusCode::NOT_ACCEPTABLE_HERE, None).build());
    assert_eq!(solo.take_names(), ["ModifyFailed"]);
    solo.wait(Duration::from_secs(33));
    solo.take_lines();
    solo.receive(&ok(&hold, "bob"));
    assert_eq!(solo.take_anomalies(), ["StrayResponse"]);
    assert_eq!(solo.take_lines(), Vec::<String>::new());
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_request_that_finds_no_dialog_ends_the_call_with_bye() {
    for status in [StatusCode::CALL_DOES_NOT_EXIST, StatusCode::REQUEST_TIMEOUT] {
        for method in [Method::Invite, Method::Info, Method::Refer, Method::Message] {
            let mut solo = Solo::new();
            let (id, _) = solo.established();
            let sent = if method == Method::Invite {
                reinvite(&mut solo, id)
            } else {
                let asked = method.clone();
                solo.act(|agent, now| agent.send_in_dialog(now, id, asked, Vec::new(), None)).unwrap();
                solo.last().clone()
            };
            solo.take_lines();
            solo.receive(&sent.response_to(status, None).build());
            let bye = solo.last().clone();
            assert_eq!(bye.method(), Method::Bye, "{method} {status}");
            solo.receive(&bye.response_to(StatusCode::OK, None).build());
            let events = solo.take_session_events();
            let Some(SessionEvent::Ended { by, cause, status: told, .. }) = events.last() else {
                panic!("{method} {status}: {events:?}")
            };
            assert_eq!((*by, *cause, *told), (Party::Remote, EndCause::DialogGone(status), Some(status)));
            solo.settle();
        }
    }
}

#[test]
fn a_request_that_nobody_answers_ends_the_call_and_a_notify_does_not() {
    for (method, ends) in [(Method::Info, true), (Method::Notify, false)] {
        let mut solo = Solo::new();
        let (id, _) = solo.established();
        solo.act(|agent, now| agent.send_in_dialog(now, id, method, Vec::new(), None)).unwrap();
        solo.wait(Duration::from_secs(33));
        assert_eq!(solo.take_lines().contains(&"BYE".to_owned()), ends);
        solo.wait(Duration::from_secs(33));
        let events = solo.take_session_events();
        let silent = EndCause::Timeout(TimerName::F);
        let ended =
            |event: &SessionEvent| matches!(event, SessionEvent::Ended { cause, .. } if *cause == silent);
        assert_eq!(events.iter().any(ended), ends, "{events:?}");
        if !ends {
            solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
        }
        solo.settle();
    }
}

#[test]
fn a_reinvite_before_the_ack_of_a_complete_answer_is_taken() {
    let mut solo = Solo::new();
    let (id, invite, answer) = called(&mut solo, true);
    solo.receive(&next(&invite, &answer, &Method::Invite, 2).build());
    assert_eq!(solo.take_names(), ["Reoffered"]);
    solo.act(|agent, now| agent.respond(now, id, StatusCode::OK, None, Some(Body::sdp(SDP)), Vec::new()))
        .unwrap();
    let second = solo.last().clone();
    assert_eq!(solo.take_lines(), ["200 INVITE"]);
    // The first ACK was only late.
    solo.receive(&ack(&invite, &answer, Some("z9hG4bKlate")));
    assert!(solo.events.is_empty());
    solo.receive(&next(&invite, &second, &Method::Ack, 2).without_body().build());
    assert_eq!(solo.take_names(), ["Acknowledged"]);
    solo.wait(Duration::from_secs(40));
    assert_eq!(solo.take_lines(), Vec::<String>::new());
    solo.receive(&next(&invite, &answer, &Method::Bye, 3).without_body().build());
    solo.settle();
}

#[test]
fn a_reinvite_that_is_refused_before_the_ack_leaves_the_answer_waiting_for_it() {
    let mut solo = Solo::new();
    let (id, invite, answer) = called(&mut solo, true);
    solo.receive(&next(&invite, &answer, &Method::Invite, 2).build());
    let refused = StatusCode::NOT_ACCEPTABLE_HERE;
    solo.act(|agent, now| agent.respond(now, id, refused, None, None, Vec::new())).unwrap();
    solo.receive(&ack(&invite, &answer, Some("z9hG4bKlate")));
    assert_eq!(solo.take_names(), ["Reoffered", "Acknowledged"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_reinvite_before_an_ack_that_owes_the_answer_is_refused_with_491() {
    let mut solo = Solo::new();
    let (_, invite, answer) = called(&mut solo, false);
    solo.receive(&next(&invite, &answer, &Method::Invite, 2).body("application/sdp", SDP).build());
    assert_eq!(solo.take_lines(), ["491 INVITE"]);
    assert_eq!(solo.take_names(), Vec::<String>::new());
    solo.settle();
}

#[test]
fn a_new_cseq_on_the_branch_of_a_finished_request_is_a_new_request() {
    let mut solo = Solo::new();
    let invite = fresh(&Method::Invite, "one").body("application/sdp", SDP).build();
    solo.receive(&invite);
    let id = solo.agent.session_ids()[0];
    // While the first is open, only a copy of it can come on its branch.
    let second = Builder::from_message(&invite).set(HeaderName::CSeq, "2 INVITE").build();
    solo.receive(&second);
    assert_eq!(solo.take_names(), ["Incoming"]);
    solo.act(|agent, now| agent.respond(now, id, StatusCode::UNAUTHORIZED, None, None, Vec::new())).unwrap();
    let refused = solo.last().clone();
    solo.receive(&ack(&invite, &refused, None));
    solo.take_lines();
    solo.receive(&second);
    assert_eq!(solo.take_names(), ["Ended", "Incoming"]);
    solo.receive(&second);
    assert_eq!(solo.take_names(), Vec::<String>::new());
    // The older transaction goes without taking the newer one's name along.
    solo.wait(Duration::from_secs(6));
    solo.take_lines();
    let cancel = Builder::from_message(&second).request_line(&Method::Cancel, &second.request_uri().unwrap());
    solo.receive(&cancel.set(HeaderName::CSeq, "2 CANCEL").without_body().build());
    assert_eq!(solo.take_lines(), ["200 CANCEL", "487 INVITE"]);
    solo.settle();
}

#[test]
fn a_new_cseq_on_the_branch_of_an_answered_request_is_answered_anew() {
    let mut solo = Solo::new();
    let options = fresh(&Method::Options, "one").build();
    solo.receive(&options);
    assert_eq!(solo.take_lines(), ["200 OPTIONS"]);
    let second = Builder::from_message(&options).set(HeaderName::CSeq, "2 OPTIONS").build();
    for request in [&second, &second] {
        solo.receive(request);
        let answer = solo.last().clone();
        assert_eq!(solo.take_lines(), ["200 OPTIONS"]);
        assert_eq!(answer.cseq().unwrap().number, request.cseq().unwrap().number);
    }
    solo.settle();
}

/// Closes the peer's connection.
fn closed(solo: &mut Solo, flow: Flow) {
    solo.act(|agent, now| agent.handle_input(now, Input::TransportFailed { flow }));
}

#[test]
fn a_connection_that_closes_after_the_ack_lost_nothing() {
    for acknowledged in [true, false] {
        let mut solo = Solo::with(|config| {
            config.local.insert(Transport::Tcp, "192.0.2.1:5060".parse().unwrap());
        });
        let local = "192.0.2.1:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Tcp, local, remote: "192.0.2.2:40000".parse().unwrap() };
        let invite =
            fresh(&Method::Invite, "tcp").set(HeaderName::Via, "SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKtcp");
        let invite = invite.body("application/sdp", SDP).build();
        solo.act(|agent, now| agent.handle_input(now, Input::Message { flow, message: &invite }));
        let id = solo.agent.session_ids()[0];
        solo.act(|agent, now| agent.respond(now, id, StatusCode::OK, None, Some(Body::sdp(SDP)), Vec::new()))
            .unwrap();
        if acknowledged {
            let ack = ack(&invite, solo.last(), Some("z9hG4bKack"));
            solo.act(|agent, now| agent.handle_input(now, Input::Message { flow, message: &ack }));
        }
        solo.events.clear();
        closed(&mut solo, flow);
        let lost = if acknowledged { vec![] } else { vec!["ResponseUndelivered"] };
        assert_eq!(solo.take_anomalies(), lost);
        solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
        solo.settle();
    }
}

#[test]
fn an_in_dialog_request_that_is_refused_leaves_the_call() {
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    solo.act(|agent, now| agent.send_in_dialog(now, id, Method::Info, Vec::new(), None)).unwrap();
    let info = solo.last().clone();
    solo.receive(&info.response_to(StatusCode::UNSUPPORTED_MEDIA_TYPE, None).build());
    assert_eq!(solo.take_names(), ["RequestDone"]);
    solo.receive(&in_dialog(&invite, "bob", &Method::Bye, 1).build());
    solo.settle();
}
