//! What a phone can do, what it wants, and what was agreed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::codec::Codec;
use crate::dtmf::EventSet;
use crate::sdp::{Direction, SessionDescription};

/// Payload type of telephone events in our offers.
pub const DEFAULT_TELEPHONE_EVENT: u8 = 120;
/// First of the payload types without a meaning of their own (RFC 3551 section 6).
const FIRST_DYNAMIC: u8 = 96;
/// Durations of a packet that we send, in milliseconds.
const PACKET_TIMES: [u32; 5] = [60, 40, 30, 20, 10];

/// A codec and the payload type number that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecSpec {
    /// The codec.
    pub codec: Codec,
    /// Its number in a description.
    pub payload_type: u8,
}

impl CodecSpec {
    /// Gives every codec a number: its static one, or the next free dynamic one.
    pub fn number(codecs: impl IntoIterator<Item = Codec>) -> Vec<Self> {
        let mut free = FIRST_DYNAMIC..DEFAULT_TELEPHONE_EVENT;
        let numbered = codecs.into_iter().map_while(|codec| {
            let payload_type = codec.static_payload_type.or_else(|| free.next())?;
            Some(Self { codec, payload_type })
        });
        numbered.collect()
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
    /// Duration of the packets that we ask for, and send when the peer asks for none.
    pub packet_time: Duration,
}

impl Default for Capabilities {
    /// PCMA, PCMU, telephone events at 120, both directions, 20 ms.
    fn default() -> Self {
        Self {
            codecs: CodecSpec::number(Codec::ALL),
            telephone_event: Some(DEFAULT_TELEPHONE_EVENT),
            direction: Direction::SendRecv,
            packet_time: Duration::from_millis(20),
        }
    }
}

/// Our side of one description: identity, address, direction.
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
    /// Direction we want, seen from us: `SendOnly` holds the peer.
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

/// Keys and transforms of a protected stream: none can be agreed on, so no value of this type exists.
///
/// The session would pass every datagram through it, both ways, at one place between packet and
/// socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {}

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
    /// Duration of audio in each packet we send; the peer's packets may have another.
    pub packet_time: Duration,
    /// How packets are protected; `None` for plain RTP.
    pub security: Option<Security>,
    /// Our description as sent.
    pub local_sdp: String,
}

impl MediaPlan {
    /// Makes a plan without any signaling: one codec, both ways, telephone events at 120.
    #[must_use]
    pub fn direct(codec: Codec, remote: SocketAddr) -> Self {
        let payload_type = codec.static_payload_type.unwrap_or(FIRST_DYNAMIC);
        let spec = CodecSpec { codec, payload_type };
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
            security: None,
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

/// Returns the duration of the packets to send, from what a peer asks for and the most that it
/// takes.
///
/// The longest of 10, 20, 30, 40 and 60 ms that suits both; 10 ms where not even that does.
pub(super) fn packet_time(wish: Option<u32>, most: Option<u32>, default: Duration) -> Duration {
    let wish = wish.unwrap_or(default.as_millis() as u32);
    let limit = most.map_or(wish, |most| most.min(wish));
    let fitting = PACKET_TIMES.into_iter().find(|time| *time <= limit);
    Duration::from_millis(u64::from(fitting.unwrap_or(10)))
}
