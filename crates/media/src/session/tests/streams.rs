//! Streams, their figures and their times.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::{Line, TICK, alice_at, bob_at, hold, reports_of};
use crate::audio::{FULL_SCALE, Frame, Goertzels, Mixer, Tone};
use crate::codec::Codec;
use crate::negotiate::MediaPlan;
use crate::quality::Unmeasured;
use crate::rtcp::{
    Bye, NtpTime, ReceiverReport, ReportBlock, RtcpPacket, SenderReport, parse_compound, write_compound,
};
use crate::rtp::RtpPacket;
use crate::sdp::Direction;
use crate::session::*;
use crate::testkit::epoch;

#[test]
fn a_tone_is_heard_at_its_level_and_everything_is_counted() {
    let mut line = Line::new(|_| {});
    line.alice.play(Source::Tone(Tone::steady(&[1000.0], -12.0)));
    line.run(500, |_| false);
    let stats = line.bob.stats();
    assert_eq!((stats.packets_received, stats.bytes_received, stats.lost), (500, 80_000, 0));
    assert_eq!((stats.discarded, stats.concealed_frames, stats.foreign, stats.malformed), (0, 0, 0, 0));
    assert!((stats.received_dbfs.unwrap() + 12.0).abs() < 0.2, "{:?}", stats.received_dbfs);
    assert!(stats.jitter_ms < 0.01);
    assert!(stats.quality.mos().unwrap() > 4.3);
    let first = line.facts_of('b').next().unwrap();
    let expected = Fact::FirstPacket {
        source: alice_at(),
        codec: Some(Codec::PCMA),
        payload_type: 8,
        ssrc: line.alice.ssrc(),
    };
    assert_eq!(*first, expected);
}

#[test]
fn losses_are_counted_in_bursts_and_lower_the_score() {
    let mut line = Line::new(|_| {});
    line.alice.play(Source::Tone(Tone::steady(&[500.0], -20.0)));
    line.run(600, |packet| packet % 100 == 50 || (200..204).contains(&packet));
    let stats = line.bob.stats();
    assert_eq!((stats.expected, stats.lost), (600, 10));
    assert_eq!((stats.bursts.one, stats.bursts.three_to_five), (6, 1));
    let clean = crate::quality::mos(crate::quality::r_factor(
        crate::quality::CodecImpairment::G711_CONCEALED,
        0.0,
        1.0,
        60.0,
    ));
    let mos = stats.quality.mos().unwrap();
    assert!(mos < clean && mos > 3.5, "{mos}");
}

#[test]
fn a_score_without_packets_is_absent_with_its_reason() {
    let mut line = Line::new(|_| {});
    assert_eq!(line.bob.stats().quality.reason(), Some(Unmeasured::NothingReceived));
    line.run(10, |_| false);
    assert_eq!(line.bob.stats().quality.reason(), Some(Unmeasured::TooFewPackets));
    assert_eq!(line.bob.stats().round_trip_ms, None);
}

#[test]
fn the_round_trip_is_measured_from_reports() {
    let mut line = Line::new(|_| {});
    line.delay = Duration::from_millis(40);
    line.run(1000, |_| false);
    let trip = line.alice.stats().round_trip_ms.unwrap();
    assert!((trip - 80.0).abs() < 1.0, "{trip}");
    let remote = line.alice.stats().remote.unwrap();
    assert_eq!((remote.lost, remote.fraction_lost), (0, 0.0));
}

/// Lets Bob hear RTCP from where Alice is.
fn reported_to_bob(line: &mut Line, packets: &[RtcpPacket]) {
    let (now, mut bytes) = (line.now(), Vec::new());
    write_compound(packets, &mut bytes);
    line.bob.handle_rtcp(now, reports_of(alice_at()), &bytes);
}

