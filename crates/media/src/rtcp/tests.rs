//! Compounds there and back, the round trip of the RFC figure, the timer.

use std::time::Duration;

use super::*;
use crate::testkit::epoch;
use offhook_seed::Seed;

fn block() -> ReportBlock {
    ReportBlock {
        ssrc: 0x1111,
        fraction_lost: 64,
        cumulative_lost: -3,
        highest_sequence: 0x2_0005,
        jitter: 17,
        last_report: 0xB710_8000,
        delay_since_last_report: 0x0005_4000,
    }
}

fn compound() -> Vec<RtcpPacket> {
    let report = SenderReport {
        ssrc: 0x2222,
        ntp: NtpTime::new(0xB705_2000, 0x1234_5678),
        rtp_timestamp: 8000,
        packets: 50,
        bytes: 8000,
        blocks: vec![block()],
    };
    vec![
        RtcpPacket::SenderReport(report),
        RtcpPacket::ReceiverReport(ReceiverReport { ssrc: 5, blocks: Vec::new() }),
        RtcpPacket::SourceDescription(SourceDescription::canonical_name(0x2222, "a@192.0.2.1")),
        RtcpPacket::Other { packet_type: 207, count: 1, body: vec![0, 0, 0, 1, 9, 9, 9, 9] },
        RtcpPacket::Bye(Bye { sources: vec![0x2222], reason: Some("done".to_owned()) }),
    ]
}

#[test]
fn a_compound_reads_as_written() {
    let mut bytes = Vec::new();
    write_compound(&compound(), &mut bytes);
    assert!(bytes.len().is_multiple_of(4));
    let mut read = parse_compound(&bytes).unwrap();
    // The reason is padded to a word, and reads back without it.
    assert_eq!(read.pop(), compound().pop());
    assert_eq!(read, compound()[..4]);
}

#[test]
fn padding_of_the_last_packet_is_cut() {
    let bytes = [0xA1, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4];
    let bye = Bye { sources: vec![7], reason: None };
    assert_eq!(parse_compound(&bytes), Ok(vec![RtcpPacket::Bye(bye)]));
}

#[test]
fn faults_name_their_packet() {
    assert_eq!(parse_compound(&[]), Err(RtcpError::Truncated { offset: 0 }));
    assert_eq!(parse_compound(&[0x80, 201, 0, 2, 0, 0, 0, 1]), Err(RtcpError::Truncated { offset: 0 }));
    let version = parse_compound(&[0x80, 201, 0, 1, 0, 0, 0, 1, 0x40, 201, 0, 0]);
    assert_eq!(version, Err(RtcpError::Version { offset: 8, version: 1 }));
    let counted = parse_compound(&[0x82, 201, 0, 1, 0, 0, 0, 1]);
    assert_eq!(counted, Err(RtcpError::Malformed { offset: 0, packet_type: 201 }));
}

#[test]
fn the_round_trip_is_that_of_the_figure_in_the_rfc() {
    // RFC 3550 section 6.4.1, figure 2: 0xb710:8000 − 0x0005:4000 − 0xb705:2000 = 6.125 s.
    let trip = round_trip(0xB710_8000, 0xB705_2000, 0x0005_4000);
    assert_eq!(trip, Some(Duration::from_micros(6_125_000)));
    assert_eq!(round_trip(0xB710_8000, 0, 0), None);
    assert_eq!(round_trip(1000, 900, 200), None);
}

#[test]
fn the_clock_starts_in_1900() {
    let time = NtpTime::from_unix(Duration::from_millis(1500));
    assert_eq!(time, NtpTime::new(2_208_988_801, 0x8000_0000));
    assert_eq!(time.middle(), 0x7E81_8000);
}

#[test]
fn reports_come_five_seconds_apart_spread_by_half() {
    let (now, mut seed) = (epoch(), Seed::new(3));
    let mut schedule = Schedule::new(now, 10_000.0, &mut seed);
    let initial = schedule.due() - now;
    assert!(initial >= Duration::from_millis(1025) && initial <= Duration::from_millis(3080), "{initial:?}");
    schedule.sent(now, &mut seed);
    let spread = [0.0, 0.5, 1.0].map(|random| schedule.interval(random).as_millis());
    // 5 s × (0.5, 1, 1.5) ÷ 1.21828
    assert_eq!(spread, [2052, 4104, 6156]);
}

#[test]
fn a_thin_stream_makes_reports_rarer() {
    let (now, mut seed) = (epoch(), Seed::new(3));
    let mut schedule = Schedule::new(now, 100.0, &mut seed);
    schedule.sent(now, &mut seed);
    // Two members of 128 bytes share five bytes a second: 51.2 s, compensated.
    assert_eq!(schedule.interval(0.5).as_millis(), 42_026);
}
