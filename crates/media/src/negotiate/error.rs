//! Why a negotiation fails, and how to say so to the peer.

use std::net::IpAddr;

use thiserror::Error;

use crate::sdp::SdpError;

/// Why no media plan came out of a description.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NegotiationError {
    /// The body is not a session description.
    #[error("unreadable description")]
    Unreadable(#[from] SdpError),
    /// No audio section with a port.
    #[error("no audio stream offered")]
    NoAudio,
    /// Audio is offered over a transport we do not speak, such as SRTP.
    #[error("audio transport {protocol} is not supported")]
    UnsupportedProtocol {
        /// The transport of the first audio section.
        protocol: String,
    },
    /// No codec is known to both sides.
    #[error("no common codec among {offered:?}")]
    NoCommonCodec {
        /// Encoding names or payload types of the peer.
        offered: Vec<String>,
    },
    /// The audio section has no `c=` line and neither has the session.
    #[error("audio stream without connection address")]
    MissingConnection,
    /// The `c=` line names a host, and no address was put in its place ([`crate::sdp::SessionDescription::resolve`]).
    #[error("connection host {host} has no address")]
    HostName {
        /// The name as written.
        host: String,
    },
    /// The `c=` line names many receivers, of whom none agreed: a phone sends to one (RFC 3264 section 5.1 and 5.2).
    #[error("connection address {address} is not that of one host")]
    NotOneHost {
        /// The address of a group, or of everybody.
        address: IpAddr,
    },
    /// The answer refuses our audio stream with port zero.
    #[error("audio stream refused by the answer")]
    StreamRefused,
    /// The answer does not have as many streams as our offer (RFC 3264 section 6).
    #[error("answer has {answered} streams for {offered} offered")]
    StreamCount {
        /// Streams we offered.
        offered: usize,
        /// Streams answered.
        answered: usize,
    },
    /// An answer came although no offer of ours is outstanding.
    #[error("answer without an offer")]
    NoOffer,
}

impl NegotiationError {
    /// Returns the SIP status that tells the peer: 400 for an unreadable body, else 488.
    #[must_use]
    pub const fn sip_status(&self) -> u16 {
        match self {
            Self::Unreadable(_) => 400,
            Self::NoAudio
            | Self::UnsupportedProtocol { .. }
            | Self::NoCommonCodec { .. }
            | Self::MissingConnection
            | Self::HostName { .. }
            | Self::NotOneHost { .. }
            | Self::StreamRefused
            | Self::StreamCount { .. }
            | Self::NoOffer => 488,
        }
    }
}