#[test]
fn a_round_trip_is_measured_from_reports_of_ours_alone() {
    let mut line = Line::new(|_| {});
    line.delay = Duration::from_millis(40);
    line.run(1000, |_| false);
    let before = line.bob.stats();
    assert!(before.round_trip_ms.is_some());
    for last_report in [10 << 16, 15 << 16, 7] {
        let block = ReportBlock { ssrc: line.bob.ssrc(), last_report, ..ReportBlock::default() };
        let ssrc = line.alice.ssrc();
        reported_to_bob(
            &mut line,
            &[RtcpPacket::ReceiverReport(ReceiverReport { ssrc, blocks: vec![block] })],
        );
    }
    let after = line.bob.stats();
    assert_eq!((after.round_trip_ms, after.quality.mos()), (before.round_trip_ms, before.quality.mos()));
}

#[test]
fn the_goodbye_and_the_clock_of_another_source_are_not_the_peers() {
    let mut line = Line::new(|_| {});
    line.run(50, |_| false);
    let (stranger, alice) = (line.alice.ssrc() ^ 1, line.alice.ssrc());
    let goodbye = |source| RtcpPacket::Bye(Bye { sources: vec![source], reason: None });
    let clock = |ssrc, seconds| {
        let ntp = NtpTime::new(seconds, 0);
        RtcpPacket::SenderReport(SenderReport {
            ssrc,
            ntp,
            rtp_timestamp: 0,
            packets: 0,
            bytes: 0,
            blocks: vec![],
        })
    };
    reported_to_bob(&mut line, &[clock(alice, 1)]);
    reported_to_bob(&mut line, &[clock(stranger, 2), goodbye(stranger)]);
    line.run(1, |_| false);
    let left = |line: &Line| line.facts_of('b').filter(|fact| matches!(fact, Fact::RemoteBye { .. })).count();
    assert_eq!(left(&line), 0);
    reported_to_bob(&mut line, &[clock(alice, 1), goodbye(stranger), goodbye(alice)]);
    line.run(1, |_| false);
    assert_eq!(left(&line), 1);
    let now = line.now();
    line.bob.close(now);
    let reports = std::iter::from_fn(|| line.bob.poll_output())
        .find_map(|output| if let Output::Rtcp { bytes, .. } = output { Some(bytes) } else { None });
    let packets = parse_compound(&reports.unwrap()).unwrap();
    let [RtcpPacket::SenderReport(report), ..] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!(report.blocks[0].last_report, NtpTime::new(1, 0).middle(), "{report:?}");
}

#[test]
fn hold_stops_rtp_but_not_rtcp_and_resume_goes_on_in_sequence() {
    let mut line = Line::new(|_| {});
    line.run(50, |_| false);
    let now = line.now();
    line.alice.set_plan(now, hold(Direction::RecvOnly));
    line.run(500, |_| false);
    assert_eq!(line.sent.len(), 50);
    assert!(line.bob.stats().remote.is_some(), "reports still come");
    let now = line.now();
    line.alice.set_plan(now, hold(Direction::SendRecv));
    line.run(50, |_| false);
    let parsed: Vec<_> = line.sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    let (before, after) = (parsed[49], parsed[50]);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(501 * 160));
    assert_eq!(after.ssrc, before.ssrc);
    let markers: Vec<_> = (0..parsed.len()).filter(|index| parsed[*index].marker).collect();
    assert_eq!(markers, [0, 50]);
    assert_eq!(line.bob.stats().lost, 0);
}

#[test]
fn a_held_peer_is_counted_but_not_heard() {
    let mut line = Line::new(|_| {});
    let now = line.now();
    line.bob.set_plan(
        now,
        MediaPlan { direction: Direction::SendOnly, ..MediaPlan::direct(Codec::PCMA, alice_at()) },
    );
    line.bob.record(true);
    line.alice.play(Source::Tone(Tone::steady(&[500.0], -10.0)));
    line.run(50, |_| false);
    assert_eq!(line.bob.stats().packets_received, 50);
    assert_eq!(line.bob.stats().received_dbfs, None);
    assert!(line.recorded.iter().all(|frame| frame.received.iter().all(|sample| *sample == 0)));
}

