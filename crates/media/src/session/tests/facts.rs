//! Payload types and digits: what is reported about them.

use std::time::Duration;

use super::line::{Line, TICK, alice_at, bob_at, hold};
use crate::audio::Tone;
use crate::codec::Codec;
use crate::dtmf::DigitMethod;
use crate::negotiate::MediaPlan;
use crate::quality::Unmeasured;
use crate::rtp::RtpPacket;
use crate::sdp::Direction;
use crate::session::*;

#[test]
fn another_payload_type_on_the_wire_is_told_when_it_comes() {
    let mut line = Line::new(|_| {});
    line.run(10, |_| false);
    let now = line.now();
    line.alice.set_plan(now, MediaPlan::direct(Codec::PCMU, bob_at()));
    line.run(10, |_| false);
    let changed: Vec<_> =
        line.facts_of('b').filter(|fact| matches!(fact, Fact::PayloadChanged { .. })).collect();
    assert_eq!(changed, [&Fact::PayloadChanged { payload_type: 0, codec: Codec::PCMU }]);
}

#[test]
fn digits_arrive_once_each_with_their_duration() {
    let mut line = Line::new(|_| {});
    line.alice
        .send_digits(DigitMethod::Rfc4733, "12#", Duration::from_millis(100), Duration::from_millis(60))
        .unwrap();
    line.run(100, |packet| packet % 4 == 3);
    assert_eq!(line.digits('b'), "12#");
    assert_eq!(line.bob.stats().digits_received, "12#");
    let sent = Fact::DigitsSent { digits: "12#".to_owned(), method: DigitMethod::Rfc4733 };
    assert_eq!(line.facts_of('a').filter(|fact| **fact == sent).count(), 1);
    assert!(line.facts_of('b').any(|fact| matches!(fact, Fact::Digit { duration_ms: 100, .. })));
}

#[test]
fn digits_that_cannot_be_sent_are_refused_before_the_first() {
    let mut line = Line::new(|_| {});
    let (duration, gap) = (Duration::from_millis(100), Duration::from_millis(60));
    let send =
        |session: &mut MediaSession, method, digits: &str| session.send_digits(method, digits, duration, gap);
    let invalid = SendDigitsError::InvalidDigit { character: 'x' };
    assert_eq!(send(&mut line.alice, DigitMethod::Rfc4733, "1x"), Err(invalid));
    assert_eq!(send(&mut line.alice, DigitMethod::Rfc4733, ""), Err(SendDigitsError::Empty));
    let now = line.now();
    let plan = MediaPlan { telephone_event: None, ..MediaPlan::direct(Codec::PCMA, bob_at()) };
    line.alice.set_plan(now, plan);
    let refused = send(&mut line.alice, DigitMethod::Rfc4733, "1");
    assert_eq!(refused, Err(SendDigitsError::NotNegotiated));
    line.alice.set_plan(now, hold(Direction::RecvOnly));
    assert_eq!(send(&mut line.alice, DigitMethod::InBand, "1"), Err(SendDigitsError::NotSending));
    line.run(50, |_| false);
    assert_eq!(line.digits('b'), "");
}

#[test]
fn a_hold_in_the_middle_of_digits_says_that_they_were_cut() {
    let mut line = Line::new(|_| {});
    let (duration, gap) = (Duration::from_millis(100), Duration::from_millis(60));
    line.alice.send_digits(DigitMethod::Rfc4733, "1234", duration, gap).unwrap();
    line.run(5, |_| false);
    let now = line.now();
    line.alice.set_plan(now, hold(Direction::Inactive));
    line.run(50, |_| false);
    let cut = Fact::DigitsCut { digits: "1234".to_owned(), method: DigitMethod::Rfc4733 };
    assert!(line.facts_of('a').any(|fact| *fact == cut));
    assert!(!line.facts_of('a').any(|fact| matches!(fact, Fact::DigitsSent { .. })));
}

