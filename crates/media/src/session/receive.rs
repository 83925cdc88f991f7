//! Packets on the way in.

use std::net::SocketAddr;
use std::time::Instant;

use super::media_session::MediaSession;
use super::output::Fact;
use super::protect;
use crate::dtmf::{EventPayload, EventReceiver};
use crate::rtp::{Arrival, RtpPacket};

/// Static payload type of comfort noise.
const COMFORT_NOISE: u8 = 13;

impl MediaSession {
    /// Takes a datagram from the RTP socket.
    pub fn handle_packet(&mut self, now: Instant, source: SocketAddr, bytes: &[u8]) {
        if self.closed {
            return;
        }
        // RFC 5761: RTCP on the RTP port shows by its packet type.
        if matches!(bytes.get(1), Some(200..=204)) {
            self.handle_rtcp(now, source, bytes);
            return;
        }
        let Ok(packet) = RtpPacket::parse(protect::open(self.plan.as_ref(), bytes)) else {
            self.malformed += 1;
            return;
        };
        let is_event = self.event_payload_type() == Some(packet.payload_type);
        let clock = self.codec_of(packet.payload_type).unwrap_or(self.codec).rtp_clock;
        let arrival = self.receiver.handle(now, &packet, (!is_event).then_some(clock));
        let restarted = match arrival {
            Arrival::Accepted { restarted } => restarted,
            Arrival::Reordered => false,
            Arrival::Duplicate | Arrival::Foreign => return,
        };
        self.note_source(source, &packet);
        if restarted {
            self.playout.reset();
            // Another source counts its timestamps from elsewhere, so its events would look old.
            self.events_in = EventReceiver::new(self.codec.rtp_clock);
        }
        if is_event {
            self.take_event(now, &packet);
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
        if std::mem::take(&mut self.reception_stopped) {
            self.fact(Fact::ReceptionResumed);
        }
    }

    fn take_event(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        let Some(payload) = EventPayload::parse(packet.payload) else {
            self.malformed += 1;
            return;
        };
        let ended = self.events_in.handle(now, packet.timestamp, payload);
        let facts = ended.into_iter().flatten().filter_map(|event| self.listener.event(event));
        let facts: Vec<Fact> = facts.collect();
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
        self.listener.set_codec(codec);
        self.playout.insert(packet.timestamp, codec, packet.payload);
    }
}
