//! Answering an offer, and reading the answer to ours.
//!
//! RFC 3264 sections 6, 7 and 8.4. The answer follows the offerer's order and numbers, contains one
//! codec plus telephone events, and has as many `m=` lines as the offer.

use std::net::SocketAddr;
use std::time::Duration;

use super::offer::{AudioSection, TELEPHONE_EVENT, describe};
use super::plan::packet_time;
use super::{
    Capabilities, CodecSpec, LocalMedia, MediaPlan, Negotiated, NegotiationError, TelephoneEventPlan,
};
use crate::codec::Codec;
use crate::dtmf::EventSet;
use crate::sdp::{ConnectionHost, Direction, MediaDescription, SessionDescription, is_one_host};

/// Answers `remote`.
///
/// # Errors
///
/// Fails when no audio stream of the offer can be used; the error names the status for the peer.
pub fn answer(
    capabilities: &Capabilities,
    local: &LocalMedia,
    remote: &SessionDescription,
) -> Result<Negotiated, NegotiationError> {
    let (chosen, spec) = choose_audio(capabilities, remote)?;
    let section = remote.media.get(chosen).ok_or(NegotiationError::NoAudio)?;
    let target = Target::of(remote, section)?;
    let wanted = capabilities.direction.intersection(local.direction);
    let direction = wanted.intersection(target.direction.reversed());
    let events = capabilities.telephone_event.and_then(|_| telephone_event(section, spec.codec.rtp_clock));
    let audio = AudioSection {
        address: local.address,
        port: local.port,
        protocol: &section.protocol,
        codecs: &[spec],
        telephone_event: events,
        direction,
        packet_time: capabilities.packet_time,
    }
    .build();
    let media = remote
        .media
        .iter()
        .enumerate()
        .map(|(index, offered)| if index == chosen { audio.clone() } else { refused(offered) })
        .collect();
    let description = describe(local, media);
    let plan = MediaPlan {
        remote: target.media,
        remote_rtcp: target.rtcp,
        codec: spec.codec,
        send_payload_type: spec.payload_type,
        receive_payload_type: spec.payload_type,
        receive: vec![spec],
        telephone_event: events.map(|(payload_type, events)| TelephoneEventPlan {
            send_payload_type: payload_type,
            receive_payload_type: payload_type,
            events,
        }),
        direction,
        packet_time: asked_packet_time(section, capabilities),
        security: None,
        local_sdp: description.to_string(),
    };
    Ok(Negotiated { description, plan })
}

/// Reads the peer's answer to `local_offer`.
///
/// # Errors
///
/// Fails when the answer refuses the audio stream, does not fit the offer or names no codec of it.
pub fn accept_answer(
    capabilities: &Capabilities,
    local_offer: &SessionDescription,
    remote: &SessionDescription,
) -> Result<MediaPlan, NegotiationError> {
    let (offered, answered) = (local_offer.media.len(), remote.media.len());
    if offered != answered {
        return Err(NegotiationError::StreamCount { offered, answered });
    }
    let (ours, theirs) = local_offer
        .media
        .iter()
        .zip(&remote.media)
        .find(|(ours, _)| is_live_audio(ours))
        .ok_or(NegotiationError::NoAudio)?;
    if theirs.port == 0 {
        return Err(NegotiationError::StreamRefused);
    }
    if !is_plain_rtp(&theirs.protocol) {
        return Err(NegotiationError::UnsupportedProtocol { protocol: theirs.protocol.clone() });
    }
    let receive: Vec<CodecSpec> = specs(ours, &capabilities.codecs).collect();
    let agreed = |spec: &CodecSpec| receive.iter().find(|own| own.codec == spec.codec).copied();
    let (send, expect) = specs(theirs, &capabilities.codecs)
        .find_map(|spec| Some((spec, agreed(&spec)?)))
        .ok_or_else(|| NegotiationError::NoCommonCodec { offered: encodings(theirs) })?;
    let target = Target::of(remote, theirs)?;
    let clock = send.codec.rtp_clock;
    let events = telephone_event(ours, clock).zip(telephone_event(theirs, clock));
    let telephone_event = events.map(|(own, peer)| TelephoneEventPlan {
        send_payload_type: peer.0,
        receive_payload_type: own.0,
        events: own.1.intersection(peer.1),
    });
    Ok(MediaPlan {
        remote: target.media,
        remote_rtcp: target.rtcp,
        codec: send.codec,
        send_payload_type: send.payload_type,
        receive_payload_type: expect.payload_type,
        receive,
        telephone_event,
        direction: local_offer.direction_of(ours).intersection(target.direction.reversed()),
        packet_time: asked_packet_time(theirs, capabilities),
        security: None,
        local_sdp: local_offer.to_string(),
    })
}

