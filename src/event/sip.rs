//! Facts about SIP messages on the wire, kept complete and redacted.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Transport, events};

/// The message as it was on the wire, with secrets replaced by `***`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawMessage {
    /// UTF-8 text, the usual case.
    Text(String),
    /// Anything else, in base64 (RFC 4648).
    Base64(String),
}

impl From<&[u8]> for RawMessage {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

/// What filters and ladders need of a message, to save parsing it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SipSummary {
    /// Request method; for a response, the CSeq's.
    pub method: Option<String>,
    /// Status code of a response.
    pub status: Option<u16>,
    /// Reason phrase of a response.
    pub reason: Option<String>,
    /// CSeq number.
    pub cseq: Option<u32>,
    /// `Call-ID` header.
    pub sip_call_id: Option<String>,
    /// Branch of the topmost Via; with the method it identifies the transaction.
    #[serde(default)]
    pub branch: Option<String>,
    /// From tag; with the To tag and the Call-ID it identifies the dialog.
    #[serde(default)]
    pub from_tag: Option<String>,
    /// To tag, once there is one.
    #[serde(default)]
    pub to_tag: Option<String>,
    /// Whether it carries a session description.
    #[serde(default)]
    pub sdp: bool,
}

/// One query on the way from a name to its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameLookup {
    /// The query, such as `SRV _sip._udp.example.com`; `hosts pbx` if the machine itself knows the
    /// name.
    pub question: String,
    /// The first eight records, in zone file format.
    pub records: Vec<String>,
    /// How many records there were.
    pub count: usize,
    /// How many more seconds the answer is valid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// Whether the answer came from the cache.
    pub from_cache: bool,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// An address that requests are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextHop {
    /// The transport.
    pub transport: Transport,
    /// The address.
    pub address: SocketAddr,
}

events! {
    /// Facts about SIP messages.
    SipEvent {
        /// A message is being sent: at once, or one to two milliseconds later if the journal is on
        /// disk, which gets it first (docs/decisions/0009). If the network refuses or returns it,
        /// `sip.anomaly` says so.
        "sip.sent" => Sent {
            /// Its transport.
            transport: Transport,
            /// Our address.
            local: SocketAddr,
            /// The address it was sent to.
            remote: SocketAddr,
            /// Its summary.
            #[serde(flatten)]
            summary: SipSummary,
            /// Whether the same bytes were sent before.
            retransmission: bool,
            /// The message.
            message: RawMessage,
        },
        /// A message arrived.
        "sip.received" => Received {
            /// Its transport.
            transport: Transport,
            /// Our address.
            local: SocketAddr,
            /// The address it came from.
            remote: SocketAddr,
            /// Its summary.
            #[serde(flatten)]
            summary: SipSummary,
            /// The message.
            message: RawMessage,
        },
        /// Something arrived that is wrong or belongs to nothing, or something we sent did not
        /// arrive.
        "sip.anomaly" => Anomaly {
            /// What is wrong, in words.
            what: String,
            /// Where it came from, or where it could not be sent.
            remote: Option<SocketAddr>,
            /// How many messages were not recorded, if it is about that: what belongs to nothing is
            /// recorded only up to a rate.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            count: Option<u64>,
            /// The time in which they came, in milliseconds.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            over_ms: Option<u64>,
        },
        /// A URI was resolved to addresses (RFC 3263), or could not be.
        "sip.resolved" => Resolved {
            /// The URI.
            uri: String,
            /// The queries, in order.
            lookups: Vec<NameLookup>,
            /// Where requests go, in the order to try; empty if nowhere.
            targets: Vec<NextHop>,
            /// Whether everything came from the cache, so that no name server was asked.
            from_cache: bool,
            /// How long it took, in milliseconds.
            took_ms: u64,
            /// Why there are no targets.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            problem: Option<String>,
        },
        /// An address was given up for the next one of the same name (RFC 3263 §4.3); the same
        /// request is sent again.
        "sip.failed_over" => FailedOver {
            /// Method of the request.
            method: String,
            /// The address given up.
            from: NextHop,
            /// The address tried next.
            to: NextHop,
            /// The reason: a timeout, a failed transport, or 503.
            reason: String,
        },
        /// Datagrams were refused because the phone could not keep up.
        "sip.refused" => Refused {
            /// How many since the last such event.
            count: u64,
        },
    }
}

/// A message on the wire, in either direction.
#[derive(Clone, Copy, Debug)]
pub struct OnWire<'a> {
    /// Whether we sent it.
    pub sent: bool,
    /// The other side.
    pub remote: SocketAddr,
    /// Its summary.
    pub summary: &'a SipSummary,
    /// Whether we had sent the same bytes before.
    pub retransmission: bool,
    /// The message.
    pub message: &'a RawMessage,
}

impl SipEvent {
    /// Returns the fact that something is wrong with what came from `remote`.
    #[must_use]
    pub const fn anomaly(what: String, remote: SocketAddr) -> Self {
        Self::Anomaly { what, remote: Some(remote), count: None, over_ms: None }
    }

    /// Returns the message that a fact is about, if it is about one.
    #[must_use]
    pub const fn on_wire(&self) -> Option<OnWire<'_>> {
        match self {
            Self::Sent { remote, summary, retransmission, message, .. } => {
                let (remote, retransmission) = (*remote, *retransmission);
                Some(OnWire { sent: true, remote, summary, retransmission, message })
            }
            Self::Received { remote, summary, message, .. } => {
                Some(OnWire { sent: false, remote: *remote, summary, retransmission: false, message })
            }
            Self::Anomaly { .. } | Self::Resolved { .. } | Self::FailedOver { .. } | Self::Refused { .. } => {
                None
            }
        }
    }
}
