//! Offers and answers that meet, change or stay away: what is agreed in the end, and what the journal says of it.

use std::time::Duration;

use offhook::{
    command::Command,
    event::{CallEvent, Party},
};

use crate::support::{
    World, on,
    peer::{EVENTS, Peer, header, tag, version},
};

#[tokio::test(start_paused = true)]
async fn a_hold_that_met_a_reinvite_is_offered_afresh_when_the_pause_is_over() {
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    peer.request("INVITE", 1, "", EVENTS);
    let call = world.next(&a, "call.incoming").await.subject.call.unwrap();
    world.run(Command::AnswerCall { call: on(call), status: 200 }).await.unwrap();
    let to = tag(&header(&peer.next("SIP/2.0 200").await, "To"));
    peer.request("ACK", 1, &to, "");
    world.next(&a, "call.established").await;

    world.run(Command::Hold { call: on(call) }).await.unwrap();
    let met = peer.next("INVITE").await;
    peer.answer(&met, "491 Request Pending", "", "");
    peer.next("ACK").await;
    // The peer made the call, so it is we who wait less than two seconds; its own re-INVITE comes first.
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
    peer.request("INVITE", 1, "", EVENTS);
    let call = world.next(&a, "call.incoming").await.subject.call.unwrap();
    world.run(Command::AnswerCall { call: on(call), status: 200 }).await.unwrap();
    let to = tag(&header(&peer.next("SIP/2.0 200").await, "To"));
    peer.request("ACK", 1, &to, "");
    world.next(&a, "call.established").await;

    world.run(Command::SetCodecs { call: on(call), codecs: vec!["PCMA".into()] }).await.unwrap();
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