/// Picks the first audio section with a transport and a codec we know.
fn choose_audio(
    capabilities: &Capabilities,
    remote: &SessionDescription,
) -> Result<(usize, CodecSpec), NegotiationError> {
    let mut failure = NegotiationError::NoAudio;
    for (index, media) in remote.media.iter().enumerate().filter(|(_, media)| is_live_audio(media)) {
        let reason = if is_plain_rtp(&media.protocol) {
            if let Some(spec) = specs(media, &capabilities.codecs).next() {
                return Ok((index, spec));
            }
            NegotiationError::NoCommonCodec { offered: encodings(media) }
        } else {
            NegotiationError::UnsupportedProtocol { protocol: media.protocol.clone() }
        };
        // The first audio section explains the refusal best.
        if failure == NegotiationError::NoAudio {
            failure = reason;
        }
    }
    Err(failure)
}

pub(super) fn is_live_audio(media: &MediaDescription) -> bool {
    media.kind == "audio" && media.port != 0
}

/// The feedback profile differs from plain RTP in RTCP timing only; it may be answered as offered.
fn is_plain_rtp(protocol: &str) -> bool {
    ["RTP/AVP", "RTP/AVPF"].contains(&protocol)
}

/// Returns the codecs of a section that we have, in its order, with its numbers.
fn specs<'a>(media: &'a MediaDescription, own: &'a [CodecSpec]) -> impl Iterator<Item = CodecSpec> + 'a {
    media.payload_types().filter_map(|payload_type| {
        let map = media.rtpmap(payload_type);
        let means = |codec: &Codec| match &map {
            Some(map) => {
                map.encoding.eq_ignore_ascii_case(codec.name)
                    && (map.clock_rate, map.channels) == (codec.rtp_clock, codec.channels)
            }
            None => codec.static_payload_type == Some(payload_type),
        };
        let codec = own.iter().map(|spec| spec.codec).find(means)?;
        Some(CodecSpec { codec, payload_type })
    })
}

/// Returns what a section offers, for an error a person reads.
fn encodings(media: &MediaDescription) -> Vec<String> {
    let name = |format: &String| {
        let map = format.parse().ok().and_then(|payload_type| media.rtpmap(payload_type));
        map.map_or_else(|| format.clone(), |map| map.encoding)
    };
    media.formats.iter().map(name).collect()
}

/// Returns the telephone events of a section at the clock of its codec, within the events we know.
fn telephone_event(media: &MediaDescription, clock: u32) -> Option<(u8, EventSet)> {
    let payload_type = media.payload_types().find(|payload_type| {
        media
            .rtpmap(*payload_type)
            .is_some_and(|map| map.encoding.eq_ignore_ascii_case(TELEPHONE_EVENT) && map.clock_rate == clock)
    })?;
    // RFC 4733 section 2.4.1: without parameters the sixteen DTMF digits are meant.
    let events = media.fmtp(payload_type).and_then(|fmtp| EventSet::parse(&fmtp.parameters));
    let events = events.unwrap_or(EventSet::DTMF);
    Some((payload_type, events.intersection(EventSet::DTMF_AND_FLASH)))
}

/// Returns the duration of the packets that we send to the maker of a section.
fn asked_packet_time(media: &MediaDescription, own: &Capabilities) -> Duration {
    packet_time(media.packet_time(), media.max_packet_time(), own.packet_time)
}

/// Copies a stream that we refuse: port zero, nothing below it.
fn refused(offered: &MediaDescription) -> MediaDescription {
    MediaDescription { port: 0, port_count: None, lines: Vec::new(), ..offered.clone() }
}

/// Where a section wants media, and which way.
struct Target {
    media: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
    direction: Direction,
}

impl Target {
    fn of(remote: &SessionDescription, media: &MediaDescription) -> Result<Self, NegotiationError> {
        let connection = remote.connection_of(media).ok_or(NegotiationError::MissingConnection)?;
        let address = match &connection.host {
            ConnectionHost::Address(address) => *address,
            ConnectionHost::Name(host) => return Err(NegotiationError::HostName { host: host.clone() }),
        };
        let direction = remote.direction_of(media);
        if connection.is_unspecified() {
            // RFC 3264 section 8.4: the old way to hold; nothing may be sent there.
            let held = direction.intersection(Direction::SendOnly);
            return Ok(Self { media: None, rtcp: None, direction: held });
        }
        if !is_one_host(address) {
            return Err(NegotiationError::NotOneHost { address });
        }
        let default = (media.port.saturating_add(1), address);
        let rtcp = media.rtcp().filter(|rtcp| rtcp.address.is_none_or(is_one_host));
        let (rtcp_port, rtcp_address) =
            rtcp.map_or(default, |rtcp| (rtcp.port, rtcp.address.unwrap_or(address)));
        Ok(Self {
            media: Some(SocketAddr::new(address, media.port)),
            rtcp: Some(SocketAddr::new(rtcp_address, rtcp_port)),
            direction,
        })
    }
}
