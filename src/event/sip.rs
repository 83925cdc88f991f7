//! Facts about SIP messages on the wire, kept whole and redacted.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Transport, events};

/// The message as it was on the wire, digest responses replaced by `***`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawMessage {
    /// UTF-8 text, the usual case.
    Text(String),
    /// Anything else, RFC 4648 base64.
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

/// What filters and ladders need of a message without parsing it again.
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
    /// Branch of the topmost Via: with the method, the transaction.
    #[serde(default)]
    pub branch: Option<String>,
    /// Tag of From; with that of To and the Call-ID, the dialog.
    #[serde(default)]
    pub from_tag: Option<String>,
    /// Tag of To, once there is one.
    #[serde(default)]
    pub to_tag: Option<String>,
    /// Whether a session description is inside.
    #[serde(default)]
    pub sdp: bool,
}

/// One question on the way from a name to its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameLookup {
    /// What was asked, such as `SRV _sip._udp.example.com`; `hosts pbx` where the machine itself knows the name.
    pub question: String,
    /// The records as a zone file has them, the first eight.
    pub records: Vec<String>,
    /// How many there were.
    pub count: usize,
    /// For how many more seconds the answer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// Whether the answer was known already.
    pub from_cache: bool,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A place to which requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextHop {
    /// How.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

events! {
    /// Facts about SIP messages.
    SipEvent {
        /// A message is to leave: at once, or one to two milliseconds later when the journal is on disk, which has it first
        /// (docs/decisions/0009). Where the network refuses it or gives it back, `sip.anomaly` says so.
        "sip.sent" => Sent {
            /// How it went.
            transport: Transport,
            /// Our address.
            local: SocketAddr,
            /// Where it went.
            remote: SocketAddr,
            /// What it is, in short.
            #[serde(flatten)]
            summary: SipSummary,
            /// Whether the same bytes were sent before.
            retransmission: bool,
            /// The message.
            message: RawMessage,
        },
        /// A message arrived.
        "sip.received" => Received {
            /// How it came.
            transport: Transport,
            /// Our address.
            local: SocketAddr,
            /// Where it came from.
            remote: SocketAddr,
            /// What it is, in short.
            #[serde(flatten)]
            summary: SipSummary,
            /// The message.
            message: RawMessage,
        },
        /// Something arrived that is wrong or belongs to nothing, or something that was sent did not arrive.
        "sip.anomaly" => Anomaly {
            /// What is wrong, in words.
            what: String,
            /// Where it came from, or where it could not be sent.
            remote: Option<SocketAddr>,
            /// How many messages were not recorded, where it is about that: what belongs to nothing is recorded up to a rate.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            count: Option<u64>,
            /// In how long a time, in milliseconds.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            over_ms: Option<u64>,
        },
        /// A URI was followed to the addresses behind its name (RFC 3263), or could not be.
        "sip.resolved" => Resolved {
            /// The URI.
            uri: String,
            /// What was asked, in order.
            lookups: Vec<NameLookup>,
            /// Where requests go, in the order to try; empty when nowhere.
            targets: Vec<NextHop>,
            /// Whether everything was known already, so that no name server was asked.
            from_cache: bool,
            /// How long it took, in milliseconds.
            took_ms: u64,
            /// Why there are no targets.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            problem: Option<String>,
        },
        /// A place was given up for the next one behind the same name (RFC 3263 §4.3); the same request leaves again.
        "sip.failed_over" => FailedOver {
            /// Method of the request.
            method: String,
            /// The place that is given up.
            from: NextHop,
            /// The place that is tried next.
            to: NextHop,
            /// Why: silence, a failed transport, or 503.
            reason: String,
        },
        /// Datagrams were refused because the phone was behind.
        "sip.refused" => Refused {
            /// How many since the last such event.
            count: u64,
        },
    }
}

/// A message as it passed on the wire, whichever way it went.
#[derive(Clone, Copy, Debug)]
pub struct OnWire<'a> {
    /// Whether we sent it.
    pub sent: bool,
    /// The other side.
    pub remote: SocketAddr,
    /// What it is, in short.
    pub summary: &'a SipSummary,
    /// Whether we had sent the same bytes before.
    pub retransmission: bool,
    /// The message.
    pub message: &'a RawMessage,
}

impl SipEvent {
    /// Returns the fact that something is wrong with what came from somewhere.
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
