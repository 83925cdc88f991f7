//! Our 200 and the caller's CANCEL cross (RFC 3261 §9.2): either the call is up or it is not, and
//! the journal knows which.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command},
    event::{CallEvent, EndCause, Event, Party, SipEvent},
    id::{CallId, PhoneId},
    journal::Query,
};

use crate::support::{
    World, on,
    peer::{EVENTS, Peer, header, tag},
};

async fn ringing(world: &mut World) -> (PhoneId, CallId, Peer) {
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    peer.request("INVITE", 1, "", EVENTS);
    let call = world.next(&a, "call.incoming").await.subject.call.unwrap();
    (a, call, peer)
}

/// Returns how often our side sent this status for the INVITE.
fn sent(world: &World, wanted: u16) -> usize {
    let all = world.board.journal().query_blocking(&Query::default()).unwrap();
    let is = |event: &Event| {
        matches!(event, Event::Sip(SipEvent::Sent { summary, .. })
            if summary.status == Some(wanted) && summary.method.as_deref() == Some("INVITE"))
    };
    all.iter().filter(|envelope| is(&envelope.event)).count()
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_crosses_the_200_changes_nothing_and_the_caller_hangs_up() {
    let mut world = World::new().await;
    let (a, call, peer) = ringing(&mut world).await;
    world.run(Command::Call(on(call), CallCommand::Answer { status: 200 })).await.unwrap();
    peer.cancel();
    let ok = peer.next("SIP/2.0 200").await;
    assert_eq!(header(&ok, "CSeq"), "1 INVITE");
    let canceled = peer.next("SIP/2.0 200").await;
    assert_eq!(header(&canceled, "CSeq"), "1 CANCEL");
    let to = tag(&header(&ok, "To"));
    assert_eq!(tag(&header(&canceled, "To")), to);
    peer.request("ACK", 1, &to, "");
    world.next(&a, "call.established").await;
    peer.request("BYE", 2, &to, "");
    let ended = world.next(&a, "call.ended").await;
    let Event::Call(CallEvent::Ended { by, cause, .. }) = &ended.event else { panic!() };
    assert_eq!((*by, *cause), (Party::Remote, EndCause::Normal));
    assert_eq!((sent(&world, 487), world.story().contains("call.answered")), (0, true));
    drop(peer);
    world.end().await;
}

/// The caller cancels just before we answer; returns whether we had decided to answer, and the
/// reason of the end.
async fn overtaken(turns: usize) -> (bool, String) {
    let mut world = World::new().await;
    let (a, call, peer) = ringing(&mut world).await;
    peer.cancel();
    // The CANCEL arrives at this very instant; what can still vary is which task runs first.
    tokio::time::sleep(Duration::from_millis(1)).await;
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    // Rejected if the call is already known to be over.
    let answered = world.run(Command::Call(on(call), CallCommand::Answer { status: 200 })).await.is_ok();
    let ended = world.next(&a, "call.ended").await;
    let Event::Call(CallEvent::Ended { by, cause, status, reason, .. }) = &ended.event else { panic!() };
    assert_eq!((*by, *cause, *status), (Party::Remote, EndCause::Canceled, Some(487)));
    assert_eq!((sent(&world, 200), sent(&world, 487)), (0, 1), "{}", world.story());
    peer.request("ACK", 1, &tag(&header(&peer.next("SIP/2.0 487").await, "To")), "");
    let reason = reason.clone();
    drop(peer);
    world.end().await;
    (answered, reason)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_cancel_overtook_never_left_and_the_end_says_so() {
    let mut met = 0;
    for turns in 0..4 {
        let (answered, reason) = overtaken(turns).await;
        let expected =
            if answered { "the caller canceled before our answer had left" } else { "Request Terminated" };
        assert_eq!(reason, expected, "{turns}");
        met += usize::from(answered);
    }
    assert!(met > 0, "no answer met the CANCEL");
}

#[tokio::test(start_paused = true)]
async fn a_reinvite_that_overtakes_the_ack_changes_the_call_and_the_ack_completes_it() {
    let mut world = World::new().await;
    let (a, call, peer) = ringing(&mut world).await;
    world.run(Command::Call(on(call), CallCommand::Answer { status: 200 })).await.unwrap();
    let to = tag(&header(&peer.next("SIP/2.0 200").await, "To"));
    let held = EVENTS.replace("m=audio", "a=sendonly\r\nm=audio").replace("o=- 1 1", "o=- 1 2");
    peer.request("INVITE", 2, &to, &held);
    let answer = loop {
        let next = peer.next("SIP/2.0").await;
        if header(&next, "CSeq") == "2 INVITE" && !next.starts_with("SIP/2.0 1") {
            break next;
        }
    };
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    peer.request("ACK", 2, &to, "");
    world.next(&a, "call.held").await;
    world.next(&a, "call.established").await;
    // The ACK of the first answer was only late.
    peer.request("ACK", 1, &to, "");
    peer.request("BYE", 3, &to, "");
    let ended = world.next(&a, "call.ended").await;
    let Event::Call(CallEvent::Ended { by, cause, .. }) = &ended.event else { panic!() };
    assert_eq!((*by, *cause), (Party::Remote, EndCause::Normal));
    assert!(!world.story().contains("sip.anomaly"), "{}", world.story());
    drop(peer);
    world.end().await;
}
