//! The callee, and every other incoming request, against a peer that the test plays.

use crate::solo::{Solo, ack, fresh, in_dialog, peer};
use offhook_sip::message::{Builder, HeaderName, Message, Method, StatusCode};
use offhook_sip::session::{EndCause, Ending, Party, SessionError, SessionEvent};
use offhook_sip::testkit::SDP;
use offhook_sip::user_agent::{Body, Event, OptionTag, SessionId};
use std::time::Duration;

/// Receives a call.
fn ring(solo: &mut Solo, name: &str, offer: bool) -> (SessionId, Message) {
    let invite = fresh(&Method::Invite, name);
    let invite = if offer { invite.body("application/sdp", SDP) } else { invite };
    let invite = invite.build();
    solo.receive(&invite);
    let id = *solo.agent.session_ids().last().unwrap();
    (id, invite)
}

fn respond(solo: &mut Solo, id: SessionId, status: StatusCode) -> Result<(), SessionError> {
    let body = status.is_success().then(|| Body::sdp(SDP));
    solo.act(|agent, now| agent.respond(now, id, status, None, body, Vec::new()))
}

/// Receives a call and answers it, up to the ACK.
fn talk(solo: &mut Solo, name: &str) -> (SessionId, Message, Message) {
    let (id, invite) = ring(solo, name, true);
    respond(solo, id, StatusCode::OK).unwrap();
    let response = solo.last().clone();
    solo.receive(&ack(&invite, &response, Some("z9hG4bKack")));
    solo.sent.clear();
    solo.events.clear();
    (id, invite, response)
}

/// A request of the caller inside the dialog.
fn request(invite: &Message, response: &Message, method: &Method, cseq: u32) -> Builder {
    Builder::from_message(invite)
        .request_line(method, &response.contacts().unwrap().first().unwrap().uri)
        .set(HeaderName::Via, format!("SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{cseq}"))
        .set(HeaderName::To, response.header(HeaderName::To).unwrap())
        .set(HeaderName::CSeq, format!("{cseq} {method}"))
        .without_body()
}

#[test]
fn a_lost_200_is_retransmitted_until_ack() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::OK).unwrap();
    let response = solo.last().clone();
    solo.sent.clear();
    solo.wait(Duration::from_millis(11_600));
    // After 0.5, 1.5, 3.5, 7.5 and 11.5 seconds: doubling from T1 up to T2.
    assert_eq!(solo.sent.len(), 5);
    assert!(solo.sent.iter().all(|(_, message)| message.bytes() == response.bytes()));
    solo.receive(&ack(&invite, &response, Some("z9hG4bKack")));
    solo.sent.clear();
    solo.wait(Duration::from_secs(60));
    assert!(solo.sent.is_empty());
    assert_eq!(solo.take_names(), ["Incoming", "Acknowledged"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_200_without_ack_is_ended_with_bye() {
    let mut solo = Solo::new();
    let (id, _) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::OK).unwrap();
    solo.wait(Duration::from_secs(33));
    assert_eq!(solo.last().method(), Method::Bye);
    solo.settle();
    let events = solo.take_session_events();
    assert!(
        matches!(
            events.last(),
            Some(SessionEvent::Ended { by: Party::Local, cause: EndCause::AckMissing, .. })
        ),
        "{events:?}"
    );
}

#[test]
fn a_hang_up_before_the_ack_waits_for_it() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::OK).unwrap();
    let response = solo.last().clone();
    assert_eq!(solo.act(|agent, now| agent.hang_up(now, id, Vec::new())), Ok(Ending::ByeAfterAck));
    assert_eq!(solo.act(|agent, now| agent.hang_up(now, id, Vec::new())), Ok(Ending::Already));
    assert_eq!(solo.take_lines(), ["200 INVITE"]);
    solo.receive(&ack(&invite, &response, Some("z9hG4bKack")));
    assert_eq!(solo.take_lines(), ["BYE"]);
    solo.settle();
}

#[test]
fn hanging_up_a_ringing_call_declines_it() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::RINGING).unwrap();
    let declined = Ending::Refused(StatusCode::DECLINE);
    assert_eq!(solo.act(|agent, now| agent.hang_up(now, id, Vec::new())), Ok(declined));
    let response = solo.last().clone();
    assert_eq!(response.status(), Some(StatusCode::DECLINE));
    solo.receive(&ack(&invite, &response, None));
    assert_eq!(solo.take_names(), ["Incoming", "Ended"]);
    solo.settle();
}