#[test]
fn a_codec_change_keeps_the_stream() {
    let mut line = Line::new(|_| {});
    line.alice.play(Source::Tone(Tone::steady(&[500.0], -10.0)));
    line.run(50, |_| false);
    let now = line.now();
    line.alice.set_plan(now, MediaPlan::direct(Codec::PCMU, bob_at()));
    line.bob.set_plan(now, MediaPlan::direct(Codec::PCMU, alice_at()));
    line.run(50, |_| false);
    let stats = line.bob.stats();
    assert_eq!((stats.lost, stats.source_changes, stats.concealed_frames), (0, 0, 0));
    assert!((stats.received_dbfs.unwrap() + 10.0).abs() < 0.3);
    assert_eq!(RtpPacket::parse(line.sent.last().unwrap()).unwrap().payload_type, 0);
}

#[test]
fn samples_are_played_once_or_for_ever() {
    let samples: Arc<[i16]> = Arc::from(vec![1000i16; 1000]);
    let mut line = Line::new(|_| {});
    line.alice.play(Source::Wav { samples: samples.clone(), rate: 8000, repeat: false });
    line.alice.record(true);
    line.run(20, |_| false);
    let finished = |line: &Line| line.facts_of('a').filter(|fact| **fact == Fact::PlaybackFinished).count();
    assert_eq!(finished(&line), 1);
    let said: usize =
        line.recorded.iter().flat_map(|frame| frame.sent.to_vec()).filter(|sample| *sample != 0).count();
    assert_eq!(said, 1000);
    line.alice.play(Source::Wav { samples, rate: 8000, repeat: true });
    line.recorded.clear();
    line.run(20, |_| false);
    assert_eq!(finished(&line), 1);
    assert!(line.recorded.iter().flat_map(|frame| frame.sent.to_vec()).all(|sample| sample == 1000));
}

#[test]
fn an_echo_comes_back() {
    let mut line = Line::new(|_| {});
    line.bob.play(Source::Echo);
    line.alice.play(Source::Tone(Tone::steady(&[500.0], -10.0)));
    line.run(100, |_| false);
    assert!((line.alice.stats().received_dbfs.unwrap() + 10.0).abs() < 0.5);
}

#[test]
fn every_packet_time_carries_the_same_audio_whatever_the_other_side_does() {
    const TIMES: [u64; 5] = [10, 20, 30, 40, 60];
    for (ours, theirs) in TIMES.into_iter().flat_map(|ours| TIMES.map(|theirs| (ours, theirs))) {
        let case = format!("{ours} ms there, {theirs} ms back");
        let mut line = Line::new(|_| {});
        let plan = |milliseconds, to| MediaPlan {
            packet_time: Duration::from_millis(milliseconds),
            ..MediaPlan::direct(Codec::PCMA, to)
        };
        let now = line.now();
        line.alice.set_plan(now, plan(ours, bob_at()));
        line.bob.set_plan(now, plan(theirs, alice_at()));
        line.alice.play(Source::Tone(Tone::steady(&[500.0], -10.0)));
        line.bob.play(Source::Tone(Tone::steady(&[900.0], -15.0)));
        // 4.8 seconds, long enough for two reports.
        line.run(240, |_| false);
        for (session, milliseconds, level) in [(&line.bob, ours, -10.0), (&line.alice, theirs, -15.0)] {
            let stats = session.stats();
            assert_eq!(stats.packets_received, 4800 / milliseconds, "{case}");
            assert_eq!(stats.bytes_received, 4800 * 8, "{case}");
            assert_eq!((stats.lost, stats.discarded, stats.concealed_frames), (0, 0, 0), "{case}");
            assert!((stats.received_dbfs.unwrap() - level).abs() < 0.2, "{case}: {:?}", stats.received_dbfs);
            assert!(stats.max_jitter_ms < 0.01, "{case}: {} ms", stats.max_jitter_ms);
        }
        paced(&line, ours, &case);
        reported(&line, &case);
    }
}

