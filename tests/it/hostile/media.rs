//! Packets of strangers to the media sockets of a call.

use std::{net::SocketAddr, time::Duration};

use offhook::{
    command::{CallCommand, Command},
    event::{Event, MediaEvent},
    journal::Query,
    net::Network,
};

use super::tell;
use crate::support::{World, on, peer::Peer};

/// A packet of PCMU as a peer or somebody who pretends to be it sends one.
fn packet(number: u16, ssrc: u32, loud: bool) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([if loud { 0x10 } else { 0xff }; 160]);
    packet
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_packets_changes_no_figure_of_the_peers_and_makes_few_facts() {
    const TICKS: u16 = 500;
    let mut world = World::new().await;
    let a = world.phone("a", 5061).await;
    let peer = Peer::new(&world.network, 5070, 5061);
    let (call, _) = world.called_by(&peer, &a).await;
    let at = |port: u16| world.network.bind_datagram(([127, 0, 0, 1], port).into()).unwrap();
    let (rtp, one, other) = (at(9000), at(9666), at(9667));
    let media: SocketAddr =
        world.board.views().call(call).unwrap().media_local.as_deref().unwrap().parse().unwrap();
    let (control, mut tried) = (SocketAddr::new(media.ip(), media.port() + 1), 0);
    for number in 0..TICKS {
        rtp.try_send(&packet(number, 7, false), media).unwrap();
        for nth in 0..20 {
            // The peer's own source, and ever new ones.
            let ssrc = if nth % 2 == 0 { 7 } else { 1_000_000 + tried };
            drop(one.try_send(&packet(number.wrapping_mul(31).wrapping_add(nth), ssrc, true), media));
            drop(other.try_send(&packet(number ^ 0x5555, ssrc, true), media));
            // A BYE of that source (RFC 3550 §6.6), and no RTCP at all.
            drop(one.try_send(&[0x81, 203, 0, 1, 0, 0, 0, 7], control));
            drop(other.try_send(b"\xff\xff", control));
            tried += 4;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.run(Command::Call(on(call), CallCommand::HangUp)).await.unwrap();
    let bye = peer.next("BYE").await;
    peer.answer(&bye, "200 OK", "", "");
    world.next(&a, "call.ended").await;
    let facts = world.board.journal().query_blocking(&Query::of_call(call)).unwrap();
    let last = facts.iter().rev().find_map(|envelope| {
        let Event::Media(MediaEvent::Statistics { statistics, .. }) = &envelope.event else { return None };
        Some(statistics.clone())
    });
    let last = last.expect("figures of the call");
    assert_eq!(last.lost, 0, "{last:?}");
    assert!(last.received_packets <= u64::from(TICKS), "{last:?}");
    assert!(last.received_packets >= u64::from(TICKS) - 2, "{last:?}");
    let media = facts.iter().filter(|envelope| matches!(envelope.event, Event::Media(_))).count();
    assert!(media < 60, "{media} facts\n{}", world.story());
    tell(&format!(
        "{tried} packets of strangers in 10 s, {media} facts of media, {} of {TICKS} of the peer's received, {} lost",
        last.received_packets, last.lost
    ));
    drop((peer, rtp, one, other));
    world.end().await;
}
