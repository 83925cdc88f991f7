//! Basic flows as ladders, after RFC 3665 §2 (registration) and §3 (sessions), between two user agents.

use crate::cast::{
    self, Guard, call, calling, ended, finish, names, pair, registration, registration_events,
};
use offhook_sip::auth::Credentials;
use offhook_sip::message::{Method, StatusCode};
use offhook_sip::registration::RegistrationEvent;
use offhook_sip::session::{EndCause, Ending, Party};
use offhook_sip::testkit::{Final, Network, Pair, Side, UasScript, ladder};
use offhook_sip::transaction::TimerName;
use std::time::Duration;

fn ladder_of(pair: &Pair) -> String {
    ladder::draw(&pair.sent)
}

fn hang_up(pair: &mut Pair, side: Side) -> Ending {
    let id = cast::session_of(pair, side);
    pair.act(side, |agent, now| agent.hang_up(now, id, Vec::new())).unwrap()
}

#[test]
fn a_registration_is_challenged_and_refreshed_and_removed() {
    let mut pair = pair(Network::default());
    pair.script(Side::B, Guard::registrar());
    let what = registration(&pair);
    let id = pair.act(Side::A, |agent, now| agent.register(now, what));
    pair.drive_for(Duration::from_secs(3_300)).unwrap();
    pair.act(Side::A, |agent, now| agent.unregister(now, id));
    finish(&mut pair);
    assert_eq!(pair.a.agent.registrations(), 0);
    let events = registration_events(&pair, Side::A);
    let registered = RegistrationEvent::Registered {
        expires: Duration::from_secs(3_600),
        refresh_in: Duration::from_secs(3_240),
        status: StatusCode::OK,
        reason: "OK".to_owned(),
        contact_count: 1,
    };
    let stale = RegistrationEvent::Challenged { status: StatusCode::UNAUTHORIZED };
    let gone = RegistrationEvent::Unregistered { status: StatusCode::OK };
    // The nonce of the first challenge has expired when the refresh uses it.
    assert_eq!(events, [stale.clone(), registered.clone(), stale, registered, gone]);
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn a_wrong_password_fails_once_and_is_not_tried_again() {
    let mut pair = pair(Network::default());
    pair.script(Side::B, Guard::registrar());
    let mut what = registration(&pair);
    what.credentials = Some(Credentials::new("alice", "wrong"));
    let id = pair.act(Side::A, |agent, now| agent.register(now, what));
    finish(&mut pair);
    assert_eq!(
        registration_events(&pair, Side::A).last(),
        Some(&RegistrationEvent::Failed {
            status: Some(StatusCode::UNAUTHORIZED),
            reason: "Unauthorized".to_owned(),
            retry_in: None,
        })
    );
    assert_eq!(cast::requests(&pair, Side::A, &Method::Register).len(), 2);
    pair.act(Side::A, |agent, now| {
        agent.set_credentials(id, Some(Credentials::new("alice", "secret")));
        agent.refresh(now, id);
    });
    pair.drive_for(Duration::from_secs(1)).unwrap();
    assert!(matches!(registration_events(&pair, Side::A).last(), Some(RegistrationEvent::Registered { .. })));
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn a_call_is_set_up_and_the_caller_hangs_up() {
    let (mut pair, _) = calling(Network::default(), UasScript::default());
    pair.drive_for(Duration::from_secs(2)).unwrap();
    assert_eq!(hang_up(&mut pair, Side::A), Ending::Bye);
    assert_eq!(hang_up(&mut pair, Side::A), Ending::Already);
    finish(&mut pair);
    assert_eq!(ended(&pair, Side::A), (Party::Local, EndCause::Bye, Some(200)));
    assert_eq!(ended(&pair, Side::B), (Party::Remote, EndCause::Bye, None));
    assert_eq!(names(&pair, Side::A), ["Provisional", "Answered", "Ended"]);
    assert_eq!(names(&pair, Side::B), ["Incoming", "Acknowledged", "Ended"]);
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn the_callee_hangs_up() {
    let bob = UasScript { hang_up_after: Some(Duration::from_secs(1)), ..UasScript::default() };
    let (mut pair, _) = calling(Network::default(), bob);
    finish(&mut pair);
    assert_eq!(ended(&pair, Side::A), (Party::Remote, EndCause::Bye, None));
    assert_eq!(ended(&pair, Side::B), (Party::Local, EndCause::Bye, Some(200)));
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn a_slow_callee_is_covered_by_trying() {
    let bob = UasScript { ring_after: Some(Duration::from_secs(1)), ..UasScript::default() };
    let bob = UasScript {
        answer: Final::Refuse(StatusCode::BUSY_HERE),
        answer_after: Duration::from_secs(2),
        ..bob
    };
    let (mut pair, _) = calling(Network::default(), bob);
    finish(&mut pair);
    assert_eq!(names(&pair, Side::A), ["Trying", "Provisional", "Rejected", "Ended"]);
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn a_busy_callee_refuses() {
    let bob =
        UasScript { answer: Final::Refuse(StatusCode::BUSY_HERE), ring_after: None, ..UasScript::default() };
    let (mut pair, _) = calling(Network::default(), bob);
    finish(&mut pair);
    let busy = EndCause::Rejected(StatusCode::BUSY_HERE);
    assert_eq!(ended(&pair, Side::A), (Party::Remote, busy, Some(486)));
    assert_eq!(ended(&pair, Side::B), (Party::Local, busy, Some(486)));
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn an_unanswered_call_is_canceled() {
    let bob = UasScript { answer: Final::Ignore, ..UasScript::default() };
    let (mut pair, _) = calling(Network::default(), bob);
    pair.drive_for(Duration::from_secs(5)).unwrap();
    assert_eq!(hang_up(&mut pair, Side::A), Ending::Cancel);
    assert_eq!(hang_up(&mut pair, Side::A), Ending::Already);
    finish(&mut pair);
    assert_eq!(ended(&pair, Side::A), (Party::Local, EndCause::Cancel, Some(487)));
    assert_eq!(ended(&pair, Side::B), (Party::Remote, EndCause::Cancel, Some(487)));
    assert_eq!(names(&pair, Side::B), ["Incoming", "Canceled", "Ended"]);
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let bob = UasScript {
        answer: Final::Ignore,
        ring_after: Some(Duration::from_millis(300)),
        ..UasScript::default()
    };
    let (mut pair, _) = calling(Network::default(), bob);
    assert_eq!(hang_up(&mut pair, Side::A), Ending::CancelWhenHeard);
    finish(&mut pair);
    assert_eq!(ended(&pair, Side::A), (Party::Local, EndCause::Cancel, Some(487)));
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn nobody_there_times_out_after_timer_b() {
    let mut pair = pair(Network { loss: 1_000, ..Network::default() });
    let invite = call(&pair);
    pair.act(Side::A, |agent, now| agent.invite(now, invite));
    finish(&mut pair);
    assert_eq!(ended(&pair, Side::A), (Party::Local, EndCause::Timeout(TimerName::B), None));
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn a_challenged_call_is_sent_again_with_credentials() {
    let mut pair = pair(Network::default());
    let mut guard = Guard::registrar();
    guard.proxy = true;
    guard.methods = vec![Method::Invite];
    pair.script(Side::B, guard);
    let invite = call(&pair);
    pair.act(Side::A, |agent, now| agent.invite(now, invite));
    pair.drive_for(Duration::from_secs(1)).unwrap();
    hang_up(&mut pair, Side::A);
    finish(&mut pair);
    assert_eq!(ended(&pair, Side::A), (Party::Local, EndCause::Bye, Some(200)));
    let invites = cast::requests(&pair, Side::A, &Method::Invite);
    let numbers: Vec<u32> = invites.iter().map(|invite| invite.cseq().unwrap().number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_ne!(invites[0].top_via().unwrap().branch(), invites[1].top_via().unwrap().branch());
    insta::assert_snapshot!(ladder_of(&pair));
}

#[test]
fn a_call_over_tcp_needs_no_retransmissions() {
    let mut pair = pair(Network::default());
    pair.script(Side::B, UasScript::default());
    let mut invite = call(&pair);
    invite.destination = offhook_sip::user_agent::Destination::tcp(pair.b.address);
    pair.act(Side::A, |agent, now| agent.invite(now, invite));
    pair.drive_for(Duration::from_secs(1)).unwrap();
    hang_up(&mut pair, Side::B);
    finish(&mut pair);
    assert_eq!(ended(&pair, Side::A), (Party::Remote, EndCause::Bye, None));
    assert!(pair.sent.iter().all(|sent| sent.flow.transport.is_reliable() && !sent.retransmission));
    insta::assert_snapshot!(ladder_of(&pair));
}
