//! Whose media a session hears: the peer's, from the address it gave or one that is learnt, and
//! nobody else's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::negotiate::MediaPlan;
use offhook_media::rtcp::{
    Bye, NtpTime, ReceiverReport, ReportBlock, RtcpPacket, SenderReport, write_compound,
};
use offhook_media::rtp::RtpPacket;
use offhook_media::session::{Detectors, Fact, MediaSession, Output, SessionConfig};

use crate::time::epoch;

const TICK: Duration = Duration::from_millis(20);
const DIGIT_FOUR: [u8; 4] = [4, 0x8A, 0x03, 0x20];

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn peer() -> SocketAddr {
    at("192.0.2.1:4000")
}

fn stranger() -> SocketAddr {
    at("203.0.113.66:6000")
}

/// A session, its clock and what it said.
struct Ear {
    start: Instant,
    ticks: u32,
    session: MediaSession,
    facts: Vec<Fact>,
}

impl Ear {
    fn new(plan: Option<MediaPlan>) -> Self {
        let start = epoch();
        let detectors = Detectors { tone: true, inband_dtmf: true, silence: true };
        let config = SessionConfig { detectors, statistics_interval: None, ..SessionConfig::default() };
        let mut session = MediaSession::new(config, start);
        if let Some(plan) = plan {
            session.set_plan(start, plan);
        }
        Self { start, ticks: 0, session, facts: Vec::new() }
    }

    fn now(&self) -> Instant {
        self.start + TICK * self.ticks
    }

    fn rtp(&mut self, source: SocketAddr, packet: RtpPacket<'_>) {
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        self.session.handle_packet(self.now(), source, &bytes);
    }

    fn rtcp(&mut self, source: SocketAddr, packets: &[RtcpPacket]) {
        let mut bytes = Vec::new();
        write_compound(packets, &mut bytes);
        self.session.handle_rtcp(self.now(), source, &bytes);
    }

    fn tick(&mut self) {
        self.session.handle_tick(self.now());
        self.ticks += 1;
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            if let Output::Fact(fact) = output {
                self.facts.push(fact);
            }
        }
    }

    /// Lets sound come from `source`, a packet a tick, numbered from `first` on.
    fn talk(&mut self, source: SocketAddr, ssrc: u32, numbers: std::ops::Range<u16>) {
        for number in numbers {
            self.rtp(source, sound(ssrc, number));
            self.tick();
        }
    }

    fn close(&mut self) {
        self.session.close(self.now());
        self.drain();
    }

    fn told(&self, kind: impl Fn(&Fact) -> bool) -> Vec<&Fact> {
        self.facts.iter().filter(|fact| kind(fact)).collect()
    }
}

/// A loud packet that is neither a tone nor a digit.
fn sound(ssrc: u32, sequence: u16) -> RtpPacket<'static> {
    let timestamp = u32::from(sequence) * 160;
    RtpPacket { marker: false, payload_type: 8, sequence, timestamp, ssrc, payload: &[0x25; 160] }
}

fn quiet(ssrc: u32, sequence: u16) -> RtpPacket<'static> {
    RtpPacket { payload: &[0xD5; 160], ..sound(ssrc, sequence) }
}

fn event(ssrc: u32, sequence: u16) -> RtpPacket<'static> {
    RtpPacket { payload_type: 120, payload: &DIGIT_FOUR, ..sound(ssrc, sequence) }
}

fn plan() -> MediaPlan {
    MediaPlan::direct(Codec::PCMA, peer())
}

const fn is_foreign(fact: &Fact) -> bool {
    matches!(fact, Fact::ForeignPackets { .. })
}

#[test]
fn a_stranger_is_not_heard_while_the_peer_is_silent_and_told_once() {
    let mut ear = Ear::new(Some(plan()));
    ear.talk(peer(), 1, 0..50);
    let before = ear.session.stats();
    ear.facts.clear();
    for number in 0..200 {
        ear.rtp(stranger(), if number % 10 < 5 { event(9, number) } else { sound(9, number) });
        ear.rtp(at("192.0.2.1:4002"), sound(1, number));
        ear.tick();
    }
    assert_eq!(ear.facts.len(), 2, "{:?}", ear.facts);
    assert!(matches!(ear.facts[0], Fact::ForeignPackets { packets: 1 | 2, .. }), "{:?}", ear.facts);
    assert_eq!(ear.facts[1], Fact::SilenceStarted);
    let stats = ear.session.stats();
    assert_eq!((stats.foreign, stats.malformed), (400, 0));
    let heard = |stats: &offhook_media::session::StreamStats| {
        (stats.packets_received, stats.expected, stats.source_changes, stats.digits_received.clone())
    };
    assert_eq!(heard(&stats), heard(&before));
    assert_eq!(ear.session.remote_source(), Some((peer(), 1)));
    // The peer goes on as if nothing had happened.
    ear.talk(peer(), 1, 50..60);
    assert_eq!(ear.session.stats().packets_received, 60);
    ear.close();
    let [Fact::ForeignPackets { packets: first, .. }, Fact::ForeignPackets { packets: rest, .. }] =
        ear.told(is_foreign)[..]
    else {
        panic!("{:?}", ear.facts)
    };
    assert_eq!(first + rest, 400);
}