/// Every packet has its length, its timestamp, and its distance from the one before.
fn paced(line: &Line, milliseconds: u64, case: &str) {
    let packets: Vec<_> = line.sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    assert!(packets.iter().all(|packet| packet.payload.len() as u64 == milliseconds * 8), "{case}");
    for (pair, at) in packets.windows(2).zip(line.sent_at.windows(2)) {
        assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp) as u64, milliseconds * 8, "{case}");
        assert_eq!(at[1] - at[0], Duration::from_millis(milliseconds), "{case}");
    }
}

/// The timestamp of a sender report is that of the sound said at its moment.
fn reported(line: &Line, case: &str) {
    let first = RtpPacket::parse(&line.sent[0]).unwrap().timestamp;
    let mut reports = 0;
    for (at, bytes) in &line.reports {
        let packets = parse_compound(bytes).unwrap();
        let [RtcpPacket::SenderReport(report), ..] = packets.as_slice() else {
            panic!("{case}: {packets:?}")
        };
        let elapsed = (*at - line.start).as_millis() as u32;
        assert_eq!(report.rtp_timestamp.wrapping_sub(first), elapsed * 8, "{case}");
        reports += 1;
    }
    assert!(reports > 0, "{case}");
}

#[test]
fn a_clock_of_whole_ticks_sends_the_same_packets_a_little_late() {
    let mut line = Line::new(|_| {});
    let plan =
        MediaPlan { packet_time: Duration::from_millis(10), ..MediaPlan::direct(Codec::PCMA, bob_at()) };
    let now = line.now();
    line.alice.set_plan(now, plan);
    for _ in 0..50 {
        line.at(line.now(), &|_| false);
        line.ticks += 1;
    }
    assert_eq!(line.bob.stats().packets_received, 99);
    assert_eq!((line.bob.stats().lost, line.bob.stats().discarded), (0, 0));
}

#[test]
fn packets_keep_their_distance_on_a_clock_that_is_not_in_step() {
    for (behind, milliseconds) in
        [0, 3, 10, 13, 19].into_iter().flat_map(|behind| [(behind, 10), (behind, 30)])
    {
        let start = epoch();
        let mut session = MediaSession::new(SessionConfig::default(), start);
        let packet_time = Duration::from_millis(milliseconds);
        session.set_plan(start, MediaPlan { packet_time, ..MediaPlan::direct(Codec::PCMA, bob_at()) });
        let mut left = Vec::new();
        for step in 0..100u32 {
            let now = start + Duration::from_millis(behind) + TICK / 2 * step;
            // As the media clock does it: between two ticks only when a packet waits.
            if step % 2 == 0 || session.packet_due().is_some_and(|due| due <= now) {
                session.handle_tick(now);
            }
            let packet = |output| matches!(output, Output::Packet { .. }).then_some(now);
            left.extend(std::iter::from_fn(|| session.poll_output()).filter_map(packet));
        }
        assert!(left.len() as u64 + 3 >= 1000 / milliseconds, "{}", left.len());
        let apart = left.windows(2).all(|pair| pair[1] - pair[0] == packet_time);
        assert!(apart, "{milliseconds} ms, {behind} ms behind");
    }
}

#[test]
fn a_session_that_waited_for_its_first_plan_does_not_make_up_for_the_time_before() {
    let start = epoch();
    let mut session = MediaSession::new(SessionConfig::default(), start);
    let answered = start + Duration::from_millis(3215);
    session.set_plan(answered, MediaPlan::direct(Codec::PCMA, bob_at()));
    let mut left = Vec::new();
    for step in 0..10 {
        session.handle_tick(answered + TICK * step);
        let packets = std::iter::from_fn(|| session.poll_output());
        left.push(packets.filter(|output| matches!(output, Output::Packet { .. })).count());
    }
    assert_eq!(left, [1; 10]);
}