#[test]
fn an_offer_in_our_200_is_answered_by_the_ack() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", false);
    respond(&mut solo, id, StatusCode::OK).unwrap();
    let response = solo.last().clone();
    let answered = Builder::from_message(&ack(&invite, &response, Some("z9hG4bKack")));
    solo.receive(&answered.body("application/sdp", "v=0\r\n").build());
    let events = solo.take_session_events();
    let sdp = events
        .into_iter()
        .find_map(|event| if let SessionEvent::Acknowledged { sdp } = event { sdp } else { None });
    assert_eq!(sdp.as_deref(), Some(&b"v=0\r\n"[..]));
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn an_ack_on_the_branch_of_its_invite_counts_too() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::OK).unwrap();
    let response = solo.last().clone();
    solo.receive(&ack(&invite, &response, None));
    assert_eq!(solo.take_names(), ["Incoming", "Acknowledged"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn responses_carry_received_and_rport_and_go_to_the_source() {
    let mut solo = Solo::new();
    let invite = fresh(&Method::Invite, "nat");
    let invite = invite.set(HeaderName::Via, "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKnat;rport").build();
    let source = "192.0.2.77:40000".parse().unwrap();
    solo.receive_from(source, invite.bytes());
    let id = solo.agent.session_ids()[0];
    respond(&mut solo, id, StatusCode::RINGING).unwrap();
    let (flow, ringing) = solo.sent.last().unwrap().clone();
    assert_eq!(flow.remote, source);
    let via = ringing.top_via().unwrap();
    assert_eq!(via.received(), Some("192.0.2.77".parse().unwrap()));
    assert_eq!(via.rport(), Some(Some(40_000)));
    respond(&mut solo, id, StatusCode::BUSY_HERE).unwrap();
    solo.settle();
    // Without rport the answer goes to the port of the Via, at the source's address.
    let options = fresh(&Method::Options, "plain");
    let options = options.set(HeaderName::Via, "SIP/2.0/UDP 10.0.0.5:5099;branch=z9hG4bKplain").build();
    solo.receive_from(source, options.bytes());
    assert_eq!(solo.sent.last().unwrap().0.remote, "192.0.2.77:5099".parse().unwrap());
    solo.settle();
}

#[test]
fn a_provisional_response_is_repeated_every_minute() {
    let mut solo = Solo::new();
    let (id, _) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::RINGING).unwrap();
    solo.sent.clear();
    solo.wait(Duration::from_secs(181));
    assert_eq!(solo.take_lines(), ["180 INVITE", "180 INVITE", "180 INVITE"]);
    respond(&mut solo, id, StatusCode::BUSY_HERE).unwrap();
    solo.settle();
}

#[test]
fn a_repeated_invite_gets_the_last_response_again() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::RINGING).unwrap();
    solo.receive(&invite);
    respond(&mut solo, id, StatusCode::BUSY_HERE).unwrap();
    solo.receive(&invite);
    let busy = solo.last().clone();
    solo.receive(&ack(&invite, &busy, None));
    solo.receive(&invite);
    assert_eq!(solo.take_lines(), ["180 INVITE", "180 INVITE", "486 INVITE", "486 INVITE"]);
    assert_eq!(solo.take_names(), ["Incoming", "Ended"]);
    solo.settle();
}

#[test]
fn the_same_invite_by_another_path_is_merged() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", true);
    let copy = Builder::from_message(&invite);
    solo.receive(&copy.set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKother").build());
    assert_eq!(solo.take_lines(), ["482 INVITE"]);
    assert_eq!(solo.take_anomalies(), ["MergedRequest"]);
    respond(&mut solo, id, StatusCode::BUSY_HERE).unwrap();
    solo.settle();
}

