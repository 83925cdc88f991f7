//! Bad input, bad networks, and the end of the lab itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use offhook::{
    lab::LabOptions,
    net::Transport,
    sim::{Fate, Link},
};
use offhook_media::sdp::Direction;
use offhook_sip::session::EndCause;

use super::world::{World, connected};

#[tokio::test(start_paused = true)]
async fn garbage_is_counted_and_survived() {
    let world = World::new();
    let a = world.registered("6001").await;
    let garbage: [&[u8]; 6] = [
        b"hello",
        &[0xff; 900],
        b"INVITE sip:600@10.0.0.1 SIP/2.0\r\n\r\n",
        b"REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bK1\r\nFrom: <sip:6001@x>;tag=1\r\n\
          To: nobody at all\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <<<>\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2\r\nCSeq: 1 INVITE\r\n\r\n",
        b"INVITE sip:600@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bK3\r\nMax-Forwards: 0\r\n\
          From: <sip:6001@x>;tag=1\r\nTo: <sip:600@x>\r\nCall-ID: 2\r\nCSeq: 1 BYE\r\nContent-Length: 99999\r\n\r\n",
    ];
    for bytes in garbage {
        a.send_raw(bytes);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.lab.anomalies() >= 3, "{}", world.lab.anomalies());
    let call = a.call("600");
    a.answered(call).await;
    a.hang_up(call);
    a.ended(call).await;
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_survives_a_network_that_loses_and_doubles() {
    for seed in 0..8 {
        let world = World::new();
        let (a, b) = (world.registered("6001").await, world.registered("6002").await);
        let link =
            Link { loss: 0.15, duplication: 0.1, jitter: Duration::from_millis(30), ..Link::default() };
        world.network.set_default_link(link);
        // Equal worlds lose the same datagrams; sending a different number first makes each round
        // different.
        for _ in 0..seed {
            a.send_raw(b"\r\n\r\n");
        }
        let at_a = a.call("6002");
        let (at_b, _, offer) = b.incoming().await;
        b.accept(at_b, &offer.unwrap());
        a.answered(at_a).await;
        a.hears(100).await;
        b.hears(100).await;
        a.hang_up(at_a);
        b.ended(at_b).await;
        world.network.set_default_link(Link::default());
        world.settle(&[&a, &b]).await;
    }
}

/// Applies `fate` to the SIP message number `wanted` of all that cross the network, and to no
/// other.
fn strike(world: &World, wanted: usize, fate: Fate) -> Arc<AtomicUsize> {
    let crossed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&crossed);
    world.network.set_filter(move |datagram| {
        let sip = datagram.bytes.first().is_some_and(u8::is_ascii_uppercase);
        let number = if sip { count.fetch_add(1, Ordering::Relaxed) } else { usize::MAX };
        if number == wanted { fate } else { Fate::Arrives }
    });
    crossed
}

/// Registers two phones, connects them, holds, resumes and hangs up; returns how many messages that
/// took.
async fn whole_story(wanted: usize, fate: Fate) -> usize {
    let world = World::new();
    let crossed = strike(&world, wanted, fate);
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let (at_a, at_b) = connected(&a, &b).await;
    for direction in [Direction::SendOnly, Direction::SendRecv] {
        a.reoffer(at_a, direction);
        b.accept_reoffer(at_b).await;
        a.modified(at_a).await;
    }
    a.hears(10).await;
    b.hang_up(at_b);
    assert_eq!(a.ended(at_a).await, EndCause::Bye, "message {wanted} {fate:?}");
    assert_eq!(b.ended(at_b).await, EndCause::Bye, "message {wanted} {fate:?}");
    world.settle(&[&a, &b]).await;
    crossed.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn whichever_message_is_lost_or_doubled_the_story_ends_the_same() {
    let messages = whole_story(usize::MAX - 1, Fate::Arrives).await;
    assert!((30..60).contains(&messages), "{messages}");
    for wanted in 0..messages {
        for fate in [Fate::Lost, Fate::Twice] {
            whole_story(wanted, fate).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_never_acknowledges_does_not_hold_the_call() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    world.network.set_filter(|datagram| {
        let ack = datagram.bytes.starts_with(b"ACK ") && datagram.from.ip().to_string() == "10.0.1.1";
        if ack { Fate::Lost } else { Fate::Arrives }
    });
    let at_a = a.call("6002");
    let (at_b, _, offer) = b.incoming().await;
    b.accept(at_b, &offer.unwrap());
    a.answered(at_a).await;
    assert_eq!(b.ended(at_b).await, EndCause::Bye);
    assert_eq!(a.ended(at_a).await, EndCause::Bye);
    world.settle(&[&a, &b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_over_tcp_ends_when_its_phone_is_gone() {
    let world = World::new();
    let a = world.phone_with("6001", "secret6001", Transport::Tcp);
    let b = world.phone_with("6002", "secret6002", Transport::Tcp);
    a.register().await;
    b.register().await;
    let (at_a, at_b) = connected(&a, &b).await;
    a.hang_up(at_a);
    b.ended(at_b).await;
    let (at_a, _) = connected(&a, &b).await;
    drop(b);
    a.hang_up(at_a);
    a.ended(at_a).await;
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_are_refused() {
    let world = World::with(LabOptions { most_calls: 1, ..LabOptions::default() });
    let a = world.phone("6001");
    let (one, two) = (a.call("601"), a.call("601"));
    a.answered(one).await;
    a.answered(two).await;
    let three = a.call("601");
    assert_eq!(a.refused(three).await.0, 503);
    for call in [one, two] {
        a.hang_up(call);
        a.ended(call).await;
    }
    world.settle(&[&a]).await;
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_every_call_and_closes_every_socket() {
    let world = World::new();
    let (a, b) = (world.registered("6001").await, world.registered("6002").await);
    let (at_a, at_b) = connected(&a, &b).await;
    let echo = a.call("600");
    a.answered(echo).await;
    let ringing = b.call("605");
    b.provisional(ringing).await;
    let World { network, lab, .. } = world;
    lab.stop().await;
    for (phone, call) in [(&a, at_a), (&b, at_b), (&a, echo)] {
        assert_eq!(phone.ended(call).await, EndCause::Bye);
    }
    assert_eq!(b.refused(ringing).await.0, 603);
    drop((a, b));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(network.sockets(), 0, "ports of the lab and the phones are closed");
}