#[test]
fn a_mixer_can_stand_between_hearing_and_saying() {
    let start = epoch();
    let at = |number: u8| SocketAddr::from(([192, 0, 2, number], 4000));
    // Three phones, each with its own tone, and the three sessions of a conference, one for each.
    let tones = [400.0, 1000.0, 2500.0];
    let session = |seed, to| {
        let mut session = MediaSession::new(SessionConfig { seed, ..SessionConfig::default() }, start);
        session.set_plan(start, MediaPlan::direct(Codec::PCMA, to));
        session.record(true);
        session
    };
    let mut phones: Vec<_> = (0..3u8).map(|number| session(u64::from(number), at(10 + number))).collect();
    let mut members: Vec<_> = (0..3u8).map(|number| session(u64::from(number) + 9, at(number))).collect();
    for (phone, hz) in phones.iter_mut().zip(tones) {
        phone.play(Source::Tone(Tone::steady(&[hz], -20.0)));
    }
    let (mut mixer, mut heard_by) = (Mixer::default(), vec![Vec::new(); 3]);
    for tick in 0..100u32 {
        let now = start + TICK * tick;
        phones.iter_mut().for_each(|phone| phone.handle_tick(now));
        mixer.clear();
        let hear = |member: &mut MediaSession| member.hear(now).cloned().unwrap();
        let voices: Vec<Frame> = members.iter_mut().map(hear).collect();
        voices.iter().for_each(|voice| mixer.add(voice));
        for (member, mut others) in members.iter_mut().zip(voices) {
            mixer.take_away(&mut others);
            member.say(now, Some(&others));
            assert_eq!(member.hear(now), None, "one frame a tick");
        }
        for (number, heard) in (0..3u8).zip(&mut heard_by) {
            let (phone, member) = (&mut phones[usize::from(number)], &mut members[usize::from(number)]);
            carry(now, phone, member, at(number), |frame| heard.extend_from_slice(&frame.received));
            carry(now, member, phone, at(10 + number), |_| {});
        }
    }
    // Each hears the two others at their level, and nothing of itself.
    let level = FULL_SCALE as f32 * 0.01;
    for (number, heard) in heard_by.iter().enumerate() {
        let powers = Goertzels::new(tones, 8000).powers(&heard[8000..9600]);
        for (other, power) in powers.into_iter().enumerate() {
            let share = power / level;
            let right = if other == number { share < 0.001 } else { (share - 1.0).abs() < 0.05 };
            assert!(right, "phone {number} hears {} Hz at {share}", tones[other]);
        }
    }
}

fn carry(
    now: Instant,
    from: &mut MediaSession,
    to: &mut MediaSession,
    source: SocketAddr,
    mut record: impl FnMut(&RecordFrame),
) {
    while let Some(output) = from.poll_output() {
        match output {
            Output::Packet { bytes, .. } => to.handle_packet(now, source, &bytes),
            Output::RecordFrame(frame) => record(&frame),
            Output::Rtcp { .. } | Output::Fact(_) => {}
        }
    }
}

#[test]
fn a_late_tick_makes_up_for_a_pause_and_a_long_sleep_is_skipped() {
    let mut line = Line::new(|_| {});
    line.run(1, |_| false);
    line.ticks += 4;
    line.run(1, |_| false);
    assert_eq!(line.sent.len(), 6);
    line.ticks += 99;
    line.run(1, |_| false);
    assert_eq!(line.sent.len(), 16);
    line.run(1, |_| false);
    let stamps: Vec<_> = line.sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap().timestamp).collect();
    assert_eq!(stamps[16].wrapping_sub(stamps[0]), 106 * 160, "the RTP clock is that of the wall");
}

