//! Facts about a call's media; packets themselves are never events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Party, events};
use crate::id::{CallId, Seq};

/// How a digit is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DigitMethod {
    /// telephone-event, RFC 4733.
    Rfc4733,
    /// Two tones in the audio.
    Inband,
    /// SIP INFO.
    Info,
}

/// Direction of our media (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaDirection {
    /// Both ways.
    #[default]
    Sendrecv,
    /// We send only.
    Sendonly,
    /// We receive only.
    Recvonly,
    /// Neither.
    Inactive,
}

/// An offer and its answer (RFC 3264). It begins an epoch of the call's media, which later facts
/// refer to by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// Who offered; the other side answered.
    pub offered_by: Party,
    /// Version of our description, from its `o=` line.
    pub local_version: u64,
    /// The `sip.received` whose message carried the other side's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_in: Option<Seq>,
}

/// A socket of a media stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaSocket {
    /// For media.
    Rtp,
    /// For RTCP.
    Rtcp,
}

/// The statistics of a call's media so far (RFC 3550 §6.4 terms).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MediaStatistics {
    /// RTP packets sent.
    pub sent_packets: u64,
    /// Payload bytes sent.
    pub sent_bytes: u64,
    /// RTP packets received.
    pub received_packets: u64,
    /// Payload bytes received.
    pub received_bytes: u64,
    /// Packets expected by sequence number and not received.
    pub lost: u64,
    /// Packets received twice.
    pub duplicates: u64,
    /// Packets received out of order.
    pub reordered: u64,
    /// Packets received too late to play.
    pub discarded: u64,
    /// Current interarrival jitter, milliseconds (RFC 3550 §A.8).
    pub jitter_ms: f64,
    /// Largest interarrival jitter seen, milliseconds.
    pub jitter_max_ms: f64,
    /// Round-trip time from RTCP, milliseconds; absent until a report has come back.
    pub rtt_ms: Option<f64>,
    /// Level of the received audio, dBFS; absent before any was received.
    pub level_dbfs: Option<f64>,
    /// E-model estimate on the narrowband scale (ITU-T G.107); absent if not measured.
    pub mos: Option<f64>,
    /// Why there is no estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_absent_because: Option<String>,
}