#[test]
fn a_flood_of_strangers_is_told_a_few_times_in_a_call() {
    let mut ear = Ear::new(Some(plan()));
    ear.talk(peer(), 1, 0..10);
    for number in 0..20_000 {
        ear.rtp(SocketAddr::new(stranger().ip(), 1024 + number % 5000), sound(u32::from(number), number));
        ear.tick();
    }
    ear.close();
    let told = ear.told(is_foreign);
    assert_eq!(told.len(), 11);
    let packets =
        told.iter().map(|fact| if let Fact::ForeignPackets { packets, .. } = fact { *packets } else { 0 });
    assert_eq!(packets.sum::<u64>(), 20_000);
}

#[test]
fn a_peer_behind_address_translation_is_learnt_and_the_difference_is_told_once() {
    let mut ear = Ear::new(Some(plan()));
    let translated = at("198.51.100.7:31000");
    ear.talk(translated, 1, 0..50);
    let differs = Fact::SourceDiffers { negotiated: peer(), source: translated };
    assert_eq!(ear.told(|fact| matches!(fact, Fact::SourceDiffers { .. })), [&differs]);
    // Learning the source cost three packets.
    let stats = ear.session.stats();
    assert_eq!((stats.packets_received, stats.lost, stats.foreign), (47, 0, 0));
    // An old-style hold and its end leave it known.
    ear.session.set_plan(ear.now(), MediaPlan { remote: None, remote_rtcp: None, ..plan() });
    ear.talk(translated, 1, 50..60);
    ear.session.set_plan(ear.now(), plan());
    ear.talk(translated, 1, 60..70);
    assert_eq!(ear.session.stats().packets_received, 67);
    assert_eq!(ear.told(|fact| matches!(fact, Fact::SourceDiffers { .. })).len(), 1);
    // Where we send is what the description says.
    ear.session.handle_tick(ear.now());
    let sent = std::iter::from_fn(|| ear.session.poll_output());
    let to: Vec<_> = sent
        .filter_map(|output| if let Output::Packet { to, .. } = output { Some(to) } else { None })
        .collect();
    assert_eq!(to, [peer()]);
}

#[test]
fn the_negotiated_address_wins_at_once_whoever_spoke_before() {
    let mut ear = Ear::new(Some(plan()));
    ear.talk(stranger(), 9, 100..150);
    ear.talk(peer(), 1, 0..50);
    assert_eq!(ear.session.stats().packets_received, 47 + 50, "not one packet of the peer is missed");
    assert!(ear.facts.contains(&Fact::SourceChanged { source: peer(), ssrc: 1 }));
    ear.talk(stranger(), 9, 150..200);
    assert_eq!(ear.session.remote_source(), Some((peer(), 1)));
    assert_eq!(ear.session.stats().foreign, 50);
}

#[test]
fn early_media_before_a_description_is_learnt_and_heard() {
    let mut ear = Ear::new(None);
    ear.rtp(stranger(), event(9, 700));
    ear.talk(peer(), 1, 0..20);
    ear.session.set_plan(ear.now(), plan());
    ear.talk(peer(), 1, 20..40);
    let stats = ear.session.stats();
    assert_eq!((stats.packets_received, stats.lost, stats.source_changes), (37, 0, 0));
    assert_eq!(stats.foreign, 1);
    assert_eq!(stats.digits_received, "");
}

#[test]
fn another_address_in_a_new_description_is_followed_and_the_old_one_is_a_strangers() {
    let mut ear = Ear::new(Some(plan()));
    ear.talk(peer(), 1, 0..50);
    let moved = at("192.0.2.9:7000");
    ear.session.set_plan(ear.now(), MediaPlan::direct(Codec::PCMA, moved));
    // Some packets are still under way from before.
    ear.talk(peer(), 1, 50..60);
    ear.talk(moved, 2, 0..50);
    ear.close();
    assert_eq!(ear.session.stats().packets_received, 100);
    assert_eq!(ear.told(|fact| matches!(fact, Fact::SourceDiffers { .. })).len(), 0);
    let last = ear.told(is_foreign);
    assert_eq!(last, [&Fact::ForeignPackets { source: peer(), packets: 10 }]);
}