#[test]
fn a_reinvite_is_answered_and_confirmed() {
    let mut solo = Solo::new();
    let (id, invite, response) = talk(&mut solo, "one");
    let offer = request(&invite, &response, &Method::Invite, 2);
    let offer = offer.set(HeaderName::Contact, "<sip:bob@192.0.2.50>").body("application/sdp", SDP).build();
    solo.receive(&offer);
    assert_eq!(solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))), Err(SessionError::Pending));
    respond(&mut solo, id, StatusCode::OK).unwrap();
    let answered = solo.last().clone();
    assert_eq!(solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))), Err(SessionError::Pending));
    solo.receive(&request(&invite, &answered, &Method::Ack, 2).build());
    assert_eq!(solo.take_names(), ["Reoffered", "Acknowledged"]);
    // The new Contact is where later requests go (§12.2.2).
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    assert_eq!(solo.last().request_uri_text(), Some("sip:bob@192.0.2.50"));
    assert_eq!(solo.sent.last().unwrap().0.remote, "192.0.2.50:5060".parse().unwrap());
    solo.settle();
}

#[test]
fn a_second_reinvite_before_the_first_is_answered_gets_500_and_ours_makes_it_491() {
    let mut solo = Solo::new();
    let (id, invite, response) = talk(&mut solo, "one");
    solo.receive(&request(&invite, &response, &Method::Invite, 2).build());
    solo.receive(&request(&invite, &response, &Method::Invite, 3).build());
    assert!(solo.last().has(HeaderName::RetryAfter));
    assert_eq!(solo.take_lines(), ["500 INVITE"]);
    respond(&mut solo, id, StatusCode::NOT_ACCEPTABLE_HERE).unwrap();
    solo.take_lines();
    solo.act(|agent, now| agent.reinvite(now, id, Body::sdp(SDP))).unwrap();
    solo.receive(&request(&invite, &response, &Method::Invite, 4).build());
    assert_eq!(solo.take_lines(), ["INVITE", "491 INVITE"]);
    assert_eq!(solo.take_names(), ["Reoffered"]);
    solo.settle();
}

#[test]
fn a_bye_ends_a_pending_reinvite_with_487() {
    let mut solo = Solo::new();
    let (_, invite, response) = talk(&mut solo, "one");
    solo.receive(&request(&invite, &response, &Method::Invite, 2).build());
    solo.receive(&request(&invite, &response, &Method::Bye, 3).build());
    assert_eq!(solo.take_lines(), ["200 BYE", "487 INVITE"]);
    assert_eq!(solo.take_names(), ["Reoffered", "Ended"]);
    solo.settle();
}

