//! Packets from strangers to the media sockets of a call.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use offhook::{
    event::{Envelope, Event, MediaEvent, MediaStatistics},
    journal::Query,
    net::Network,
};

use super::tell;
use crate::support::beside_a_peer;

/// A packet of PCMU as sent by a peer, or by somebody pretending to be it.
fn packet(number: u16, ssrc: u32, loud: bool) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([if loud { 0x10 } else { 0xff }; 160]);
    packet
}

/// What a call's media has reported.
#[derive(Default)]
struct Told {
    /// How often, by kind.
    kinds: BTreeMap<&'static str, u32>,
    last: Option<MediaStatistics>,
    /// Packets from strangers.
    foreign: u64,
}

fn told(facts: &[Arc<Envelope>]) -> Told {
    let mut told = Told::default();
    for envelope in facts {
        let Event::Media(event) = &envelope.event else { continue };
        *told.kinds.entry(envelope.event.kind()).or_default() += 1;
        if let MediaEvent::Statistics { statistics, .. } | MediaEvent::Stopped { statistics, .. } = event {
            told.last = Some(statistics.clone());
        }
        if let MediaEvent::ForeignPackets { packets, .. } = event {
            told.foreign += packets;
        }
    }
    told
}

/// Returns whether ten seconds of an undisturbed call report this so often; packets from strangers
/// are reported once at first and then every ten seconds.
fn is_quiet(kind: &str, count: u32) -> bool {
    let most = [
        ("media.started", 1),
        ("media.first_packet", 1),
        ("media.silence_started", 1),
        ("media.foreign_packets", 3),
        ("media.statistics", 11),
        ("media.stopped", 1),
    ];
    most.iter().any(|(known, most)| *known == kind && count <= *most)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_packets_changes_no_figure_of_the_peers_and_makes_few_facts() {
    const TICKS: u16 = 500;
    let (mut world, a, peer) = beside_a_peer().await;
    let (call, _) = world.called_by(&peer, &a).await;
    let at = |port: u16| world.network.bind_datagram(([127, 0, 0, 1], port).into()).unwrap();
    let (rtp, one, other, patient) = (at(9000), at(9666), at(9667), at(9668));
    let media: SocketAddr =
        world.board.views().call(call).unwrap().media_local.as_deref().unwrap().parse().unwrap();
    let (control, mut tried) = (SocketAddr::new(media.ip(), media.port() + 1), 0_u32);
    // Its reports come from where it said, so that no other source is learned.
    let reports = at(9001);
    reports.try_send(&[0x80, 201, 0, 1, 0, 0, 0, 7], control).unwrap();
    for number in 0..TICKS {
        rtp.try_send(&packet(number, 7, false), media).unwrap();
        // This one goes on as a peer does; its source would be learned if nobody else sent.
        patient.try_send(&packet(number, 99, true), media).unwrap();
        for nth in 0..20 {
            // The peer's own source, and ever new ones.
            let ssrc = if nth % 2 == 0 { 7 } else { 1_000_000 + tried };
            one.try_send(&packet(number.wrapping_mul(31).wrapping_add(nth), ssrc, true), media).unwrap();
            other.try_send(&packet(number ^ 0x5555, ssrc, true), media).unwrap();
            tried += 2;
        }
        for _ in 0..10 {
            // A BYE from that source (RFC 3550 §6.6), and something that is not RTCP at all.
            one.try_send(&[0x81, 203, 0, 1, 0, 0, 0, 7], control).unwrap();
            other.try_send(b"\xff\xff", control).unwrap();
            tried += 2;
        }
        tried += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.hang_up(call, &peer).await;
    world.next(&a, "call.ended").await;
    let facts = world.board.journal().query_blocking(&Query::of_call(call)).unwrap();
    let Told { kinds, last, foreign } = told(&facts);
    let last = last.expect("figures of the call");
    assert_eq!((last.lost, last.duplicates, last.reordered, last.discarded), (0, 0, 0, 0), "{last:?}");
    assert!(last.received_packets <= u64::from(TICKS), "{last:?}");
    assert!(last.received_packets >= u64::from(TICKS) - 2, "{last:?}");
    assert!(last.level_dbfs.is_none_or(|level| level < -60.0), "a stranger is heard: {last:?}");
    assert_eq!(foreign, u64::from(tried), "every packet of a stranger is told as one\n{}", world.story());
    let odd = kinds.iter().find(|(kind, count)| !is_quiet(kind, **count));
    assert_eq!(odd, None, "{kinds:?}\n{}", world.story());
    tell(&format!(
        "{tried} packets of strangers in 10 s, {} facts of media, {} of {TICKS} of the peer's received, {} lost",
        kinds.values().sum::<u32>(),
        last.received_packets,
        last.lost
    ));
    drop((peer, rtp, reports, one, other, patient));
    world.end().await;
}
