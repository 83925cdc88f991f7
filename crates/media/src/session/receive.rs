//! Packets on the way in.

use std::net::SocketAddr;
use std::time::Instant;

use super::media_session::MediaSession;
use super::output::Fact;
use super::protect;
use crate::dtmf::{EventPayload, EventReceiver};
use crate::rtp::{Arrival, Proof, RtpPacket, Trust};

/// Static payload type of comfort noise.
const COMFORT_NOISE: u8 = 13;

impl MediaSession {
    /// Takes a datagram from the RTP socket.
    pub fn handle_packet(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        if self.closed {
            return;
        }
        // RFC 5761: RTCP on the RTP port is recognized by its packet type.
        if matches!(bytes.get(1), Some(200..=204)) {
            self.handle_rtcp(now, source, bytes);
            return;
        }
        let parsed = RtpPacket::parse(protect::open(self.plan.as_ref(), bytes)).ok();
        if self.peer.judge_rtp(source, parsed.as_ref().map(Proof::of_rtp)) != Trust::Peer {
            return;
        }
        let Some(packet) = parsed else {
            self.malformed += 1;
            return;
        };
        if self.source.is_some_and(|(known, _)| known != source) {
            // We know it is the peer's by more than its numbers, so nobody has to fall silent
            // first.
            self.receiver.leave_for(packet.ssrc);
        }
        let is_event = self.event_payload_type() == Some(packet.payload_type);
        let clock = self.codec_of(packet.payload_type).unwrap_or(self.codec).rtp_clock;
        let arrival = self.receiver.handle(now, &packet, (!is_event).then_some(clock));
        let (restarted, in_order) = match arrival {
            Arrival::Accepted { restarted } => (restarted, true),
            Arrival::Reordered => (false, false),
            Arrival::Duplicate | Arrival::Foreign => return,
        };
        self.note_source(source, &packet);
        if restarted {
            self.playout.reset();
            // Another source counts its timestamps from elsewhere, so its events would look old.
            self.events_in = EventReceiver::new(self.codec.rtp_clock);
        }
        if is_event {
            self.take_events(now, &packet, in_order);
        } else {
            self.take_audio(&packet);
        }
    }

    fn event_payload_type(&self) -> Option<u8> {
        let events = self.plan.as_ref().and_then(|plan| plan.telephone_event);
        events.map(|events| events.receive_payload_type)
    }

    fn note_source(&mut self, source: SocketAddr, packet: &RtpPacket<'_>) {
        let ssrc = packet.ssrc;
        match self.source.replace((source, ssrc)) {
            None => {
                let payload_type = packet.payload_type;
                let codec = self.codec_of(payload_type);
                self.fact(Fact::FirstPacket { source, codec, payload_type, ssrc });
            }
            Some(known) if known != (source, ssrc) => {
                self.source_changes += 1;
                self.fact(Fact::SourceChanged { source, ssrc });
            }
            Some(_) => {}
        }
        let differs = self.peer.difference();
        self.facts(differs);
        if std::mem::take(&mut self.reception_stopped) {
            self.fact(Fact::ReceptionResumed);
        }
    }

    fn take_events(&mut self, now: Instant, packet: &RtpPacket<'_>, in_order: bool) {
        let events: Vec<_> = EventPayload::parse_all(packet.payload).collect();
        if events.is_empty() {
            self.malformed += 1;
            return;
        }
        let changes = self.events_in.handle(now, packet.timestamp, in_order, &events);
        let facts: Vec<Fact> = changes.into_iter().filter_map(|change| self.listener.event(change)).collect();
        self.facts(facts);
    }

    fn take_audio(&mut self, packet: &RtpPacket<'_>) {
        let Some(codec) = self.codec_of(packet.payload_type) else {
            if packet.payload_type == COMFORT_NOISE {
                self.comfort_noise += 1;
            } else {
                self.unknown_payload += 1;
            }
            return;
        };
        let payload_type = packet.payload_type;
        if self.payload_type.replace(payload_type).is_some_and(|before| before != payload_type) {
            self.fact(Fact::PayloadChanged { payload_type, codec });
        }
        self.listener.set_codec(codec);
        self.playout.insert(packet.timestamp, codec, packet.payload);
    }
}
