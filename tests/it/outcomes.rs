//! What the other side has to confirm becomes a fact once it has, and not before.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command, PhoneCommand, Refused},
    event::{CallEvent, EndCause, Event, Party, PhoneEvent},
};

use crate::support::{
    beside_a_peer, on,
    peer::{EVENTS, PLAIN, Peer, header, tag},
};

const SIPFRAG: &str = "Event: refer\r\nContent-Type: message/sipfrag\r\nSubscription-State: ";

#[tokio::test(start_paused = true)]
async fn a_refused_refer_is_told_and_the_call_goes_on() {
    let (mut world, a, peer) = beside_a_peer().await;
    let call = world.calls(&a, &peer, EVENTS).await;
    for status in ["603 Decline", "501 Not Implemented"] {
        let transfer = CallCommand::Transfer { to: "sip:c@127.0.0.1:5071".into() };
        world.run(Command::Call(on(call), transfer)).await.unwrap();
        let refer = peer.next("REFER").await;
        peer.answer(&refer, status, "", "");
        let refused = world.next(&a, "call.transfer_refused").await;
        let (code, reason) = status.split_once(' ').unwrap();
        let expected = CallEvent::TransferRefused { status: code.parse().ok(), reason: reason.into() };
        assert_eq!(refused.event, Event::Call(expected));
    }
    world.hang_up(call, &peer).await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_transferred_a_call_hangs_up_after_the_last_word_about_it() {
    let (mut world, a, peer) = beside_a_peer().await;
    let (call, to) = world.called_by(&peer, &a).await;
    for (number, outcome) in [(0, "486 Busy Here"), (1, "200 OK")] {
        let transfer = CallCommand::Transfer { to: "sip:c@127.0.0.1:5071".into() };
        world.run(Command::Call(on(call), transfer)).await.unwrap();
        let refer = peer.next("REFER").await;
        peer.answer(&refer, "202 Accepted", "", "");
        world.next(&a, "call.transfer_accepted").await;
        for (step, (state, line)) in
            [("active", "100 Trying"), ("terminated", outcome)].into_iter().enumerate()
        {
            let cseq = 10 + 2 * number + u32::try_from(step).unwrap();
            peer.request_with(
                "NOTIFY",
                cseq,
                &to,
                &format!("{SIPFRAG}{state}\r\n"),
                &format!("SIP/2.0 {line}\r\n"),
            );
            peer.next("SIP/2.0 200").await;
            world.next(&a, "call.transfer_progress").await;
        }
        if number == 0 {
            assert_eq!(peer.next_within("BYE", Duration::from_secs(5)).await, None, "nobody took it over");
        }
    }
    peer.agrees().await;
    let ended = world.next(&a, "call.ended").await;
    let Event::Call(CallEvent::Ended { by, cause, .. }) = ended.event.clone() else { panic!("{ended:?}") };
    assert_eq!((by, cause), (Party::Local, EndCause::Normal));
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_messages_under_way_each_outcome_names_its_own() {
    let (mut world, a, peer) = beside_a_peer().await;
    let (to, content_type) = (format!("sip:peer@127.0.0.1:{}", peer.port()), "text/plain".to_owned());
    let mut sent = Vec::new();
    for body in ["one", "two"] {
        let (to, content_type) = (to.clone(), content_type.clone());
        let message = PhoneCommand::SendMessage { to, body: body.into(), content_type };
        world.run(Command::Phone(a.clone(), message)).await.unwrap();
        sent.push(world.next(&a, "message.sent").await.seq);
    }
    let (one, two) = (peer.next("MESSAGE").await, peer.next("MESSAGE").await);
    assert!(one.ends_with("one") && two.ends_with("two"), "{one}{two}");
    peer.answer(&two, "200 OK", "", "");
    let delivered = world.next(&a, "message.delivered").await;
    let (to, status) = (to.clone(), 200);
    let expected = PhoneEvent::MessageDelivered { to: to.clone(), status, sent: Some(sent[1]) };
    assert_eq!(delivered.event, Event::Phone(expected));
    peer.answer(&one, "403 Forbidden", "", "");
    let failed = world.next(&a, "message.failed").await;
    let (status, reason) = (Some(403), "Forbidden".to_owned());
    let expected = PhoneEvent::MessageFailed { to, status, reason, sent: Some(sent[0]) };
    assert_eq!(failed.event, Event::Phone(expected));
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_open_is_not_answered_by_what_held_before() {
    let (mut world, a, peer) = beside_a_peer().await;
    let call = world.calls(&a, &peer, EVENTS).await;
    let run = |command| Command::Call(on(call), command);
    world.run(run(CallCommand::Hold)).await.unwrap();
    let refused = world.run(run(CallCommand::Resume)).await.unwrap_err();
    assert_eq!(refused.what, Refused::ChangePending);
    let hold = peer.next("INVITE").await;
    peer.answer(&hold, "200 OK", "", PLAIN);
    world.next(&a, "call.held").await;
    world.run(run(CallCommand::Resume)).await.unwrap();
    let resume = peer.next("INVITE").await;
    assert!(resume.contains("a=sendrecv"), "{resume}");
    peer.answer(&resume, "200 OK", "", PLAIN);
    world.next(&a, "call.resumed").await;
    world.hang_up(call, &peer).await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_never_acknowledged_ends_when_that_is_decided() {
    let (mut world, a, peer) = beside_a_peer().await;
    peer.request("INVITE", 1, "", EVENTS);
    let incoming = world.next(&a, "call.incoming").await;
    let call = incoming.subject.call.unwrap();
    world.run(Command::Call(on(call), CallCommand::Answer { status: 200 })).await.unwrap();
    let answered = world.next(&a, "call.answered").await;
    // 64·T1 (RFC 3261 §13.3.1.4), then as long again for the BYE that nobody answers.
    let ending = world.next_within(&a, "call.ending", Duration::from_secs(40)).await;
    let ended = world.next_within(&a, "call.ended", Duration::from_secs(40)).await;
    let after =
        |at: &offhook::event::Envelope| (at.at.as_millisecond() - answered.at.as_millisecond()) / 1000;
    assert_eq!((after(&ending), after(&ended)), (32, 64));
    let Event::Call(CallEvent::Ended { cause, duration_ms, .. }) = ended.event.clone() else {
        panic!("{ended:?}")
    };
    assert_eq!((cause, duration_ms), (EndCause::TimedOut, 32_000));
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_here_takes_is_refused_after_three_minutes() {
    let (mut world, a, peer) = beside_a_peer().await;
    peer.request("INVITE", 1, "", EVENTS);
    let incoming = world.next(&a, "call.incoming").await;
    assert_eq!(peer.next_within("SIP/2.0 4", Duration::from_secs(179)).await, None);
    let refusal = peer.next("SIP/2.0 480").await;
    peer.request("ACK", 1, &tag(&header(&refusal, "To")), "");
    let ended = world.next(&a, "call.ended").await;
    assert_eq!((ended.at.as_millisecond() - incoming.at.as_millisecond()) / 1000, 180);
    let Event::Call(CallEvent::Ended { status, reason, .. }) = ended.event.clone() else {
        panic!("{ended:?}")
    };
    assert_eq!((status, reason.as_str()), (Some(480), "nobody answered within 180 s"));
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_redirection_ends_the_call_and_is_said_not_to_be_followed() {
    let (mut world, a, peer) = beside_a_peer().await;
    let elsewhere = Peer::new(&world.network, 5071, 5061);
    world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    let extra = "Contact: <sip:desk@127.0.0.1:5071>;q=0.9\r\n";
    peer.answer(&invite, "302 Moved Temporarily", extra, "");
    peer.next("ACK").await;
    let ended = world.next(&a, "call.ended").await;
    let Event::Call(CallEvent::Ended { by, cause, status, reason, .. }) = ended.event.clone() else {
        panic!("{ended:?}")
    };
    assert_eq!((by, cause, status), (Party::Remote, EndCause::Rejected, Some(302)));
    assert_eq!(reason, "Moved Temporarily (redirections are not followed yet)");
    assert_eq!(elsewhere.next_within("INVITE", Duration::from_secs(60)).await, None);
    drop((peer, elsewhere));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_notification_whose_status_is_none_tells_nothing_of_a_transfer() {
    let (mut world, a, peer) = beside_a_peer().await;
    let (call, to) = world.called_by(&peer, &a).await;
    let transfer = CallCommand::Transfer { to: "sip:c@127.0.0.1:5071".into() };
    world.run(Command::Call(on(call), transfer)).await.unwrap();
    let refer = peer.next("REFER").await;
    peer.answer(&refer, "202 Accepted", "", "");
    world.next(&a, "call.transfer_accepted").await;
    let lines = ["65535 What", "20 OK", "0200 OK", "099 OK", "700 No", "+20 OK", "OK", ""];
    for (cseq, line) in (10..).zip(lines) {
        let fragment = format!("SIP/2.0 {line}\r\n");
        peer.request_with("NOTIFY", cseq, &to, &format!("{SIPFRAG}active\r\n"), &fragment);
        peer.next("SIP/2.0 200").await;
    }
    peer.request_with("NOTIFY", 20, &to, &format!("{SIPFRAG}active\r\n"), "SIP/2.0 180 Ringing\r\n");
    let told = world.next(&a, "call.transfer_progress").await;
    assert_eq!(told.event, CallEvent::TransferProgress { status: 180, reason: "Ringing".into() }.into());
    assert_eq!(world.count("call.transfer_progress"), 1, "{}", world.story());
    world.hang_up(call, &peer).await;
    drop(peer);
    world.end().await;
}