events! {
    /// Facts about a call's media.
    MediaEvent with epoch {
        /// A session description was agreed, and media may flow.
        "media.started" => Started {
            /// Our RTP address.
            local: String,
            /// The other side's RTP address; absent if it gave none.
            remote: Option<String>,
            /// Codec name, such as `PCMU`.
            codec: String,
            /// Direction of our media.
            direction: MediaDirection,
            /// The offer/answer exchange; absent in facts written before it was recorded.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            agreement: Option<Agreement>,
        },
        /// A different description was agreed before the call was established: early media gave way
        /// to the final answer, or to another fork. Re-INVITEs are reported by `call.modified`.
        "media.changed" => Changed {
            /// The other side's RTP address now; absent if it gave none.
            remote: Option<String>,
            /// Codec name, such as `PCMU`.
            codec: String,
            /// Direction of our media.
            direction: MediaDirection,
            /// The offer/answer exchange; absent in facts written before it was recorded.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            agreement: Option<Agreement>,
        },
        /// The first RTP packet arrived.
        "media.first_packet" => FirstPacket {
            /// Where it came from.
            source: String,
            /// Synchronization source.
            ssrc: u32,
            /// Payload type.
            payload_type: u8,
        },
        /// RTP now comes from another address.
        "media.source_changed" => SourceChanged {
            /// The new address.
            source: String,
        },
        /// The other side sends RTP from another address than its description gave, as it does
        /// behind NAT; we keep sending to the address it gave. Reported once for each pair of
        /// addresses.
        "media.source_differs" => SourceDiffers {
            /// The address that was agreed.
            negotiated: String,
            /// The address that RTP comes from.
            source: String,
        },
        /// RTP or RTCP came from somewhere other than the other side; it was counted, not heard.
        /// Reported at most every ten seconds and ten times per call, with the rest at its end.
        "media.foreign_packets" => ForeignPackets {
            /// Where the last of them came from.
            source: String,
            /// How many since the last report.
            packets: u64,
        },
        /// No RTP has come for some time although it should.
        "media.reception_stopped" => ReceptionStopped {
            /// How long ago the last packet came, milliseconds.
            quiet_ms: u64,
        },
        /// RTP is arriving again.
        "media.reception_resumed" => ReceptionResumed {},
        /// Reading from or sending to a socket failed; reported once per call, and retried at every
        /// tick.
        "media.socket_failed" => SocketFailed {
            /// Which socket.
            socket: MediaSocket,
            /// The system's error.
            reason: String,
        },
        /// Facts about digits, tones or sources were lost: others caused more than a call may
        /// report in ten seconds, or than it could record.
        "media.facts_refused" => FactsRefused {
            /// How many since the last report.
            count: u64,
        },
        /// The statistics so far, every second.
        "media.statistics" => Statistics {
            /// The statistics.
            statistics: MediaStatistics,
        },
        /// Media has ended.
        "media.stopped" => Stopped {
            /// The final statistics.
            statistics: MediaStatistics,
        },
        /// The received audio fell silent.
        "media.silence_started" => SilenceStarted {},
        /// The received audio is audible again.
        "media.silence_ended" => SilenceEnded {
            /// How long it was silent, milliseconds.
            duration_ms: u64,
        },
        /// A steady tone is heard in the received audio.
        "media.tone_started" => ToneStarted {
            /// Its frequency, hertz.
            hz: f64,
            /// Its level, dBFS.
            level_dbfs: f64,
        },
        /// The tone stopped.
        "media.tone_ended" => ToneEnded {
            /// Its frequency, hertz.
            hz: f64,
            /// How long it lasted, milliseconds.
            duration_ms: u64,
        },
        /// A file or tone is being sent.
        "media.playback_started" => PlaybackStarted {
            /// File path or tone, as requested.
            source: String,
            /// Whether it repeats.
            repeat: bool,
        },
        /// The file or tone ended or was stopped.
        "media.playback_finished" => PlaybackFinished {
            /// File path or tone, as requested.
            source: String,
        },
        /// The call is in a conference: its other side and those of the other members hear each
        /// other.
        "media.conference_joined" => ConferenceJoined {
            /// All calls of the conference, this one included; they are in no other.
            members: Vec<CallId>,
            /// The members that the other side of this call hears; none while this call is on hold.
            hears: Vec<CallId>,
            /// The members whose other sides hear this call.
            heard_by: Vec<CallId>,
        },
        /// Others joined or left the conference of this call, one of its calls went on or off hold or
        /// sends its media another way, or this call was moved to another conference.
        "media.conference_changed" => ConferenceChanged {
            /// All calls of the conference, this one included; they are in no other.
            members: Vec<CallId>,
            /// The members that the other side of this call hears; none while this call is on hold.
            hears: Vec<CallId>,
            /// The members whose other sides hear this call.
            heard_by: Vec<CallId>,
        },
        /// The call is in no conference any more: it was left out, it ends, or it was the last one.
        "media.conference_left" => ConferenceLeft {},
        /// Recording to a file has started.
        "media.recording_started" => RecordingStarted {
            /// The file.
            path: String,
        },
        /// The file is complete.
        "media.recording_stopped" => RecordingStopped {
            /// The file.
            path: String,
            /// Its length, milliseconds.
            duration_ms: u64,
        },
        /// The disk was too slow for the recording; the file has silence where something is
        /// missing.
        "media.recording_gap" => RecordingGap {
            /// The file.
            path: String,
            /// How much is missing, milliseconds.
            lost_ms: u64,
        },
        /// The file could not be written; what exists may be cut short.
        "media.recording_failed" => RecordingFailed {
            /// The file.
            path: String,
            /// The reason in words.
            reason: String,
        },
        /// Audio now arrives with another payload type: this is what the other side really sends.
        "media.payload_changed" => PayloadChanged {
            /// The number in the packets.
            payload_type: u8,
            /// The codec it stands for.
            codec: String,
        },
        /// A digit began: its first packet has arrived, which is when the other side expects a
        /// reaction.
        "dtmf.started" => DigitStarted {
            /// 0-9, *, #, A-D.
            digit: char,
            /// How it is carried.
            method: DigitMethod,
        },
        /// A digit was received.
        "dtmf.received" => DigitReceived {
            /// One of `0-9 * # A-D`.
            digit: char,
            /// How long it lasted, milliseconds.
            duration_ms: u64,
            /// How it was carried.
            method: DigitMethod,
        },
        /// Digits are being sent.
        "dtmf.sent" => DigitsSent {
            /// All of them, in order.
            digits: String,
            /// How they are carried.
            method: DigitMethod,
        },
        /// A hold, a new codec or the end of the call cut the digits short.
        "dtmf.cut" => DigitsCut {
            /// All of them, in order.
            digits: String,
        },
        /// The last of the digits has been sent.
        "dtmf.finished" => DigitsFinished {
            /// All of them, in order.
            digits: String,
        },
    }
}