#[test]
fn a_caller_may_say_bye_before_the_answer() {
    let mut solo = Solo::new();
    let (id, invite) = ring(&mut solo, "one", true);
    respond(&mut solo, id, StatusCode::RINGING).unwrap();
    let ringing = solo.last().clone();
    let bye = request(&invite, &ringing, &Method::Bye, 2);
    solo.receive(&bye.header(HeaderName::Reason, "SIP;cause=487").build());
    assert_eq!(solo.take_lines(), ["180 INVITE", "200 BYE", "487 INVITE"]);
    let events = solo.take_session_events();
    let Some(SessionEvent::Ended { by, cause, reason_header, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((*by, *cause), (Party::Remote, EndCause::Bye));
    assert_eq!(reason_header.as_deref(), Some("SIP;cause=487"));
    solo.settle();
}

#[test]
fn a_callee_that_says_bye_too_early_is_noted_and_its_invite_goes_on() {
    let mut solo = Solo::new();
    let id = solo.call(true);
    let invite = solo.last().clone();
    solo.receive(&crate::solo::answer(&invite, StatusCode::RINGING, "bob").build());
    solo.take_lines();
    solo.receive(&in_dialog(&invite, "bob", &Method::Bye, 1).build());
    assert_eq!(solo.take_lines(), ["200 BYE"]);
    assert_eq!(solo.take_anomalies(), ["ByeInEarlyDialog"]);
    solo.receive(&crate::solo::ok(&invite, "carol"));
    assert_eq!(solo.take_names(), ["Answered"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}

#[test]
fn a_flood_of_strangers_is_bounded_and_cuts_off_no_call() {
    let mut solo = Solo::with(|config| config.room_of_strangers.requests = 2);
    let (id, invite) = ring(&mut solo, "waiting", true);
    let (_, talking, response) = talk(&mut solo, "one");
    solo.receive(&fresh(&Method::Options, "two").build());
    solo.sent.clear();
    solo.receive(&fresh(&Method::Options, "three").build());
    solo.receive(&fresh(&Method::Cancel, "nobody").build());
    assert_eq!(solo.take_lines(), ["503 OPTIONS", "503 CANCEL"]);
    assert_eq!(solo.take_anomalies(), ["TooManyRequests", "TooManyRequests"]);
    let cancel = Builder::from_message(&invite).request_line(&Method::Cancel, &invite.request_uri().unwrap());
    solo.receive(&cancel.set(HeaderName::CSeq, "1 CANCEL").without_body().build());
    solo.receive(&request(&talking, &response, &Method::Bye, 9).build());
    assert_eq!(solo.take_lines(), ["200 CANCEL", "487 INVITE", "200 BYE"]);
    assert!(!solo.agent.session_ids().contains(&id));
    solo.wait(Duration::from_secs(40));
    solo.sent.clear();
    solo.receive(&fresh(&Method::Options, "later").build());
    assert_eq!(solo.take_lines(), ["200 OPTIONS"]);
}

#[test]
fn an_invite_for_which_there_is_no_room_is_told_when_to_come_back_and_leaves_nothing_behind() {
    let mut solo = Solo::with(|config| config.room_of_strangers.requests = 1);
    solo.receive(&fresh(&Method::Options, "one").build());
    let before = solo.agent.transactions();
    solo.sent.clear();
    let invite = fresh(&Method::Invite, "two").build();
    solo.receive(&invite);
    let refusal = solo.last().clone();
    solo.receive(&invite);
    assert_eq!(solo.last().bytes(), refusal.bytes(), "a repeat gets the same answer");
    assert_eq!(refusal.header(HeaderName::RetryAfter).as_deref(), Some("10"));
    assert_eq!(solo.take_lines(), ["503 INVITE", "503 INVITE"]);
    assert_eq!(solo.take_anomalies(), ["TooManyRequests", "TooManyRequests"]);
    let ack = Builder::from_message(&invite)
        .request_line(&Method::Ack, &invite.request_uri().unwrap())
        .set(HeaderName::CSeq, "1 ACK")
        .set(HeaderName::To, refusal.header(HeaderName::To).unwrap())
        .without_body()
        .build();
    solo.receive(&ack);
    assert_eq!((solo.take_anomalies(), solo.agent.transactions()), (Vec::<String>::new(), before));
    solo.settle();
}

#[test]
fn any_other_request_without_room_is_told_so_too_and_leaves_nothing_behind() {
    let mut solo = Solo::with(|config| config.room_of_strangers.requests = 1);
    solo.receive(&fresh(&Method::Options, "one").build());
    let before = solo.agent.transactions();
    solo.sent.clear();
    for (nth, method) in
        [Method::Options, Method::Message, Method::Subscribe, Method::Bye].into_iter().enumerate()
    {
        let strange = fresh(&method, &format!("no-{nth}")).build();
        solo.receive(&strange);
        let refusal = solo.last().clone();
        solo.receive(&strange);
        assert_eq!(solo.last().bytes(), refusal.bytes(), "a repeat gets the same answer");
        assert_eq!(refusal.header(HeaderName::RetryAfter).as_deref(), Some("10"));
        assert!(refusal.to().unwrap().tag().is_some(), "{method}");
        assert_eq!(solo.take_lines(), vec![format!("503 {method}"); 2]);
    }
    // In a dialog that is not known, the tag is theirs; nobody could match the ACK of an INVITE there.
    let tagged =
        |method| fresh(method, "tagged").set(HeaderName::To, "<sip:alice@192.0.2.1>;tag=theirs").build();
    solo.receive(&tagged(&Method::Bye));
    assert_eq!(solo.last().to().unwrap().tag(), Some("theirs"));
    solo.receive(&tagged(&Method::Invite));
    assert_eq!(solo.take_lines(), ["503 BYE"]);
    // Unusable requests are not answered here either, and none of all this is remembered.
    solo.receive(&fresh(&Method::Options, "bad").set(HeaderName::CSeq, "x OPTIONS").build());
    assert_eq!((solo.take_lines(), solo.agent.transactions()), (Vec::<String>::new(), before));
    solo.settle();
}

#[test]
fn large_requests_are_bounded_by_their_bytes() {
    let mut solo = Solo::with(|config| config.room_of_strangers.bytes = 64 << 10);
    let large =
        |id: &str| fresh(&Method::Options, id).header(HeaderName::Subject, "x".repeat(20_000)).build();
    for id in ["one", "two", "three"] {
        solo.receive(&large(id));
    }
    assert_eq!(solo.take_lines(), ["200 OPTIONS", "200 OPTIONS", "503 OPTIONS"]);
    assert_eq!(solo.take_anomalies(), ["TooManyRequests"]);
    solo.wait(Duration::from_secs(33));
    solo.receive(&large("four"));
    assert_eq!(solo.take_lines(), ["200 OPTIONS"], "what is over gives its room back");
    solo.settle();
}

#[test]
fn a_peer_that_floods_its_call_is_bounded_and_can_still_end_it() {
    let mut solo = Solo::with(|config| config.room.requests = 4);
    let (_, talking, response) = talk(&mut solo, "one");
    solo.sent.clear();
    for cseq in 2..9 {
        solo.receive(&request(&talking, &response, &Method::Options, cseq).build());
    }
    assert_eq!(solo.take_lines(), [["200 OPTIONS"; 3].as_slice(), &["503 OPTIONS"; 4]].concat());
    assert_eq!(solo.take_anomalies(), vec!["TooManyRequests"; 4]);
    solo.receive(&request(&talking, &response, &Method::Bye, 9).build());
    assert_eq!(solo.take_lines(), ["200 BYE"]);
    solo.settle();
}

#[test]
fn cseq_must_rise_and_the_dialog_must_exist() {
    let mut solo = Solo::new();
    let (_, invite, response) = talk(&mut solo, "one");
    solo.receive(&request(&invite, &response, &Method::Info, 9).build());
    solo.receive(&request(&invite, &response, &Method::Info, 8).build());
    assert_eq!(solo.take_lines(), ["500 INFO"]);
    assert_eq!(solo.take_anomalies(), ["CSeqOutOfOrder"]);
    let stranger = request(&invite, &response, &Method::Bye, 10);
    solo.receive(&stranger.set(HeaderName::CallId, "somebody-else").build());
    assert_eq!(solo.take_lines(), ["481 BYE"]);
    assert_eq!(solo.take_anomalies(), ["UnknownDialog"]);
    solo.receive(&request(&invite, &response, &Method::Bye, 11).build());
    solo.settle();
}

#[test]
fn requests_in_the_dialog_are_raised_and_replied_to() {
    let mut solo = Solo::with(|config| config.allow.push(Method::Refer));
    let (id, invite, response) = talk(&mut solo, "one");
    for (cseq, method) in [(2, Method::Refer), (4, Method::Info), (5, Method::Message)] {
        solo.receive(&request(&invite, &response, &method, cseq).build());
    }
    let requests: Vec<_> = solo
        .take_session_events()
        .into_iter()
        .map(|event| {
            let (SessionEvent::Refer { request, .. }
            | SessionEvent::Info { request, .. }
            | SessionEvent::Message { request, .. }) = event
            else {
                panic!("{event:?}")
            };
            request
        })
        .collect();
    assert_eq!(requests.len(), 3);
    for request in requests {
        solo.act(|agent, now| agent.reply_status(now, request, StatusCode::ACCEPTED)).unwrap();
        assert!(solo.act(|agent, now| agent.reply_status(now, request, StatusCode::OK)).is_err());
    }
    assert!(
        solo.sent[0].1.has(HeaderName::Contact),
        "a REFER makes a subscription, whose target is the Contact"
    );
    assert_eq!(solo.take_lines(), ["202 REFER", "202 INFO", "202 MESSAGE"]);
    let notified = solo.act(|agent, now| {
        let body = Body { content_type: "message/sipfrag".to_owned(), bytes: b"SIP/2.0 200 OK".to_vec() };
        agent.notify(now, id, "refer", "terminated;reason=noresource", Some(body))
    });
    let notify = solo.last().clone();
    solo.receive(&notify.response_to(StatusCode::OK, None).build());
    let done = solo.take_session_events();
    assert!(
        matches!(done.as_slice(), [SessionEvent::RequestDone { request, outcome: Ok(_) }] if Ok(*request) == notified)
    );
    solo.receive(&request(&invite, &response, &Method::Bye, 11).build());
    solo.settle();
}

#[test]
fn an_extension_we_do_not_have_is_refused_with_420() {
    let mut solo = Solo::with(|config| config.supported.push(OptionTag::REPLACES));
    let invite = fresh(&Method::Invite, "rel").header(HeaderName::Require, "100rel, replaces").build();
    solo.receive(&invite);
    assert_eq!(solo.last().header(HeaderName::Unsupported).as_deref(), Some("100rel"));
    assert_eq!(solo.take_lines(), ["420 INVITE"]);
    assert_eq!(solo.take_names(), Vec::<String>::new());
    solo.settle();
}

#[test]
fn an_extension_is_ours_only_in_the_requests_that_it_is_for() {
    let mut solo = Solo::with(|config| config.supported.push(OptionTag::REPLACES));
    solo.receive(&fresh(&Method::Invite, "i").header(HeaderName::Require, "replaces").build());
    assert_eq!(solo.take_names(), ["Incoming"]);
    solo.wait(Duration::from_secs(1));
    assert_eq!(solo.take_lines(), ["100 INVITE"]);
    solo.receive(&fresh(&Method::Message, "m").header(HeaderName::Require, "replaces").build());
    assert_eq!(solo.last().header(HeaderName::Unsupported).as_deref(), Some("replaces"));
    assert_eq!(solo.take_lines(), ["420 MESSAGE"]);
}

#[test]
fn options_is_answered_and_unknown_methods_are_refused() {
    let mut solo = Solo::new();
    solo.receive(&fresh(&Method::Options, "o").build());
    let options = solo.last().clone();
    assert!(options.allow().contains(&Method::Invite));
    assert!(options.values(HeaderName::Accept).contains(&"application/sdp".into()));
    assert!(options.to().unwrap().tag().is_some());
    solo.receive(&fresh(&Method::Publish, "p").build());
    solo.receive(&fresh(&Method::from_text("DANCE"), "d").build());
    solo.receive(&fresh(&Method::Bye, "b").build());
    solo.receive(&fresh(&Method::Cancel, "c").build());
    assert_eq!(solo.take_lines(), ["200 OPTIONS", "405 PUBLISH", "501 DANCE", "481 BYE", "481 CANCEL"]);
    solo.settle();
}

#[test]
fn a_message_waits_for_the_user_and_an_unanswered_one_is_forgotten() {
    let mut solo = Solo::new();
    let message = fresh(&Method::Message, "m").body("text/plain", "hi").build();
    solo.receive(&message);
    let Some(Event::Request { id, session: None, .. }) = solo.events.first().cloned() else {
        panic!("{:?}", solo.events)
    };
    let reply = message.response_to(StatusCode::OK, Some("Fine"));
    solo.act(|agent, now| agent.reply(now, id, reply)).unwrap();
    assert_eq!(solo.last().reason().as_deref(), Some("Fine"));
    solo.receive(&message);
    assert_eq!(solo.take_lines(), ["200 MESSAGE", "200 MESSAGE"]);
    solo.events.clear();
    solo.receive(&fresh(&Method::Message, "n").build());
    solo.settle();
    assert_eq!(solo.take_anomalies(), ["Unanswered"]);
}

#[test]
fn a_replaces_header_names_the_session_it_means() {
    let mut solo = Solo::new();
    let (id, _, _) = talk(&mut solo, "one");
    let dialog = solo.agent.session(id).unwrap().dialog.unwrap();
    let replaces = format!("{};to-tag={};from-tag={}", dialog.call_id, dialog.local_tag, dialog.remote_tag);
    solo.receive(&fresh(&Method::Invite, "two").header(HeaderName::Replaces, replaces).build());
    let events = solo.take_session_events();
    let [SessionEvent::Incoming { replaces: Some(replaced), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(replaced.session, Some(id));
    for id in solo.agent.session_ids() {
        solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    }
    solo.settle();
}

#[test]
fn what_is_not_sip_is_reported_with_its_bytes() {
    let mut solo = Solo::new();
    solo.receive_from(peer(), b"\x16\x03\x01 this is no sip");
    let Some(Event::Anomaly { bytes, .. }) = solo.events.first() else { panic!("{:?}", solo.events) };
    assert_eq!(bytes, b"\x16\x03\x01 this is no sip");
    solo.settle();
}

#[test]
fn a_request_without_what_every_request_needs_is_refused_with_400() {
    let mut solo = Solo::new();
    let broken = fresh(&Method::Invite, "x").remove(&HeaderName::CallId).build();
    solo.receive(&broken);
    assert_eq!(solo.take_lines(), ["400 INVITE"]);
    assert_eq!(solo.take_anomalies(), ["RefusedRequest"]);
    solo.settle();
}

#[test]
fn a_client_without_the_cookie_is_matched_by_everything_else() {
    let mut solo = Solo::new();
    let invite = fresh(&Method::Invite, "old").set(HeaderName::Via, "SIP/2.0/UDP 192.0.2.2").build();
    solo.receive(&invite);
    solo.receive(&invite);
    let id = solo.agent.session_ids()[0];
    assert_eq!(solo.agent.session_ids().len(), 1);
    let cancel = Builder::from_message(&invite);
    let cancel = cancel
        .request_line(&Method::Cancel, &invite.request_uri().unwrap())
        .set(HeaderName::CSeq, "1 CANCEL");
    solo.receive(&cancel.build());
    assert_eq!(solo.take_lines(), ["200 CANCEL", "487 INVITE"]);
    solo.receive(&Builder::from_message(&invite).build());
    let refused = solo.last().clone();
    solo.receive(&ack(&invite, &refused, None));
    assert_eq!(solo.take_names(), ["Incoming", "Canceled", "Ended"]);
    assert_eq!(solo.act(|agent, now| agent.hang_up(now, id, Vec::new())), Ok(Ending::Already));
    // No timer G: the ACK was matched although it has a To tag and the INVITE had none.
    solo.take_lines();
    solo.wait(Duration::from_secs(30));
    assert_eq!(solo.take_lines(), Vec::<String>::new());
    solo.settle();
}

#[test]
fn an_invite_that_rings_longer_than_its_expires_gets_487() {
    let mut solo = Solo::new();
    let invite = fresh(&Method::Invite, "brief").header(HeaderName::Expires, 2).body("application/sdp", SDP);
    solo.receive(&invite.build());
    let id = solo.agent.session_ids()[0];
    respond(&mut solo, id, StatusCode::RINGING).unwrap();
    solo.wait(Duration::from_millis(1_900));
    assert_eq!(solo.take_lines(), ["180 INVITE"]);
    solo.wait(Duration::from_millis(200));
    assert_eq!(solo.take_lines(), ["487 INVITE"]);
    let events = solo.take_session_events();
    let Some(SessionEvent::Ended { by, cause, status, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!((*by, *cause), (Party::Local, EndCause::Expired));
    assert_eq!(*status, Some(StatusCode::REQUEST_TERMINATED));
    assert!(respond(&mut solo, id, StatusCode::OK).is_err());
    solo.settle();
}

#[test]
fn an_invite_that_expires_at_once_gets_487_at_once() {
    let mut solo = Solo::new();
    let invite = fresh(&Method::Invite, "brief").header(HeaderName::Expires, 0).body("application/sdp", SDP);
    solo.receive(&invite.build());
    solo.wait(Duration::from_millis(1));
    assert_eq!(solo.take_lines().last().map(String::as_str), Some("487 INVITE"));
    solo.settle();
}

#[test]
fn an_answer_in_time_outlives_the_expires_of_its_invite() {
    let mut solo = Solo::new();
    let invite =
        fresh(&Method::Invite, "brief").header(HeaderName::Expires, 2).body("application/sdp", SDP).build();
    solo.receive(&invite);
    let id = solo.agent.session_ids()[0];
    respond(&mut solo, id, StatusCode::OK).unwrap();
    let answered = solo.last().clone();
    solo.receive(&ack(&invite, &answered, Some("z9hG4bKack")));
    solo.take_lines();
    solo.wait(Duration::from_secs(3));
    assert_eq!(solo.take_lines(), Vec::<String>::new());
    assert_eq!(solo.take_names(), ["Incoming", "Acknowledged"]);
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    solo.settle();
}
