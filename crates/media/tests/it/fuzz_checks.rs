//! What must hold for any bytes; shared by the mutation tests and the fuzz targets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use offhook_media::audio::read_wav;
use offhook_media::codec::Codec;
use offhook_media::dtmf::{EventChange, EventPayload, EventReceiver};
use offhook_media::negotiate::{
    Capabilities, LocalMedia, MediaPlan, accept_answer, answer, filter_codecs, offer,
};
use offhook_media::rtcp::{parse_compound, write_compound};
use offhook_media::rtp::RtpPacket;
use offhook_media::sdp::{Direction, SessionDescription};
use offhook_media::session::{Detectors, MediaSession, SessionConfig};

/// A description that can be read says the same when written and read again, and so does its answer.
pub(crate) fn sdp(bytes: &[u8]) {
    let Ok(description) = SessionDescription::parse(bytes) else { return };
    let text = description.to_string();
    assert_eq!(SessionDescription::parse(text.as_bytes()).as_ref(), Ok(&description));
    let address = "192.0.2.1".parse().expect("an address");
    let local = LocalMedia { session_id: 1, version: 1, address, port: 4000, direction: Direction::SendRecv };
    let capabilities = Capabilities::default();
    if let Ok(negotiated) = answer(&capabilities, &local, &description) {
        assert_eq!(negotiated.description.media.len(), description.media.len());
        let written = negotiated.plan.local_sdp;
        assert_eq!(SessionDescription::parse(written.as_bytes()), Ok(negotiated.description));
    }
    let _plan = accept_answer(&capabilities, &offer(&capabilities, &local), &description);
    let mut resolved = description;
    resolved.resolve(|name| Some(if name.is_ipv6 { [0; 16].into() } else { address }));
    assert_eq!(resolved.host_names(), []);
    assert_eq!(SessionDescription::parse(resolved.to_string().as_bytes()), Ok(resolved));
    let _filtered = filter_codecs(&text, &["pcma".to_owned()]);
}

/// A packet that can be read is the same when written without its extension and padding.
pub(crate) fn rtp(bytes: &[u8]) {
    let Ok(packet) = RtpPacket::parse(bytes) else { return };
    let mut written = Vec::new();
    packet.write(&mut written);
    assert_eq!(RtpPacket::parse(&written), Ok(packet));
}

/// A compound that can be read is the same when written.
pub(crate) fn rtcp(bytes: &[u8]) {
    let Ok(packets) = parse_compound(bytes) else { return };
    let mut written = Vec::new();
    write_compound(&packets, &mut written);
    let again = parse_compound(&written).expect("what we write can be read");
    assert_eq!(again.len(), packets.len());
}

/// Event packets in any order: each ends at most its own events and the one before them, and none
/// panics.
pub(crate) fn telephone_event(start: Instant, bytes: &[u8]) {
    let mut receiver = EventReceiver::new(8000);
    let mut now = start;
    for part in bytes.chunks(16) {
        let [t0, t1, wait, order, rest @ ..] = part else { return };
        now += Duration::from_millis(u64::from(*wait));
        let timestamp = u32::from_be_bytes([*t0 & 1, *t1, *t1, *t0]);
        let concluded = receiver.poll(now);
        assert_eq!(receiver.poll(now), None, "{concluded:?} twice");
        let events: Vec<_> = EventPayload::parse_all(rest).collect();
        let written: Vec<u8> = events.iter().flat_map(|payload| payload.to_bytes()).collect();
        assert_eq!(written.len(), rest.len() / 4 * 4);
        assert!(EventPayload::parse_all(&written).eq(events.iter().copied()));
        let changes = receiver.handle(now, timestamp, order % 4 != 3, &events);
        let started = changes.iter().filter(|change| matches!(change, EventChange::Started(_))).count();
        assert!(started <= events.len() && changes.len() - started <= 1 + events.len());
    }
}

/// A file is read or refused.
pub(crate) fn wav(bytes: &[u8]) {
    let _samples = read_wav(bytes);
}

/// Whatever datagrams come, in any order, at any pace, from the peer and from strangers, the
/// session goes on.
pub(crate) fn session(start: Instant, bytes: &[u8]) {
    let detectors = Detectors { tone: true, inband_dtmf: true, silence: true };
    let mut session = MediaSession::new(SessionConfig { detectors, ..SessionConfig::default() }, start);
    let peer: SocketAddr = "192.0.2.1:4000".parse().expect("an address");
    let stranger: SocketAddr = "203.0.113.1:4000".parse().expect("an address");
    session.set_plan(start, MediaPlan::direct(Codec::PCMA, peer));
    let (mut now, mut rest) = (start, bytes);
    while let [length, wait, tail @ ..] = rest {
        let (datagram, after) = tail.split_at(usize::from(*length).min(tail.len()));
        now += Duration::from_millis(u64::from(*wait));
        let source = if wait % 4 == 3 { stranger } else { peer };
        session.handle_packet(now, source, datagram);
        session.handle_rtcp(now, source, datagram);
        session.handle_tick(now);
        while session.poll_output().is_some() {}
        rest = after;
    }
    let stats = session.stats();
    assert!(stats.lost <= stats.expected);
    assert!(stats.jitter_ms.is_finite());
    assert!(stats.quality.mos().is_none_or(|mos| (1.0..=4.5).contains(&mos)));
}
