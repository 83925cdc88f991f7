//! The answer: plain data.

use std::net::SocketAddr;
use std::time::Duration;

use crate::read::ReadError;

/// Everything that a capture says.
///
/// Times are since the Unix epoch, as the capture has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Link type of the first interface.
    pub linktype: Option<u32>,
    /// Its name, if it is understood.
    pub linktype_name: Option<&'static str>,
    /// Records of any protocol.
    pub total_packets: u64,
    /// RTP over IPv4, sorted by source port, target port and payload type.
    pub rtp_flows: Vec<RtpFlow>,
    /// RTCP over IPv4, sorted by source port, target port and packet type.
    pub rtcp_flows: Vec<RtcpFlow>,
    /// Why the analysis is not of the whole capture.
    pub error: Option<AnalysisError>,
    /// Whether the file ends within a record.
    pub is_cut: bool,
    /// Every link type that packets have, in the order of their first packets.
    pub linktypes: Vec<Linktype>,
    /// Time of the earliest packet.
    pub first_at: Option<Duration>,
    /// Time of the latest packet.
    pub last_at: Option<Duration>,
    /// RTP packets over IPv6, which are in no row of `rtp_flows`.
    pub ipv6_rtp_packets: u64,
    /// RTCP packets over IPv6, which are in no row of `rtcp_flows`.
    pub ipv6_rtcp_packets: u64,
    /// SIP messages over UDP and TCP, those of no call included.
    pub sip_messages: u64,
    /// Calls in the order of their first messages.
    pub calls: Vec<Call>,
    /// RTP streams of no call, in the order of their first packets.
    pub other_streams: Vec<RtpStream>,
    /// Packets that say nothing to this analysis.
    pub skipped: Skipped,
    /// What went beyond the bounds of this analysis.
    pub left_out: LeftOut,
}

/// Why an analysis is not of the whole capture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    /// The capture cannot be read, or not to its end.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Packets have a link type that is not understood; they are counted.
    #[error("unknown linktype {0}")]
    UnknownLinktype(u32),
}

/// How many packets have a link type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linktype {
    /// Its number in the registry of LINKTYPE values.
    pub number: u32,
    /// Its name, if it is understood.
    pub name: Option<&'static str>,
    /// Packets.
    pub packets: u64,
}

/// RTP packets over IPv4 with the same ports and payload type, whatever their addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpFlow {
    /// Source port.
    pub src_port: u16,
    /// Target port.
    pub dst_port: u16,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Name that the payload type has without a session description.
    pub codec: String,
    /// Packets.
    pub count: u64,
    /// Number of its first packet in the capture; the first of all has zero.
    pub first_packet: u64,
}

/// RTCP packets over IPv4 with the same ports and first packet type, whatever their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtcpFlow {
    /// Source port.
    pub src_port: u16,
    /// Target port.
    pub dst_port: u16,
    /// Type of the first packet in the datagram, 200 to 206.
    pub payload_type: u8,
    /// Name of that type.
    pub name: &'static str,
    /// Datagrams.
    pub count: u64,
}

/// A call, known by its Call-ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Call-ID, up to 256 bytes of it.
    pub call_id: String,
    /// URI of From in the first message, up to 256 bytes of it; empty if it cannot be read.
    pub from: String,
    /// URI of To in the first message, up to 256 bytes of it; empty if it cannot be read.
    pub to: String,
    /// Time of the first INVITE; `None` if the capture begins later.
    pub invited_at: Option<Duration>,
    /// Time of the first 2xx to it.
    pub answered_at: Option<Duration>,
    /// Last final status of the INVITE that began the call; a 2xx is not replaced.
    pub final_status: Option<u16>,
    /// How it ended.
    pub ending: Ending,
    /// When it ended.
    pub ended_at: Option<Duration>,
    /// Messages with its Call-ID, copies included.
    pub messages: u64,
    /// Its RTP streams in the order of their first packets.
    pub streams: Vec<RtpStream>,
}

/// One of the two who talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Who sent the INVITE.
    Caller,
    /// Who received it.
    Callee,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Not in this capture.
    Open,
    /// By a BYE; from whom, if the capture has the INVITE.
    HungUp(Option<Party>),
    /// By a CANCEL.
    Cancelled,
    /// By a final status of 300 or above.
    Refused,
}

/// RTP packets of one source from one address to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpStream {
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// Synchronization source.
    pub ssrc: u32,
    /// Payload types in the order of their first packets.
    pub codecs: Vec<StreamCodec>,
    /// All packets, copies included.
    pub packets: u64,
    /// Packets that the sequence numbers tell are missing.
    pub lost: u64,
    /// Copies of packets.
    pub duplicates: u64,
    /// Packets that came after one with a higher number.
    pub reordered: u64,
    /// Packets far from the numbers around them.
    pub stray: u64,
    /// How often the numbers began anew.
    pub restarts: u64,
    /// Time of its first packet.
    pub first_at: Option<Duration>,
    /// Time of its last packet.
    pub last_at: Option<Duration>,
    /// The longest time between two packets that follow each other in the capture.
    pub longest_gap: Option<Duration>,
}

/// A payload type of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamCodec {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Name that the call's session descriptions give it, else the one it has without.
    pub name: String,
    /// Packets.
    pub packets: u64,
}

/// Packets that say nothing to an analysis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Packets that are not IP, or whose link type is not understood.
    pub not_ip: u64,
    /// IP packets that are neither UDP nor TCP, or whose headers make no sense.
    pub other_protocols: u64,
    /// Fragments that no whole packet came of.
    pub fragments: u64,
    /// Packets whose end was not captured; they are counted as far as they go.
    pub cut: u64,
}

/// What went beyond the bounds of an analysis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// RTP and RTCP packets without a row.
    pub flow_packets: u64,
    /// RTP packets of streams beyond the number that is kept.
    pub stream_packets: u64,
    /// RTP packets of no call whose sources never sent two in a row, and so are hardly RTP.
    pub doubtful_packets: u64,
    /// SIP messages of calls beyond the number that is kept.
    pub call_messages: u64,
    /// Addresses in session descriptions beyond the number that is kept of a call.
    pub media_addresses: u64,
}

/// Cuts a text to a number of bytes, between characters.
pub(super) fn up_to(text: &str, bytes: usize) -> String {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text).to_owned()
}
