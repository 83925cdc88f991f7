//! A codec that is not G.711 through a whole pair of sessions: its clock is not its rate, it has
//! state, and its payload type is negotiated. It has the clock and rate of G.722; then G.722 itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::audio::{Tone, dominant_tone};
use offhook_media::codec::{Codec, Decode, Descriptor, Encode};
use offhook_media::dtmf::DigitMethod;
use offhook_media::negotiate::{Capabilities, CodecSpec, MediaPlan, Negotiator};
use offhook_media::quality::{CodecImpairment, Unmeasured};
use offhook_media::rtp::RtpPacket;
use offhook_media::sdp::SessionDescription;
use offhook_media::session::{Detectors, Fact, MediaSession, Output, RecordFrame, SessionConfig, Source};

use crate::time::epoch;

/// Sends the step from the last sample, so that an encoder or decoder of another session would be heard.
#[derive(Debug, Default)]
struct Steps {
    last: i16,
}

impl Encode for Steps {
    fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        for sample in samples {
            out.extend(sample.wrapping_sub(self.last).to_be_bytes());
            self.last = *sample;
        }
    }
}

impl Decode for Steps {
    fn samples(&self, payload: &[u8]) -> usize {
        payload.len() / 2
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        for step in payload.as_chunks::<2>().0 {
            self.last = self.last.wrapping_add(i16::from_be_bytes(*step));
            out.push(self.last);
        }
    }
}

const WIDE: Codec = Codec::new(&Descriptor {
    name: "STEPS",
    rtp_clock: 8000,
    rate: 16_000,
    channels: 1,
    static_payload_type: None,
    fmtp: Some("step=1"),
    impairment: Some(CodecImpairment::G711),
    encoder: || Box::<Steps>::default(),
    decoder: || Box::<Steps>::default(),
});

struct Phone {
    at: SocketAddr,
    negotiator: Negotiator,
    media: MediaSession,
    facts: Vec<Fact>,
    recorded: Vec<RecordFrame>,
    sent: Vec<Vec<u8>>,
}

impl Phone {
    fn new(at: &str, seed: u64, packet_time: u64, start: Instant) -> Self {
        let at: SocketAddr = at.parse().unwrap();
        let mut media = MediaSession::new(
            SessionConfig {
                seed,
                detectors: Detectors { tone: true, ..Detectors::default() },
                ..SessionConfig::default()
            },
            start,
        );
        media.record(true);
        let capabilities = able(&[WIDE, Codec::PCMU], packet_time);
        let negotiator = Negotiator::new(capabilities, seed, at.ip(), at.port());
        Self { at, negotiator, media, facts: Vec::new(), recorded: Vec::new(), sent: Vec::new() }
    }
}

fn able(codecs: &[Codec], packet_time: u64) -> Capabilities {
    Capabilities {
        codecs: CodecSpec::number(codecs.iter().copied()),
        packet_time: Duration::from_millis(packet_time),
        ..Capabilities::default()
    }
}

fn negotiate(now: Instant, from: &mut Phone, to: &mut Phone) -> (String, MediaPlan, MediaPlan) {
    let offer = from.negotiator.offer().to_string();
    let negotiated = to.negotiator.answer(&SessionDescription::parse(offer.as_bytes()).unwrap()).unwrap();
    let plan = from.negotiator.accept_answer(&negotiated.description).unwrap();
    from.media.set_plan(now, plan.clone());
    to.media.set_plan(now, negotiated.plan.clone());
    (offer, plan, negotiated.plan)
}

/// Runs both for `milliseconds` from `start`, on a clock of 10 ms.
fn run(start: Instant, milliseconds: u64, left: &mut Phone, right: &mut Phone) -> Instant {
    for step in 0..milliseconds / 10 {
        let now = start + Duration::from_millis(10) * step as u32;
        left.media.handle_tick(now);
        right.media.handle_tick(now);
        pass(now, left, right);
        pass(now, right, left);
    }
    start + Duration::from_millis(milliseconds)
}

fn pass(now: Instant, from: &mut Phone, to: &mut Phone) {
    while let Some(output) = from.media.poll_output() {
        match output {
            Output::Packet { bytes, .. } => {
                to.media.handle_packet(now, from.at, &bytes);
                from.sent.push(bytes);
            }
            Output::Rtcp { bytes, .. } => to.media.handle_rtcp(now, from.at, &bytes),
            Output::Fact(fact) => from.facts.push(fact),
            Output::RecordFrame(frame) => from.recorded.push(*frame),
        }
    }
}

fn tones(phone: &Phone) -> Vec<f64> {
    let hz = |fact: &Fact| if let Fact::ToneStarted { hz, .. } = fact { Some(hz.round()) } else { None };
    phone.facts.iter().filter_map(hz).collect()
}

