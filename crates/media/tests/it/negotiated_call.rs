//! A call through the public door: offer, answer, audio, digits, hold, resume.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::audio::Tone;
use offhook_media::codec::Codec;
use offhook_media::dtmf::DigitMethod;
use offhook_media::negotiate::{Capabilities, CodecSpec, MediaPlan, Negotiator};
use offhook_media::sdp::{Direction, SessionDescription};
use offhook_media::session::{Fact, MediaSession, Output, SessionConfig, Source};

use crate::time::epoch;

struct Phone {
    at: SocketAddr,
    negotiator: Negotiator,
    media: MediaSession,
    facts: Vec<Fact>,
}

impl Phone {
    fn new(at: &str, seed: u64, codecs: &[Codec], start: Instant) -> Self {
        let at: SocketAddr = at.parse().unwrap();
        let codecs = CodecSpec::number(codecs.iter().copied());
        let capabilities = Capabilities { codecs, ..Capabilities::default() };
        Self {
            at,
            negotiator: Negotiator::new(capabilities, seed, at.ip(), at.port()),
            media: MediaSession::new(SessionConfig { seed, ..SessionConfig::default() }, start),
            facts: Vec::new(),
        }
    }
}

/// Lets `from` offer and `to` answer, as text over the wire; both sessions follow.
fn negotiate(now: Instant, from: &mut Phone, to: &mut Phone) -> (MediaPlan, MediaPlan) {
    let offer = from.negotiator.offer().to_string();
    let negotiated = to.negotiator.answer(&SessionDescription::parse(offer.as_bytes()).unwrap()).unwrap();
    let answer = SessionDescription::parse(negotiated.plan.local_sdp.as_bytes()).unwrap();
    assert_eq!(answer, negotiated.description);
    let plan = from.negotiator.accept_answer(&answer).unwrap();
    from.media.set_plan(now, plan.clone());
    to.media.set_plan(now, negotiated.plan.clone());
    (plan, negotiated.plan)
}

fn run(start: Instant, ticks: std::ops::Range<u32>, left: &mut Phone, right: &mut Phone) {
    for tick in ticks {
        let now = start + Duration::from_millis(20) * tick;
        left.media.handle_tick(now);
        right.media.handle_tick(now);
        for turn in 0..2 {
            let (from, to) = if turn == 0 { (&mut *left, &mut *right) } else { (&mut *right, &mut *left) };
            while let Some(output) = from.media.poll_output() {
                match output {
                    Output::Packet { to: target, bytes } => {
                        assert_eq!(target, to.at);
                        to.media.handle_packet(now, from.at, &bytes);
                        from.media.recycle(bytes);
                    }
                    Output::Rtcp { to: target, bytes } => {
                        assert_eq!(target.port(), to.at.port() + 1);
                        to.media.handle_rtcp(now, from.at, &bytes);
                    }
                    Output::Fact(fact) => from.facts.push(fact),
                    Output::RecordFrame(_) => panic!("nothing is recorded"),
                }
            }
        }
    }
}

#[test]
fn two_phones_negotiate_talk_hold_and_resume() {
    let start = epoch();
    let mut alice = Phone::new("[2001:db8::1]:4000", 1, &[Codec::PCMA, Codec::PCMU], start);
    let mut bob = Phone::new("[2001:db8::2]:4100", 2, &[Codec::PCMU], start);
    let (plan, _) = negotiate(start, &mut alice, &mut bob);
    assert_eq!((plan.codec, plan.direction), (Codec::PCMU, Direction::SendRecv));
    alice.media.play(Source::Tone(Tone::steady(&[440.0], -12.0)));
    bob.media.play(Source::Tone(Tone::steady(&[880.0], -18.0)));
    let (duration, gap) = (Duration::from_millis(200), Duration::from_millis(80));
    bob.media.send_digits(DigitMethod::Rfc4733, "0#", duration, gap).unwrap();
    run(start, 0..100, &mut alice, &mut bob);
    assert_eq!(alice.media.stats().digits_received, "0#");
    assert!((bob.media.stats().received_dbfs.unwrap() + 12.0).abs() < 0.3);
    // Alice holds: Bob may only listen.
    alice.negotiator.set_direction(Direction::SendOnly);
    let now = start + Duration::from_secs(2);
    let (ours, theirs) = negotiate(now, &mut alice, &mut bob);
    assert_eq!((ours.direction, theirs.direction), (Direction::SendOnly, Direction::RecvOnly));
    let before = alice.media.stats().packets_received;
    run(start, 100..200, &mut alice, &mut bob);
    assert_eq!(alice.media.stats().packets_received, before);
    assert_eq!(bob.media.stats().packets_received, 200);
    // Bob asks for both ways again while Alice still holds; then she resumes.
    let now = start + Duration::from_secs(4);
    let (theirs, ours) = negotiate(now, &mut bob, &mut alice);
    assert_eq!((ours.direction, theirs.direction), (Direction::SendOnly, Direction::RecvOnly));
    alice.negotiator.set_direction(Direction::SendRecv);
    let (ours, _) = negotiate(now, &mut alice, &mut bob);
    assert_eq!(ours.direction, Direction::SendRecv);
    run(start, 200..300, &mut alice, &mut bob);
    let stats = alice.media.stats();
    assert_eq!((stats.packets_received, stats.lost, stats.source_changes), (before + 100, 0, 0));
    assert_eq!(bob.media.stats().lost, 0);
}
