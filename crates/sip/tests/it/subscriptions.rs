//! The subscription that a REFER makes in the dialog of its session: RFC 3515, RFC 5057.

use crate::solo::{Solo, in_dialog};
use offhook_sip::message::{HeaderName, Message, Method, StatusCode};
use offhook_sip::session::SessionEvent;
use offhook_sip::usage::SubscriptionTimer;
use offhook_sip::user_agent::{Input, Output, Reason, SessionId};
use std::time::Duration;

/// A call whose REFER got this answer, before anything else happened.
fn referred(status: StatusCode, refer_sub: Option<&str>) -> (Solo, SessionId, Message, Message) {
    let mut solo = Solo::new();
    let (id, invite) = solo.established();
    solo.act(|agent, now| agent.refer(now, id, "<sip:carol@192.0.2.3>", Vec::new())).unwrap();
    let refer = solo.last().clone();
    let answer = refer.response_to(status, None).header_opt(HeaderName::ReferSub, refer_sub);
    solo.receive(&answer.build());
    solo.take_lines();
    solo.events.clear();
    (solo, id, invite, refer)
}

fn notify(invite: &Message, cseq: u32, event: &str, state: &str) -> Message {
    in_dialog(invite, "bob", &Method::Notify, cseq)
        .header(HeaderName::Event, event)
        .header(HeaderName::SubscriptionState, state)
        .body("message/sipfrag", "SIP/2.0 200 OK")
        .build()
}

/// Hangs up and has the BYE answered.
fn hang_up(solo: &mut Solo, id: SessionId) {
    solo.act(|agent, now| agent.hang_up(now, id, Vec::new())).unwrap();
    let bye = solo.last().clone();
    solo.receive(&bye.response_to(StatusCode::OK, None).build());
    assert_eq!(solo.take_lines(), ["BYE"]);
}

#[test]
fn a_notify_after_our_bye_is_taken_until_the_subscription_ends() {
    let (mut solo, id, invite, refer) = referred(StatusCode::ACCEPTED, None);
    let event = format!("refer;id={}", refer.cseq().unwrap().number);
    hang_up(&mut solo, id);
    solo.events.clear();
    solo.receive(&notify(&invite, 1, &event, "active;expires=60"));
    solo.receive(&notify(&invite, 2, &event, "terminated;reason=noresource"));
    assert_eq!(solo.take_lines(), ["200 NOTIFY", "200 NOTIFY"]);
    // Ended was the last event of the session.
    assert!(solo.take_session_events().is_empty());
    solo.receive(&notify(&invite, 3, &event, "active"));
    assert_eq!(solo.take_lines(), ["481 NOTIFY"]);
    solo.settle();
}

#[test]
fn a_notify_during_the_session_is_its_users_to_answer() {
    let (mut solo, id, invite, _) = referred(StatusCode::ACCEPTED, None);
    solo.receive(&notify(&invite, 1, "refer", "terminated;reason=noresource"));
    let events = solo.take_session_events();
    let [SessionEvent::Notify { request, .. }] = events.as_slice() else { panic!("{events:?}") };
    solo.act(|agent, now| agent.reply_status(now, *request, StatusCode::OK)).unwrap();
    assert_eq!(solo.take_lines(), ["200 NOTIFY"]);
    // The subscription is over, so nothing outlives the session.
    hang_up(&mut solo, id);
    solo.receive(&notify(&invite, 2, "refer", "active"));
    assert_eq!(solo.take_lines(), ["481 NOTIFY"]);
    solo.settle();
}

#[test]
fn a_dialog_without_a_subscription_ends_with_its_session() {
    let refused = referred(StatusCode::DECLINE, None);
    let silent = referred(StatusCode::OK, Some("false"));
    for (mut solo, id, invite, _) in [refused, silent] {
        hang_up(&mut solo, id);
        solo.receive(&notify(&invite, 1, "refer", "active"));
        assert_eq!(solo.take_lines(), ["481 NOTIFY"]);
        solo.settle();
    }
}

#[test]
fn only_a_notify_of_the_subscription_outlives_the_session() {
    let (mut solo, id, invite, _) = referred(StatusCode::ACCEPTED, None);
    hang_up(&mut solo, id);
    solo.receive(&in_dialog(&invite, "bob", &Method::Info, 1).build());
    // There is only one subscription, so a different id was changed on the path.
    solo.receive(&notify(&invite, 2, "refer;id=99", "active"));
    solo.receive(&notify(&invite, 3, "presence", "active"));
    assert_eq!(solo.take_lines(), ["481 INFO", "200 NOTIFY", "481 NOTIFY"]);
    solo.settle();
}

#[test]
fn a_subscription_that_nobody_ends_is_forgotten_64_t1_after_its_session() {
    let (mut solo, id, invite, _) = referred(StatusCode::ACCEPTED, None);
    hang_up(&mut solo, id);
    solo.wait(Duration::from_millis(31_900));
    solo.receive(&notify(&invite, 1, "refer", "active"));
    assert_eq!(solo.take_lines(), ["200 NOTIFY"]);
    solo.now += Duration::from_millis(200);
    let now = solo.now;
    solo.agent.handle_input(now, Input::Timeout);
    let outlived = Reason::Subscription(SubscriptionTimer::Outlived);
    let mut outputs = (0..9).map(|_| solo.agent.poll_output());
    assert!(outputs.any(|output| matches!(output, Output::Fired(reason) if reason == outlived)));
    solo.act(|_, _| ());
    solo.events.clear();
    solo.receive(&notify(&invite, 2, "refer", "active"));
    assert_eq!(solo.take_lines(), ["481 NOTIFY"]);
    solo.settle();
}