#[test]
fn a_codec_of_another_rate_is_negotiated_spoken_heard_and_recorded() {
    let start = epoch();
    let mut alice = Phone::new("192.0.2.1:4000", 1, 30, start);
    let mut bob = Phone::new("192.0.2.2:4000", 2, 20, start);
    let (offer, plan, answered) = negotiate(start, &mut alice, &mut bob);
    for line in ["m=audio 4000 RTP/AVP 96 0 120", "a=rtpmap:96 STEPS/8000", "a=fmtp:96 step=1", "a=ptime:30"]
    {
        assert!(offer.lines().any(|there| there == line), "{line} in {offer}");
    }
    assert_eq!((plan.codec, plan.send_payload_type, plan.receive_payload_type), (WIDE, 96, 96));
    // Each sends what the other asked for.
    assert_eq!((plan.packet_time.as_millis(), answered.packet_time.as_millis()), (20, 30));
    assert_eq!((alice.media.rate(), bob.media.rate()), (16_000, 16_000));

    // Above 4 kHz: no sound of 8 kHz could carry it.
    alice.media.play(Source::Tone(Tone::steady(&[5200.0], -12.0)));
    bob.media.play(Source::Echo);
    let now = run(start, 6000, &mut alice, &mut bob);
    assert_eq!((tones(&bob), tones(&alice)), (vec![5200.0], vec![5200.0]));
    for (phone, packets) in [(&bob, 300), (&alice, 200)] {
        let stats = phone.media.stats();
        assert_eq!((stats.packets_received, stats.lost, stats.discarded), (packets, 0, 0));
        assert_eq!((stats.concealed_frames, stats.unknown_payload), (0, 0));
        assert!((stats.received_dbfs.unwrap() + 12.0).abs() < 0.3, "{:?}", stats.received_dbfs);
        assert!(stats.max_jitter_ms < 0.01 && stats.round_trip_ms.is_some());
        assert!(stats.quality.mos().is_some());
    }
    let packets: Vec<_> = alice.sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    assert!(packets.iter().all(|packet| packet.payload.len() == 640));
    assert!(packets.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) == 160));
    let heard: Vec<i16> = bob.recorded[50..].iter().flat_map(|frame| frame.received.to_vec()).collect();
    let found = dominant_tone(&heard, 16_000).unwrap();
    assert!((found.hz - 5200.0).abs() < 0.5 && found.snr_db > 45.0, "the sound is exact: {found:?}");

    // Digits count with the clock, not with the rate.
    let (duration, gap) = (Duration::from_millis(120), Duration::from_millis(80));
    alice.media.send_digits(DigitMethod::Rfc4733, "9*", duration, gap).unwrap();
    let now = run(now, 1000, &mut alice, &mut bob);
    assert_eq!(bob.media.stats().digits_received, "9*");
    assert!(bob.facts.iter().any(|fact| matches!(fact, Fact::Digit { duration_ms: 120, .. })));

    // The call goes on in G.711: half the rate, the same clock, and no break.
    alice.negotiator.set_capabilities(able(&[Codec::PCMU], 30));
    let (_, plan, _) = negotiate(now, &mut alice, &mut bob);
    assert_eq!((plan.codec, alice.media.rate(), bob.media.rate()), (Codec::PCMU, 8000, 8000));
    alice.media.play(Source::Tone(Tone::steady(&[700.0], -12.0)));
    run(now, 2000, &mut alice, &mut bob);
    assert_eq!(tones(&bob).last(), Some(&700.0));
    let stats = bob.media.stats();
    assert_eq!((stats.lost, stats.source_changes, stats.unknown_payload), (0, 0, 0));
    assert_eq!(bob.recorded.last().unwrap().received.rate(), 8000);
}

#[test]
fn what_was_not_agreed_on_at_this_rate_is_still_heard() {
    // The answer may choose any codec of the offer, packet by packet (RFC 3264 section 6.1).
    let start = epoch();
    let mut alice = Phone::new("192.0.2.1:4000", 1, 20, start);
    let mut bob = Phone::new("192.0.2.2:4000", 2, 20, start);
    let (_, _, answered) = negotiate(start, &mut alice, &mut bob);
    bob.media.set_plan(start, MediaPlan { codec: Codec::PCMU, send_payload_type: 0, ..answered });
    bob.media.play(Source::Tone(Tone::steady(&[600.0], -12.0)));
    run(start, 2000, &mut alice, &mut bob);
    assert_eq!((alice.media.rate(), bob.media.rate()), (16_000, 8000));
    assert_eq!(tones(&alice), [600.0]);
    assert!((alice.media.stats().received_dbfs.unwrap() + 12.0).abs() < 0.5);
    // And what is read from a file sounds the same in a session of any rate.
    alice.media.play(Source::Wav {
        samples: (0..8000).map(|at| if at % 8 < 4 { 4000 } else { -4000 }).collect(),
        rate: 8000,
        repeat: true,
    });
    let now = start + Duration::from_secs(2);
    run(now, 2000, &mut alice, &mut bob);
    assert_eq!(tones(&bob).first(), Some(&1000.0));
}

