//! Our own descriptions: the offer, and the audio section that offers and answers share.
//!
//! RFC 3264 section 5. A static payload type gets its `rtpmap` too, because some peers insist.

use std::net::IpAddr;
use std::time::Duration;

use super::{Capabilities, CodecSpec, LocalMedia};
use crate::audio::SAMPLE_RATE;
use crate::dtmf::EventSet;
use crate::sdp::{
    Connection, Direction, Line, MediaDescription, Origin, RtcpAddress, RtpMap, SessionDescription,
};

/// Session name of every description.
const SESSION_NAME: &str = "offhook";
/// Transport of every stream.
pub(super) const PROTOCOL: &str = "RTP/AVP";
/// Encoding name of RFC 4733.
pub(super) const TELEPHONE_EVENT: &str = "telephone-event";

/// Makes an offer with one audio stream.
#[must_use]
pub fn offer(capabilities: &Capabilities, local: &LocalMedia) -> SessionDescription {
    describe(local, vec![offered_audio(capabilities, local)])
}

/// Makes the audio section of an offer.
pub(super) fn offered_audio(capabilities: &Capabilities, local: &LocalMedia) -> MediaDescription {
    AudioSection {
        address: local.address,
        port: local.port,
        protocol: PROTOCOL,
        codecs: &capabilities.codecs,
        telephone_event: capabilities
            .telephone_event
            .map(|payload_type| (payload_type, EventSet::DTMF_AND_FLASH)),
        direction: capabilities.direction.intersection(local.direction),
        packet_time: capabilities.packet_time,
    }
    .build()
}

/// Wraps sections into a description.
pub(super) fn describe(local: &LocalMedia, media: Vec<MediaDescription>) -> SessionDescription {
    SessionDescription {
        origin: Origin::own(local.session_id, local.version, local.address),
        name: SESSION_NAME.to_owned(),
        lines: vec![Line::new('c', Connection::unicast(local.address).to_string()), Line::new('t', "0 0")],
        media,
    }
}

/// Everything that an audio section of ours says.
pub(super) struct AudioSection<'a> {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    pub(super) codecs: &'a [CodecSpec],
    pub(super) telephone_event: Option<(u8, EventSet)>,
    pub(super) direction: Direction,
    /// What we wish to receive; what we send is another matter (RFC 3264 section 6.1).
    pub(super) packet_time: Duration,
}

impl AudioSection<'_> {
    pub(super) fn build(&self) -> MediaDescription {
        let mut formats: Vec<String> = self.codecs.iter().map(|spec| spec.payload_type.to_string()).collect();
        let rtcp = RtcpAddress { port: self.port.saturating_add(1), address: Some(self.address) };
        let mut lines = vec![Line::attribute(format!("rtcp:{rtcp}"))];
        for spec in self.codecs {
            let CodecSpec { codec, payload_type } = *spec;
            let map = rtpmap(payload_type, codec.name, codec.rtp_clock, codec.channels);
            lines.push(Line::attribute(format!("rtpmap:{map}")));
            if let Some(parameters) = codec.fmtp {
                lines.push(Line::attribute(format!("fmtp:{payload_type} {parameters}")));
            }
        }
        if let Some((payload_type, events)) = self.telephone_event {
            formats.push(payload_type.to_string());
            // RFC 4733 section 2.1: events count with the clock of the audio that they interrupt.
            let clock = self.codecs.first().map_or(SAMPLE_RATE, |spec| spec.codec.rtp_clock);
            let map = rtpmap(payload_type, TELEPHONE_EVENT, clock, 1);
            lines.push(Line::attribute(format!("rtpmap:{map}")));
            lines.push(Line::attribute(format!("fmtp:{payload_type} {events}")));
        }
        lines.push(Line::attribute(format!("ptime:{}", self.packet_time.as_millis())));
        lines.push(Line::attribute(self.direction.name()));
        MediaDescription {
            kind: "audio".to_owned(),
            port: self.port,
            port_count: None,
            protocol: self.protocol.to_owned(),
            formats,
            lines,
        }
    }
}

fn rtpmap(payload_type: u8, encoding: &str, clock_rate: u32, channels: u8) -> RtpMap {
    RtpMap { payload_type, encoding: encoding.to_owned(), clock_rate, channels }
}