#[test]
fn reports_of_strangers_count_for_nothing() {
    let mut ear = Ear::new(Some(plan()));
    ear.talk(peer(), 1, 0..50);
    let block = ReportBlock { ssrc: ear.session.ssrc(), fraction_lost: 128, ..ReportBlock::default() };
    let report = ReceiverReport { ssrc: 1, blocks: vec![block] };
    let bye = RtcpPacket::Bye(Bye { sources: vec![1], reason: None });
    let farewell = [RtcpPacket::ReceiverReport(report), bye];
    for port in 0..5 {
        ear.rtcp(SocketAddr::new(stranger().ip(), 4001 + port), &farewell);
    }
    // About a stream other than the one that is heard: nobody's, however often it comes.
    let ntp = NtpTime::new(1, 2);
    let other = SenderReport { ssrc: 9, ntp, rtp_timestamp: 0, packets: 0, bytes: 0, blocks: Vec::new() };
    for _ in 0..5 {
        ear.rtcp(stranger(), &[RtcpPacket::SenderReport(other.clone())]);
    }
    ear.session.handle_rtcp(ear.now(), stranger(), b"no report");
    ear.tick();
    assert_eq!(ear.told(|fact| matches!(fact, Fact::RemoteBye { .. })).len(), 0);
    let stats = ear.session.stats();
    assert_eq!((stats.remote, stats.malformed), (None, 0));
    ear.rtcp(at("192.0.2.1:4001"), &farewell);
    ear.tick();
    assert_eq!(ear.told(|fact| matches!(fact, Fact::RemoteBye { .. })).len(), 1);
    assert_eq!(ear.session.stats().remote.unwrap().fraction_lost, 0.5);
    ear.close();
    assert_eq!(ear.session.stats().foreign, 11);
}

#[test]
fn one_stream_from_two_addresses_in_turn_makes_a_few_facts() {
    let mut ear = Ear::new(Some(plan()));
    for number in 0..10_000 {
        ear.rtp(peer(), quiet(1, 2 * number));
        ear.rtp(stranger(), quiet(1, 2 * number + 1));
        ear.tick();
    }
    ear.close();
    assert!(ear.facts.len() < 36, "{} facts", ear.facts.len());
    assert_eq!(ear.session.stats().packets_received, 10_000);
}

#[test]
fn a_peer_that_changes_its_stream_all_the_time_is_told_ten_times_in_ten_seconds() {
    let mut ear = Ear::new(Some(plan()));
    // 80 ms apart: a stream that falls silent gives way.
    for turn in 0..300 {
        ear.rtp(peer(), sound(turn % 2, 10));
        for _ in 0..4 {
            ear.tick();
        }
    }
    ear.close();
    let changes = ear.told(|fact| matches!(fact, Fact::SourceChanged { .. })).len();
    assert_eq!(changes, 30, "in 24 seconds");
    let withheld = ear.facts.iter().map(|fact| if let Fact::Withheld { facts } = fact { *facts } else { 0 });
    assert_eq!(withheld.sum::<u64>(), 299 - 30);
    assert_eq!(ear.session.stats().source_changes, 299);
}

#[test]
fn digits_of_the_peer_are_told_as_fast_as_any_sender_makes_them_and_not_faster() {
    for (ticks, told) in [(3, 500), (0, 250)] {
        let mut ear = Ear::new(Some(plan()));
        for number in 0..500u16 {
            // 60 ms apart, that is 16 a second; or all at once.
            ear.rtp(peer(), RtpPacket { timestamp: u32::from(number) * 480, ..event(1, number) });
            (0..ticks).for_each(|_| ear.tick());
        }
        ear.close();
        let digits = ear.told(|fact| matches!(fact, Fact::Digit { .. })).len();
        assert_eq!(digits, told);
        let withheld = ear.told(|fact| matches!(fact, Fact::Withheld { .. }));
        // A beginning and an end for each.
        let expected = Fact::Withheld { facts: 500 };
        assert_eq!(withheld, if told == 500 { vec![] } else { vec![&expected] });
        assert_eq!(ear.session.stats().digits_received.len(), 500);
    }
}
