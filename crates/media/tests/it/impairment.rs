//! A minute of audio over a bad line: every figure against one counted by hand.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::audio::Tone;
use offhook_media::codec::Codec;
use offhook_media::negotiate::MediaPlan;
use offhook_media::rtp::{BurstHistogram, RtpPacket};
use offhook_media::session::{MediaSession, Output, SessionConfig, Source, StreamStats};
use offhook_seed::Seed;

use crate::time::epoch;

const PACKETS: u32 = 3000;
const TICK: Duration = Duration::from_millis(20);

/// How bad the line is.
struct Impairment {
    loss: f64,
    /// Chance that a loss is followed by another.
    burst: f64,
    duplicate: f64,
    spread: Duration,
}

/// A packet at its arrival.
struct Arrival {
    at: Instant,
    number: u32,
    bytes: Vec<u8>,
}

fn alice() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn bob() -> SocketAddr {
    "192.0.2.2:4000".parse().unwrap()
}

/// Sends a minute of tone through the line.
fn arrivals(start: Instant, impairment: &Impairment, seed: &mut Seed) -> Vec<Arrival> {
    let mut sender = MediaSession::new(SessionConfig { seed: seed.next_u64(), ..Default::default() }, start);
    sender.set_plan(start, MediaPlan::direct(Codec::PCMU, bob()));
    sender.play(Source::Tone(Tone::steady(&[440.0], -10.0)));
    let (mut out, mut losing, mut number) = (Vec::new(), false, 0);
    for tick in 0..PACKETS {
        let now = start + TICK * tick;
        sender.handle_tick(now);
        while let Some(output) = sender.poll_output() {
            let Output::Packet { bytes, .. } = output else { continue };
            losing = seed.next_unit() < if losing { impairment.burst } else { impairment.loss };
            // The first and the last packet arrive, so that the range is known.
            if !losing || number == 0 || number == PACKETS - 1 {
                // Nothing overtakes the first packet: what came before it would be foreign.
                let spread = if number == 0 { 0.0 } else { seed.next_unit() };
                let delay = Duration::from_millis(30) + impairment.spread.mul_f64(spread);
                if seed.next_unit() < impairment.duplicate {
                    let at = now + delay + Duration::from_millis(3);
                    out.push(Arrival { at, number, bytes: bytes.clone() });
                }
                out.push(Arrival { at: now + delay, number, bytes });
            }
            number += 1;
        }
    }
    out.sort_by_key(|arrival| arrival.at);
    out
}

fn received(start: Instant, arrivals: &[Arrival]) -> StreamStats {
    let mut receiver = MediaSession::new(SessionConfig::default(), start);
    receiver.set_plan(start, MediaPlan::direct(Codec::PCMU, alice()));
    let mut next = arrivals.iter().peekable();
    for tick in 0..PACKETS + 20 {
        let now = start + TICK * tick;
        while let Some(arrival) = next.next_if(|arrival| arrival.at <= now) {
            receiver.handle_packet(arrival.at, alice(), &arrival.bytes);
        }
        receiver.handle_tick(now);
        while receiver.poll_output().is_some() {}
    }
    receiver.stats()
}

/// Counts by hand what the statistics should say.
fn counted(arrivals: &[Arrival]) -> (u64, u64, u64, BurstHistogram, f64) {
    let (mut seen, mut newest, mut reordered, mut duplicates) = (HashSet::new(), 0, 0, 0);
    let (mut jitter, mut previous) = (0.0f64, None);
    for arrival in arrivals {
        if !seen.insert(arrival.number) {
            duplicates += 1;
            continue;
        }
        reordered += u64::from(arrival.number < newest);
        newest = newest.max(arrival.number);
        // RFC 3550 section 6.4.1, in milliseconds.
        let stamp = f64::from(arrival.number) * 20.0;
        if let Some((at, sent)) = previous.replace((arrival.at, stamp)) {
            let spacing = (arrival.at - at).as_secs_f64() * 1000.0;
            jitter += ((spacing - (stamp - sent)).abs() - jitter) / 16.0;
        }
    }
    let (mut bursts, mut run, mut lost) = (BurstHistogram::default(), 0, 0);
    for number in 0..PACKETS {
        if seen.contains(&number) {
            bursts.add(std::mem::take(&mut run));
        } else {
            run += 1;
            lost += 1;
        }
    }
    (lost, duplicates, reordered, bursts, jitter)
}