/// Two phones that have these codecs.
fn pair(codecs: &[Codec], packet_time: u64, start: Instant) -> (Phone, Phone) {
    let mut alice = Phone::new("192.0.2.1:4000", 1, packet_time, start);
    let mut bob = Phone::new("192.0.2.2:4000", 2, packet_time, start);
    for phone in [&mut alice, &mut bob] {
        phone.negotiator.set_capabilities(able(codecs, packet_time));
    }
    (alice, bob)
}

#[test]
fn g722_carries_the_upper_band_and_the_call_goes_to_g711_and_back() {
    let start = epoch();
    let (mut alice, mut bob) = pair(&[Codec::G722, Codec::PCMU], 20, start);
    let (offer, plan, _) = negotiate(start, &mut alice, &mut bob);
    assert!(offer.contains("RTP/AVP 9 0 120\r\n") && offer.contains("a=rtpmap:9 G722/8000\r\n"), "{offer}");
    assert_eq!((plan.codec, plan.send_payload_type, alice.media.rate()), (Codec::G722, 9, 16_000));
    alice.media.play(Source::Tone(Tone::steady(&[6000.0], -12.0)));
    bob.media.play(Source::Echo);
    let mut now = run(start, 6000, &mut alice, &mut bob);
    assert_eq!((tones(&bob), tones(&alice)), (vec![6000.0], vec![6000.0]));
    let stats = bob.media.stats();
    assert_eq!((stats.packets_received, stats.lost, stats.discarded, stats.concealed_frames), (300, 0, 0, 0));
    assert!((stats.received_dbfs.unwrap() + 12.0).abs() < 0.5, "{:?}", stats.received_dbfs);
    // Nobody may read it as a score of G.711.
    assert_eq!((stats.quality.mos(), stats.quality.reason()), (None, Some(Unmeasured::Wideband)));
    assert_eq!(bob.recorded.last().unwrap().received.rate(), 16_000);
    let packets: Vec<_> = alice.sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
    assert!(packets.iter().all(|packet| (packet.payload_type, packet.payload.len()) == (9, 160)));
    assert!(packets.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) == 160));

    for (codec, hz) in [(Codec::PCMU, 700.0), (Codec::G722, 5000.0)] {
        alice.negotiator.set_capabilities(able(&[codec], 20));
        let (_, plan, _) = negotiate(now, &mut alice, &mut bob);
        assert_eq!((plan.codec, bob.media.rate()), (codec, codec.rate));
        alice.media.play(Source::Tone(Tone::steady(&[hz], -12.0)));
        now = run(now, 2000, &mut alice, &mut bob);
        assert_eq!((tones(&bob).last(), tones(&alice).last()), (Some(&hz), Some(&hz)));
        assert_eq!(bob.recorded.last().unwrap().received.rate(), codec.rate);
    }
    let stats = bob.media.stats();
    assert_eq!((stats.lost, stats.source_changes, stats.unknown_payload, stats.malformed), (0, 0, 0, 0));
}

#[test]
fn g722_goes_in_packets_of_every_length() {
    for packet_time in [10, 20, 30, 40, 60] {
        let start = epoch();
        let (mut alice, mut bob) = pair(&[Codec::G722], packet_time, start);
        negotiate(start, &mut alice, &mut bob);
        alice.media.play(Source::Tone(Tone::steady(&[6000.0], -12.0)));
        run(start, 3000, &mut alice, &mut bob);
        let packets: Vec<_> = alice.sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
        assert!(
            packets.iter().all(|packet| packet.payload.len() as u64 == 8 * packet_time),
            "{packet_time} ms"
        );
        let step = |pair: &[RtpPacket<'_>]| u64::from(pair[1].timestamp.wrapping_sub(pair[0].timestamp));
        assert!(packets.windows(2).all(|pair| step(pair) == 8 * packet_time), "{packet_time} ms");
        assert_eq!(tones(&bob), [6000.0], "{packet_time} ms");
        assert_eq!(bob.media.stats().concealed_frames, 0, "{packet_time} ms");
    }
}

#[test]
fn a_wide_file_is_heard_in_full_in_g722_and_without_its_upper_band_in_g711() {
    let start = epoch();
    let sine = |hz: f64, at: f64| (std::f64::consts::TAU * hz * at / 16_000.0).sin();
    let samples: std::sync::Arc<[i16]> =
        (0..16_000).map(|at| (sine(6000.0, f64::from(at)) * 8000.0) as i16).collect();
    for (codec, heard) in [(Codec::G722, true), (Codec::PCMU, false)] {
        let (mut alice, mut bob) = pair(&[codec], 20, start);
        negotiate(start, &mut alice, &mut bob);
        alice.media.play(Source::Wav { samples: samples.clone(), rate: 16_000, repeat: true });
        run(start, 2000, &mut alice, &mut bob);
        assert_eq!(!tones(&bob).is_empty(), heard, "{codec:?}: {:?}", tones(&bob));
        assert_eq!(bob.media.stats().received_dbfs.is_some_and(|level| level > -20.0), heard, "{codec:?}");
    }
}