#[test]
fn reception_that_stops_and_resumes_is_said_once() {
    let mut line = Line::new(|_| {});
    line.run(50, |_| false);
    let now = line.now();
    line.alice.set_plan(now, hold(Direction::Inactive));
    line.run(400, |_| false);
    let now = line.now();
    line.alice.set_plan(now, hold(Direction::SendRecv));
    line.run(10, |_| false);
    let stopped = line.facts_of('b').filter(|fact| matches!(fact, Fact::ReceptionStopped { .. })).count();
    let resumed = line.facts_of('b').filter(|fact| **fact == Fact::ReceptionResumed).count();
    assert_eq!((stopped, resumed), (1, 1));
}

#[test]
fn another_stream_of_the_peer_is_followed_when_the_old_one_is_silent() {
    let mut line = Line::new(|_| {});
    line.run(20, |_| false);
    let packet = |sequence: u16| {
        let mut bytes = Vec::new();
        let timestamp = u32::from(sequence) * 160;
        RtpPacket { marker: false, payload_type: 8, sequence, timestamp, ssrc: 99, payload: &[0xD5; 160] }
            .write(&mut bytes);
        bytes
    };
    let now = line.now();
    line.bob.handle_packet(now, alice_at(), &packet(1));
    assert_eq!(line.bob.stats().foreign, 1);
    line.bob.handle_packet(now + Duration::from_millis(80), alice_at(), &packet(2));
    assert_eq!(line.bob.remote_source(), Some((alice_at(), 99)));
    let facts: Vec<_> = std::iter::from_fn(|| line.bob.poll_output()).collect();
    assert!(facts.contains(&Output::Fact(Fact::SourceChanged { source: alice_at(), ssrc: 99 })));
}

#[test]
fn closing_says_goodbye_and_gives_the_last_figures() {
    let mut line = Line::new(|config| config.statistics_interval = None);
    line.run(10, |_| false);
    let now = line.now();
    line.alice.close(now);
    line.alice.close(now);
    assert_eq!(line.alice.next_deadline(), None);
    let outputs: Vec<_> = std::iter::from_fn(|| line.alice.poll_output()).collect();
    let [Output::Rtcp { bytes, .. }, Output::Fact(Fact::Statistics(stats))] = outputs.as_slice() else {
        panic!("{outputs:?}");
    };
    assert_eq!(stats.packets_sent, 10);
    let packets = parse_compound(bytes).unwrap();
    assert!(matches!(packets.as_slice(), [RtcpPacket::SenderReport(_), _, RtcpPacket::Bye(_)]));
    line.bob.handle_rtcp(now, reports_of(alice_at()), bytes);
    assert_eq!(line.bob.poll_output(), Some(Output::Fact(Fact::RemoteBye { reason: None })));
}

#[test]
fn statistics_come_at_their_interval_and_silence_is_noticed() {
    let mut line = Line::new(|config| config.detectors.silence = true);
    line.alice.play(Source::Tone(Tone::steady(&[500.0], -10.0)));
    line.run(100, |_| false);
    line.alice.stop();
    line.run(200, |_| false);
    line.alice.play(Source::Tone(Tone::steady(&[500.0], -10.0)));
    line.run(201, |_| false);
    let statistics = line.facts_of('b').filter(|fact| matches!(fact, Fact::Statistics(_))).count();
    assert_eq!(statistics, 2);
    let changes: Vec<_> = line
        .facts_of('b')
        .filter(|fact| matches!(fact, Fact::SilenceStarted | Fact::SilenceEnded { .. }))
        .collect();
    assert!(
        matches!(changes.as_slice(), [Fact::SilenceStarted, Fact::SilenceEnded { quiet }] if *quiet == TICK * 200),
        "{changes:?}"
    );
}

#[test]
fn garbage_is_counted_and_harms_nothing() {
    let mut line = Line::new(|_| {});
    let now = line.now();
    for bytes in [&b""[..], b"\x80", b"hello, this is no rtp", &[0x80, 200, 0, 9]] {
        line.bob.handle_packet(now, alice_at(), bytes);
        line.bob.handle_rtcp(now, reports_of(alice_at()), bytes);
    }
    assert_eq!(line.bob.stats().malformed, 8);
    assert_eq!(line.bob.stats().packets_received, 0);
}
