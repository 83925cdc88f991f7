//! Offers and answers that cross, change or never come: what is agreed in the end, and what the
//! journal says about it.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command},
    event::{CallEvent, Cause, EndCause, Envelope, Event, MediaDirection, MediaEvent, Party},
    id::{CallId, PhoneId, Seq},
    net::Network,
};

use crate::support::{
    World, on,
    peer::{EVENTS, Peer, header, version},
    tone,
};

#[tokio::test(start_paused = true)]
async fn a_hold_that_met_a_reinvite_is_offered_afresh_when_the_pause_is_over() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let (call, to) = world.called_by(&peer, &a).await;

    world.run(Command::Call(on(call), CallCommand::Hold)).await.unwrap();
    let met = peer.next("INVITE").await;
    peer.answer(&met, "491 Request Pending", "", "");
    peer.next("ACK").await;
    // The peer placed the call, so we are the side that waits up to two seconds (RFC 3261 §14.1);
    // its own re-INVITE comes first.
    let elsewhere = EVENTS.replace("o=- 1 1", "o=- 1 2").replace("m=audio 9000", "m=audio 9200");
    peer.request("INVITE", 2, &to, &elsewhere);
    let answer = peer.next("SIP/2.0 200").await;
    assert!(answer.contains("a=sendrecv"), "nobody agreed to a hold: {answer}");
    assert!(version(&answer) > version(&met), "{met}\n{answer}");
    peer.request("ACK", 2, &to, "");

    let again = peer.next_within("INVITE", Duration::from_secs(3)).await.expect("the hold, offered again");
    assert!(again.contains("a=sendonly"), "{again}");
    assert!(version(&again) > version(&answer), "{answer}\n{again}");
    peer.answer(&again, "200 OK", "", &format!("{elsewhere}a=recvonly\r\n"));
    let held = world.next(&a, "call.held").await;
    assert_eq!(held.event, CallEvent::Held { by: Party::Local }.into());
    peer.request("BYE", 3, &to, "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn codecs_that_met_a_reinvite_are_not_in_use_before_they_are_agreed() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let (call, to) = world.called_by(&peer, &a).await;

    world.run(Command::Call(on(call), CallCommand::SetCodecs { codecs: vec!["PCMA".into()] })).await.unwrap();
    let met = peer.next("INVITE").await;
    peer.answer(&met, "491 Request Pending", "", "");
    peer.next("ACK").await;
    peer.request("INVITE", 2, &to, EVENTS);
    let answer = peer.next("SIP/2.0 ").await;
    assert!(answer.starts_with("SIP/2.0 200"), "PCMU is still agreed: {answer}");
    peer.request("ACK", 2, &to, "");
    let again = peer.next_within("INVITE", Duration::from_secs(3)).await.expect("the codecs, offered again");
    assert!(again.contains("PCMA/8000") && !again.contains("PCMU/8000"), "{again}");
    peer.request("BYE", 3, &to, "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

/// A call of ours that has reached the peer.
async fn calling(world: &World) -> (PhoneId, CallId, Peer, String) {
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    (a, call, peer, invite)
}

/// Takes the BYE of a call that could not agree on media, and returns how the call ended.
async fn refused_for_media(world: &mut World, a: &PhoneId, peer: &Peer) -> String {
    peer.next("ACK").await;
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    let ended = world.next(a, "call.ended").await;
    let Event::Call(CallEvent::Ended { by, cause, reason, .. }) = &ended.event else { panic!() };
    assert_eq!((*by, *cause), (Party::Local, EndCause::MediaRefused));
    assert!(!world.story().contains("call.established"), "{}", world.story());
    reason.clone()
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_description_is_no_session() {
    let mut world = World::new().await;
    let (a, _, peer, invite) = calling(&world).await;
    peer.answer(&invite, "180 Ringing", "", "");
    peer.answer(&invite, "200 OK", "", "");
    let reason = refused_for_media(&mut world, &a, &peer).await;
    assert_eq!(reason, "the 2xx holds no session description");
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_stands_when_the_final_one_holds_none() {
    let mut world = World::new().await;
    let (a, call, peer, invite) = calling(&world).await;
    peer.answer(&invite, "183 Session Progress", "", EVENTS);
    world.next(&a, "media.started").await;
    peer.answer(&invite, "200 OK", "", "");
    peer.next("ACK").await;
    world.next(&a, "call.established").await;
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    let ended = world.next(&a, "call.ended").await;
    assert!(matches!(ended.event, Event::Call(CallEvent::Ended { cause: EndCause::Normal, .. })));
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_early_answer_of_another_fork_does_not_stand() {
    let mut world = World::new().await;
    let (a, _, peer, invite) = calling(&world).await;
    let other = format!("To: {}", header(&invite, "To"));
    peer.answer(&invite.replace(&other, &format!("{other};tag=fork")), "183 Session Progress", "", EVENTS);
    world.next(&a, "media.started").await;
    peer.answer(&invite, "200 OK", "", "");
    refused_for_media(&mut world, &a, &peer).await;
    drop(peer);
    world.end().await;
}

fn the_sip_message_of(fact: &Envelope) -> Option<Seq> {
    let Cause::Sip { seq } = fact.cause else { return None };
    Some(seq)
}

#[tokio::test(start_paused = true)]
async fn media_follows_the_final_answer_and_the_journal_says_so() {
    let mut world = World::new().await;
    let (a, call, peer, invite) = calling(&world).await;
    peer.answer(&invite, "183 Session Progress", "", EVENTS);
    world.next(&a, "media.started").await;
    // The same description again changes nothing.
    peer.answer(&invite, "180 Ringing", "", EVENTS);
    let elsewhere = EVENTS.replace("m=audio 9000", "m=audio 9200");
    let rtp = world.network.bind_datagram("127.0.0.1:9200".parse().unwrap()).unwrap();
    peer.answer(&invite, "200 OK", "", &elsewhere);
    let changed = world.next(&a, "media.changed").await;
    let Event::Media(MediaEvent::Changed { remote, codec, direction, epoch, agreement, .. }) = &changed.event
    else {
        panic!()
    };
    let way = (remote.as_deref(), codec.as_str(), *direction);
    assert_eq!(way, (Some("127.0.0.1:9200"), "PCMU", MediaDirection::Sendrecv));
    let agreement = agreement.as_ref().unwrap();
    assert_eq!((*epoch, agreement.offered_by), (2, Party::Local));
    assert_eq!(agreement.remote_in, the_sip_message_of(&changed));
    world.next(&a, "call.established").await;
    assert_eq!(world.story().matches("media.changed").count(), 1, "{}", world.story());
    let view = world.board.views().call(call).unwrap();
    assert_eq!(view.media_remote.as_deref(), Some("127.0.0.1:9200"));
    world
        .run(Command::Call(on(call), CallCommand::Play { sound: tone(440.0), repeat: false }))
        .await
        .unwrap();
    let packet = tokio::time::timeout(Duration::from_secs(1), rtp.receive(&mut [0; 1024])).await;
    assert!(packet.is_ok(), "RTP goes to the final answer's port");

    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    world.next(&a, "call.ended").await;
    drop((peer, rtp));
    world.end().await;
}
