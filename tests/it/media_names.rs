//! Session descriptions that give a host name instead of an address (RFC 8866 §5.7): the call waits
//! for the name, and the order is kept.

use std::time::Duration;

use offhook::{
    command::{CallCommand, Command, Execute},
    event::{CallEvent, Cause, EndCause, Event, MediaEvent, Surface},
    id::PhoneId,
    net::Answer,
};
use offhook_sip::next_hop::{Question, Record};
use tokio::time::Instant;

use crate::support::{
    World, on,
    peer::{EVENTS, Peer, header, tag},
};

fn named(host: &str) -> String {
    EVENTS.replace("c=IN IP4 127.0.0.1", &format!("c=IN IP4 {host}"))
}

/// Gives the host these addresses for five seconds.
fn set_name(world: &World, addresses: &[&str]) {
    let records = addresses.iter().map(|address| Record::Address(address.parse().unwrap())).collect();
    let answer = Answer { records, ttl: Duration::from_secs(5) };
    world.network.set_answer(Question::Address("media.example.test".into()), Ok(answer));
}

/// Returns where media goes, according to the journal.
async fn remote(world: &mut World, phone: &PhoneId) -> String {
    let started = world.next(phone, "media.started").await;
    let Event::Media(MediaEvent::Started { remote, .. }) = &started.event else { panic!() };
    remote.clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_names_a_host_is_answered_when_the_name_is_known() {
    for (host, address) in [("localhost", "127.0.0.1:9000"), ("media.example.test", "192.0.2.77:9000")] {
        let mut world = World::new().await;
        set_name(&world, &["2001:db8::7", "192.0.2.77"]);
        world.network.set_name_delay(Duration::from_millis(700));
        let a = world.phone("a", 5061).await;
        let peer = Peer::new(&world.network, 5070, 5061);
        peer.request("INVITE", 1, "", &named(host));
        let call = world.next(&a, "call.incoming").await.subject.call.unwrap();
        world.run(Command::Call(on(call), CallCommand::Answer { status: 200 })).await.unwrap();
        let to = tag(&header(&peer.next("SIP/2.0 200").await, "To"));
        assert_eq!(remote(&mut world, &a).await, address);
        peer.request("ACK", 1, &to, "");
        world.next(&a, "call.established").await;
        // For a re-INVITE the name is looked up again.
        set_name(&world, &["192.0.2.78"]);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let asked = world.network.asked().len();
        peer.request("INVITE", 2, &to, &named(host));
        peer.next("SIP/2.0 200").await;
        assert_eq!(world.network.asked().len() > asked, host != "localhost");
        peer.request("ACK", 2, &to, "");
        peer.request("BYE", 3, &to, "");
        world.next(&a, "call.ended").await;
        drop(peer);
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_an_answer_that_names_a_host_waits_behind_it() {
    let mut world = World::new().await;
    set_name(&world, &["192.0.2.77"]);
    world.network.set_name_delay(Duration::from_millis(700));
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let call = world.call(&a, "sip:peer@127.0.0.1:5070").await;
    let invite = peer.next("INVITE").await;
    peer.answer(&invite, "180 Ringing", "", "");
    world.next(&a, "call.ringing").await;
    peer.answer(&invite, "200 OK", "", &named("media.example.test"));
    peer.next("ACK").await;
    // The hang-up comes before the name is known: it waits, and finds the call answered.
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    assert_eq!(remote(&mut world, &a).await, "192.0.2.77:9000");
    let established = world.next(&a, "call.established").await;
    let ending = world.next(&a, "call.ending").await;
    assert!(established.seq < ending.seq);
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_address_is_refused_and_one_that_takes_too_long_too() {
    for delay in [0, 10] {
        let mut world = World::new().await;
        world.network.set_name_delay(Duration::from_secs(delay));
        let a = world.phone("a", 5061).await;
        let peer = Peer::new(&world.network, 5070, 5061);
        let begun = Instant::now();
        peer.request("INVITE", 1, "", &named("nowhere.example.test"));
        peer.next("SIP/2.0 488").await;
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        peer.request("ACK", 1, "", "");
        let ended = world.next(&a, "call.ended").await;
        let Event::Call(CallEvent::Ended { cause, reason, .. }) = &ended.event else { panic!() };
        assert_eq!(*cause, EndCause::MediaRefused);
        assert_eq!(reason, "connection host nowhere.example.test has no address");
        drop(peer);
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_for_a_name_gives_the_name_up() {
    let mut world = World::new().await;
    world.network.set_name_delay(Duration::from_secs(10));
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    peer.request("INVITE", 1, "", &named("slow.example.test"));
    let call = world.next(&a, "call.incoming").await.subject.call.unwrap();
    let begun = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let board = world.board.clone();
        asked.spawn(async move {
            let stop = Command::Call(on(call), CallCommand::StopPlaying);
            board.execute(stop, Cause::command(Surface::Library)).await
        });
    }
    assert_eq!(asked.join_all().await.len(), 64);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    peer.next("SIP/2.0 488").await;
    peer.request("ACK", 1, "", "");
    world.next(&a, "call.ended").await;
    drop(peer);
    world.end().await;
}