fn check(impairment: &Impairment, seeds: std::ops::Range<u64>) -> Vec<StreamStats> {
    seeds
        .map(|seed| {
            let (start, mut seed) = (epoch(), Seed::new(seed));
            let arrivals = arrivals(start, impairment, &mut seed);
            let stats = received(start, &arrivals);
            let (lost, duplicates, reordered, bursts, jitter) = counted(&arrivals);
            assert_eq!(stats.expected, u64::from(PACKETS));
            assert_eq!((stats.lost, stats.duplicates, stats.reordered), (lost, duplicates, reordered));
            assert_eq!(stats.bursts, bursts);
            assert_eq!((stats.foreign, stats.malformed, stats.unknown_payload), (0, 0, 0));
            assert!((stats.jitter_ms - jitter).abs() < 0.01, "{} against {jitter}", stats.jitter_ms);
            stats
        })
        .collect()
}

#[test]
fn random_loss_and_copies_are_counted_exactly() {
    let spread = Duration::from_millis(10);
    let stats = check(&Impairment { loss: 0.02, burst: 0.02, duplicate: 0.01, spread }, 0..10);
    assert!(stats.iter().all(|stats| stats.lost > 30 && stats.duplicates > 10));
    // The buffer absorbs ten milliseconds of spread.
    assert!(stats.iter().all(|stats| stats.discarded == 0), "{stats:?}");
    assert!(stats.iter().all(|stats| stats.quality.mos().is_some_and(|mos| (3.9..4.3).contains(&mos))));
}

#[test]
fn bursts_are_counted_exactly_and_cost_more_than_single_losses() {
    let spread = Duration::from_millis(5);
    let single = check(&Impairment { loss: 0.03, burst: 0.0, duplicate: 0.0, spread }, 0..5);
    let burst = check(&Impairment { loss: 0.01, burst: 0.7, duplicate: 0.0, spread }, 0..5);
    let mean = |all: &[StreamStats]| {
        all.iter().filter_map(|stats| stats.quality.mos()).sum::<f64>() / all.len() as f64
    };
    assert!(mean(&burst) < mean(&single), "{} against {}", mean(&burst), mean(&single));
    assert!(burst.iter().any(|stats| stats.bursts.six_to_ten > 0));
}

#[test]
fn disorder_is_counted_apart_from_loss_and_the_buffer_grows_with_it() {
    let spread = Duration::from_millis(90);
    let stats = check(&Impairment { loss: 0.0, burst: 0.0, duplicate: 0.0, spread }, 0..5);
    for stats in stats {
        assert_eq!(stats.lost, 0);
        assert!(stats.reordered > 500, "{stats:?}");
        // Packets that are late at first make the buffer deeper; then few are.
        assert!(stats.discarded > 0 && stats.discarded < 60, "{stats:?}");
    }
}

#[test]
fn packets_of_a_session_are_numbered_without_a_gap() {
    let impairment = Impairment { loss: 0.0, burst: 0.0, duplicate: 0.0, spread: Duration::ZERO };
    let arrivals = arrivals(epoch(), &impairment, &mut Seed::new(3));
    let packets: Vec<RtpPacket<'_>> =
        arrivals.iter().map(|arrival| RtpPacket::parse(&arrival.bytes).unwrap()).collect();
    assert_eq!(packets.len() as u32, PACKETS);
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
}
