//! Costs of the media engine: codecs, packets, and a whole session a tick.
//!
//! Each figure is the best of several rounds. The share of a core is for 50 ticks a second.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark prints, reads the clock and may fail"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use audio_codec_algorithms as peer;
use offhook_media::audio::Tone;
use offhook_media::codec::Codec;
use offhook_media::negotiate::{Capabilities, LocalMedia, MediaPlan, answer, offer};
use offhook_media::rtp::RtpPacket;
use offhook_media::sdp::{Direction, SessionDescription};
use offhook_media::session::{Detectors, MediaSession, Output, SessionConfig, Source};

const ROUNDS: u32 = 7;

fn main() {
    let filter = std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    let benches: [(&str, fn()); 4] =
        [("codec", codecs), ("rtp", packets), ("sdp", descriptions), ("session", sessions)];
    for (name, run) in benches {
        if name.contains(&filter) {
            run();
        }
    }
}

/// Returns the nanoseconds of one call, best of several rounds.
fn nanoseconds(calls: u32, mut call: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn report(name: &str, nanoseconds: f64, note: &str) {
    println!("bench: media/{name} = {nanoseconds:.1} ns{note}");
}

fn codecs() {
    let wide: Vec<i16> = (0..320i16).map(|index| index.wrapping_mul(401)).collect();
    let samples = wide.split_at(160).0;
    let bytes: Vec<u8> = (0..160u8).collect();
    let (mut encoded, mut decoded) = (Vec::with_capacity(160), Vec::with_capacity(320));
    for codec in Codec::ALL {
        let (mut encoder, mut decoder) = ((codec.encoder)(), (codec.decoder)());
        let samples = wide.split_at(codec.samples(Duration::from_millis(20))).0;
        let time = nanoseconds(20_000, || {
            encoded.clear();
            encoder.encode(black_box(samples), &mut encoded);
            black_box(&encoded);
        });
        report(&format!("{} encode 20 ms", codec.name), time, "");
        let time = nanoseconds(20_000, || {
            decoded.clear();
            decoder.decode(black_box(&bytes), &mut decoded);
            black_box(&decoded);
        });
        report(&format!("{} decode 20 ms", codec.name), time, "");
    }
    let time = nanoseconds(20_000, || {
        encoded.clear();
        encoded.extend(black_box(samples).iter().map(|sample| peer::encode_alaw(*sample)));
        black_box(&encoded);
    });
    report("PCMA encode 20 ms, audio-codec-algorithms", time, "");
    let time = nanoseconds(20_000, || {
        decoded.clear();
        decoded.extend(black_box(&bytes).iter().map(|byte| peer::decode_alaw(*byte)));
        black_box(&decoded);
    });
    report("PCMA decode 20 ms, audio-codec-algorithms", time, "");
}

fn packets() {
    let payload = [0xD5; 160];
    let packet =
        RtpPacket { marker: false, payload_type: 8, sequence: 1, timestamp: 2, ssrc: 3, payload: &payload };
    let mut bytes = Vec::with_capacity(172);
    let time = nanoseconds(100_000, || {
        bytes.clear();
        black_box(&packet).write(&mut bytes);
        black_box(&bytes);
    });
    report("RTP build", time, "");
    let time = nanoseconds(100_000, || {
        black_box(RtpPacket::parse(black_box(&bytes)).unwrap());
    });
    report("RTP parse", time, "");
    let builder = rtp_rs::RtpPacketBuilder::new().payload_type(8).payload(&payload);
    let mut target = [0u8; 172];
    let time = nanoseconds(100_000, || {
        black_box(builder.build_into(black_box(&mut target)).unwrap());
    });
    report("RTP build, rtp-rs", time, "");
}

fn descriptions() {
    let local = LocalMedia {
        session_id: 1,
        version: 1,
        address: "192.0.2.1".parse().unwrap(),
        port: 4000,
        direction: Direction::SendRecv,
    };
    let capabilities = Capabilities::default();
    let text = offer(&capabilities, &local).to_string();
    let time = nanoseconds(5000, || {
        black_box(SessionDescription::parse(black_box(text.as_bytes())).unwrap());
    });
    report("SDP parse", time, "");
    let remote = SessionDescription::parse(text.as_bytes()).unwrap();
    let time = nanoseconds(5000, || {
        black_box(answer(&capabilities, &local, black_box(&remote)).unwrap());
    });
    report("SDP answer", time, "");
}

fn sessions() {
    let all = Detectors { tone: true, inband_dtmf: true, silence: true };
    for (name, detectors) in [("", Detectors::default()), (", all detectors", all)] {
        let ticks = 5000;
        let time = (0..ROUNDS).map(|_| conversation(detectors, ticks)).fold(f64::INFINITY, f64::min);
        // One second has 50 ticks.
        let legs = 1e9 / (time * 50.0);
        report(
            &format!("session tick, send and receive{name}"),
            time,
            &format!(" ({:.3} % of a core a leg, {legs:.0} legs a core)", 100.0 / legs),
        );
    }
}

/// Lets two sessions talk and returns the nanoseconds of a tick of one of them.
fn conversation(detectors: Detectors, ticks: u32) -> f64 {
    let start = Instant::now();
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    let (left_at, right_at) = (at("192.0.2.1:4000"), at("192.0.2.2:4000"));
    let session = |seed, target| {
        let mut session =
            MediaSession::new(SessionConfig { seed, detectors, ..SessionConfig::default() }, start);
        session.set_plan(start, MediaPlan::direct(Codec::PCMA, target));
        session.play(Source::Tone(Tone::steady(&[440.0, 620.0], -12.0)));
        session
    };
    let (mut left, mut right) = (session(1, right_at), session(2, left_at));
    for tick in 0..ticks {
        let now = start + Duration::from_millis(20) * tick;
        exchange(now, &mut left, &mut right, left_at);
        exchange(now, &mut right, &mut left, right_at);
    }
    start.elapsed().as_nanos() as f64 / f64::from(ticks) / 2.0
}

fn exchange(now: Instant, from: &mut MediaSession, to: &mut MediaSession, source: SocketAddr) {
    from.handle_tick(now);
    while let Some(output) = from.poll_output() {
        match output {
            Output::Packet { bytes, .. } => {
                to.handle_packet(now, source, &bytes);
                from.recycle(bytes);
            }
            Output::Rtcp { bytes, .. } => to.handle_rtcp(now, source, &bytes),
            Output::RecordFrame(frame) => drop(frame),
            Output::Fact(fact) => drop(fact),
        }
    }
}