#[test]
fn digits_are_right_at_every_packet_time() {
    for milliseconds in [10, 20, 30, 40, 60] {
        let mut line = Line::new(|_| {});
        let packet_time = Duration::from_millis(milliseconds);
        let now = line.now();
        line.alice.set_plan(now, MediaPlan { packet_time, ..MediaPlan::direct(Codec::PCMA, bob_at()) });
        line.run(31, |_| false);
        let before = line.sent.len();
        let (duration, gap) = (Duration::from_millis(100), Duration::from_millis(80));
        line.alice.send_digits(DigitMethod::Rfc4733, "7#", duration, gap).unwrap();
        line.run(60, |_| false);
        assert_eq!(line.digits('b'), "7#", "{milliseconds} ms");
        let short = |fact: &Fact| matches!(fact, Fact::Digit { duration_ms, .. } if *duration_ms != 100);
        assert!(!line.facts_of('b').any(short));
        let first = RtpPacket::parse(&line.sent[0]).unwrap().timestamp;
        let packets: Vec<_> = line.sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
        let event = packets[before..].iter().find(|packet| packet.payload_type == 120).unwrap();
        // The event began in tick 31; sound goes on from the tick after its last packet.
        assert_eq!(event.timestamp.wrapping_sub(first), 31 * 160, "{milliseconds} ms");
        assert!(event.marker);
        let after = packets.iter().rposition(|packet| packet.payload_type == 120).unwrap() + 1;
        assert!(packets[after].marker && packets[after].timestamp.wrapping_sub(first).is_multiple_of(160));
        let sequence: Vec<u16> = packets.iter().map(|packet| packet.sequence).collect();
        assert!(sequence.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    }
}

#[test]
fn inband_digits_and_tones_are_heard_when_asked_for() {
    let mut line =
        Line::new(|config| config.detectors = Detectors { tone: true, inband_dtmf: true, silence: false });
    line.alice
        .send_digits(DigitMethod::InBand, "4*7D", Duration::from_millis(80), Duration::from_millis(60))
        .unwrap();
    line.run(60, |_| false);
    assert_eq!(line.digits('b'), "4*7D");
    let sent = Fact::DigitsSent { digits: "4*7D".to_owned(), method: DigitMethod::InBand };
    assert!(line.facts_of('a').any(|fact| *fact == sent));
    line.facts.clear();
    line.alice.play(Source::Tone(Tone::busy_eu()));
    line.run(100, |_| false);
    let started: Vec<f64> = line
        .facts_of('b')
        .filter_map(|fact| if let Fact::ToneStarted { hz, .. } = fact { Some(*hz) } else { None })
        .collect();
    assert_eq!(started.len(), 2);
    assert!(started.iter().all(|hz| (hz - 425.0).abs() < 1.0), "{started:?}");
    assert_eq!(line.digits('b'), "");
}

#[test]
fn comfort_noise_and_unknown_payloads_are_counted_and_not_heard() {
    let mut line = Line::new(|_| {});
    let now = line.now();
    for (sequence, payload_type) in [(0, 13), (1, 77), (2, 13)] {
        let mut bytes = Vec::new();
        let timestamp = u32::from(sequence) * 160;
        RtpPacket { marker: false, payload_type, sequence, timestamp, ssrc: 9, payload: &[50; 160] }
            .write(&mut bytes);
        line.bob.handle_packet(now, alice_at(), &bytes);
    }
    line.bob.handle_tick(now + TICK * 3);
    let stats = line.bob.stats();
    assert_eq!((stats.comfort_noise, stats.unknown_payload, stats.packets_received), (2, 1, 3));
    assert_eq!((stats.received_dbfs, stats.audio_received), (None, Duration::ZERO));
    assert_eq!(stats.quality.reason(), Some(Unmeasured::UnknownCodec));
}

#[test]
fn digits_that_share_a_packet_are_all_facts_and_so_are_those_of_a_new_timeline() {
    let mut line = Line::new(|_| {});
    let mut packet = |sequence: u16, timestamp: u32, payload: &[u8]| {
        let mut bytes = Vec::new();
        RtpPacket { marker: false, payload_type: 120, sequence, timestamp, ssrc: 9, payload }
            .write(&mut bytes);
        line.bob.handle_packet(line.start + TICK * u32::from(sequence), alice_at(), &bytes);
    };
    for sequence in 0..3 {
        packet(sequence, 900_000, &[1, 0x8A, 1, 64, 2, 0x8A, 1, 64, 3, 0x8A, 1, 64]);
    }
    for sequence in 3..6 {
        packet(sequence, 1000, &[4, 0x8A, 1, 64]);
    }
    line.run(1, |_| false);
    assert_eq!(line.digits('b'), "1234");
}
