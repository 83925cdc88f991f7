//! What a phone can do, what it wants, and what came out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::codec::Codec;
use crate::dtmf::EventSet;
use crate::sdp::{Direction, SessionDescription};

/// Payload type of telephone events in our offers.
pub const DEFAULT_TELEPHONE_EVENT: u8 = 120;

/// A codec and the payload type number that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecSpec {
    /// The codec.
    pub codec: Codec,
    /// Its number in a description.
    pub payload_type: u8,
}

impl CodecSpec {
    /// Makes a codec with its static payload type.
    #[must_use]
    pub const fn of(codec: Codec) -> Self {
        Self { codec, payload_type: codec.static_payload_type() }
    }
}

/// What a phone can do, in its order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Codecs, best first.
    pub codecs: Vec<CodecSpec>,
    /// Payload type to offer for telephone events; `None` neither offers nor accepts them.
    pub telephone_event: Option<u8>,
    /// Widest direction a stream may have.
    pub direction: Direction,
    /// Packet time to ask for.
    pub packet_time: Duration,
}

impl Default for Capabilities {
    /// PCMA, PCMU, telephone events at 120, both directions, 20 ms.
    fn default() -> Self {
        Self {
            codecs: Codec::ALL.into_iter().map(CodecSpec::of).collect(),
            telephone_event: Some(DEFAULT_TELEPHONE_EVENT),
            direction: Direction::SendRecv,
            packet_time: Duration::from_millis(20),
        }
    }
}

/// Our side of one description: identity, address, wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMedia {
    /// Session identifier of the `o=` line.
    pub session_id: u64,
    /// Version of the `o=` line.
    pub version: u64,
    /// Address where we receive.
    pub address: IpAddr,
    /// RTP port; RTCP is the next one.
    pub port: u16,
    /// Direction we want, ours: `SendOnly` holds the peer.
    pub direction: Direction,
}

/// How telephone events travel in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEventPlan {
    /// Payload type the peer expects.
    pub send_payload_type: u8,
    /// Payload type the peer uses.
    pub receive_payload_type: u8,
    /// Events both sides know.
    pub events: EventSet,
}

/// What an offer and its answer agreed on: all that a media session needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlan {
    /// Where RTP goes; `None` when the peer gave the unspecified address.
    pub remote: Option<SocketAddr>,
    /// Where RTCP goes.
    pub remote_rtcp: Option<SocketAddr>,
    /// Codec we send.
    pub codec: Codec,
    /// Payload type we send.
    pub send_payload_type: u8,
    /// Payload type we expect for [`Self::codec`].
    pub receive_payload_type: u8,
    /// Every codec the peer may send, with the number it will use.
    pub receive: Vec<CodecSpec>,
    /// Telephone events, if both sides know them.
    pub telephone_event: Option<TelephoneEventPlan>,
    /// Direction, seen from us.
    pub direction: Direction,
    /// Duration of audio in each packet we send.
    pub packet_time: Duration,
    /// Our description as sent.
    pub local_sdp: String,
}

impl MediaPlan {
    /// Makes a plan without any signaling: one static codec, both ways, telephone events at 120.
    #[must_use]
    pub fn direct(codec: Codec, remote: SocketAddr) -> Self {
        let spec = CodecSpec::of(codec);
        Self {
            remote: Some(remote),
            remote_rtcp: Some(SocketAddr::new(remote.ip(), remote.port().saturating_add(1))),
            codec,
            send_payload_type: spec.payload_type,
            receive_payload_type: spec.payload_type,
            receive: vec![spec],
            telephone_event: Some(TelephoneEventPlan {
                send_payload_type: DEFAULT_TELEPHONE_EVENT,
                receive_payload_type: DEFAULT_TELEPHONE_EVENT,
                events: EventSet::DTMF_AND_FLASH,
            }),
            direction: Direction::SendRecv,
            packet_time: Duration::from_millis(20),
            local_sdp: String::new(),
        }
    }
}

/// Result of answering an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Our answer.
    pub description: SessionDescription,
    /// What it means for the media.
    pub plan: MediaPlan,
}
